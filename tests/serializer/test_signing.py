"""Laws of signatures: only what this user's key signed, for this place, is accepted."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_durable.errors import DeserializationError, StoreError
from jupyter_durable.serializer.base import Context
from jupyter_durable.serializer.signing import CHANGED, KEY_BYTES, NOBODY, KeyFile, KeySigner, key_id

KEY = bytes(range(32))
SIGNER = KeySigner(KEY, namespace="n")
VOUCHER = SIGNER.voucher("call", "request")


@given(st.binary(), st.text(), st.text())
def test_it_is_keyed_blake2b_under_a_format_and_a_key_id(record: bytes, domain: str, request: str) -> None:
    """Domain and request are in what is hashed, each after its length."""
    mac = SIGNER.voucher(domain, request).sign(record)
    said = placed(domain, request) + record
    found = hashlib.blake2b(said, key=KEY, digest_size=32, person=b"durable-mac 3").digest()
    assert mac == b"\3" + bytes.fromhex(key_id(KEY)) + found
    assert SIGNER.voucher(domain, request).flaw(record, mac) is None


def placed(domain: str, request: str) -> bytes:
    """What stands before a record that is signed."""
    parts = [b"n", domain.encode(), request.encode()]
    return b"".join(b" %d:%b" % (len(part), part) for part in parts) + b"|"


@pytest.mark.parametrize("size", [0, 1, 100, 1_000_000])
def test_any_flipped_bit_is_refused(size: int) -> None:
    """Of the record and of its MAC."""
    record = os.urandom(size)
    mac = VOUCHER.sign(record)
    assert VOUCHER.flaw(record, mac) is None
    for at in {0, size // 2, size - 1} & set(range(size)):
        assert VOUCHER.flaw(record[:at] + bytes([record[at] ^ 1]) + record[at + 1 :], mac)
    for at in range(len(mac)):
        assert VOUCHER.flaw(record, mac[:at] + bytes([mac[at] ^ 128]) + mac[at + 1 :])
    for cut in (None, b"", mac[:4], mac[:-1], mac[1:], mac + b"\0"):
        assert VOUCHER.flaw(record, cut) == NOBODY


def test_a_record_of_another_domain_or_request_is_refused() -> None:
    """Nothing that was signed for one place verifies at another one."""
    mac = VOUCHER.sign(b"1")
    others = [("call", "requesu"), ("callrequest", ""), ("cal", "lrequest"), ("request", "call"), ("code", "")]
    assert all(SIGNER.voucher(*other).flaw(b"1", mac) == CHANGED for other in others)
    assert KeySigner(KEY, namespace="m").voucher("call", "request").flaw(b"1", mac) == CHANGED


def test_a_foreign_signature_names_its_key() -> None:
    """Whoever wants to trust it knows which one to ask for."""
    said = KeySigner(b"x" * 32).voucher("call", "request").flaw(b"1", VOUCHER.sign(b"1"))
    assert said == f"was signed by key {key_id(KEY)}, which is not yours"


def test_what_format_2_signed_verifies_in_its_place_only() -> None:
    """It was HMAC-SHA256 over the same records."""
    said = b"jupyter-durable 2" + placed("call", "request") + b"1"
    mac = b"\2" + bytes.fromhex(key_id(KEY)) + hmac.digest(KEY, said, "sha256")
    assert VOUCHER.flaw(b"1", mac) is None
    assert VOUCHER.flaw(b"2", mac) == CHANGED
    assert SIGNER.voucher("call", "requesu").flaw(b"1", mac) == CHANGED
    assert KeySigner(b"x" * 32, older=(KEY,), namespace="n").voucher("call", "request").flaw(b"1", mac) is None
    assert KeySigner(b"x" * 32).voucher("call", "request").flaw(b"1", mac) == (
        f"was signed by key {key_id(KEY)}, which is not yours"
    )
    for at in range(len(mac)):
        assert VOUCHER.flaw(b"1", mac[:at] + bytes([mac[at] ^ 1]) + mac[at + 1 :])


class TestFormat1:
    """What stores up to schema 4 hold is verified as it was signed."""

    PLACE = Context("request", 7, 65536)

    def sign(self, place: Context, codec: str, data: bytes) -> bytes:
        """As version 4 did."""
        request, identity, attempt = place
        said = f"|{len(request)}:{request}|{identity}|{attempt}|{len(codec)}:{codec}|{len(data)}|".encode()
        return bytes.fromhex(key_id(KEY)) + hmac.digest(KEY, b"jupyter-durable 1 1:n" + said + data, "sha256")

    def refuses(self, signer: KeySigner, place: Context, codec: str, data: bytes, mac: bytes) -> str:
        with pytest.raises(DeserializationError) as caught:
            signer.verify(place, codec, data, mac)
        return str(caught.value)

    def test_what_was_signed_verifies_in_its_place_only(self) -> None:
        """Place, codec and bytes are bound."""
        mac = self.sign(self.PLACE, "plain", b"1")
        SIGNER.verify(self.PLACE, "plain", b"1", mac)
        for place in (Context("requesu", 7, 65536), Context("request", 8, 65536), Context("request", 7, 65537)):
            self.refuses(SIGNER, place, "plain", b"1", mac)
        self.refuses(SIGNER, self.PLACE, "pickle", b"1", mac)
        self.refuses(SIGNER, self.PLACE, "plain", b"2", mac)
        self.refuses(SIGNER, self.PLACE, "plain", b"1", VOUCHER.sign(b"1"))

    def test_the_message_names_the_request_and_the_remedy(self) -> None:
        """A foreign key, a changed value, and no signature at all."""
        mac = self.sign(self.PLACE, "plain", b"1")
        foreign = self.refuses(KeySigner(b"x" * 32), self.PLACE, "plain", b"1", mac)
        assert f"key {key_id(KEY)}" in foreign
        damaged = self.refuses(SIGNER, self.PLACE, "plain", b"2", mac)
        unsigned = self.refuses(SIGNER, self.PLACE, "plain", b"1", b"")
        for text, remedy in ((foreign, "%durable trust"), (unsigned, "%durable trust"), (damaged, "rerun=")):
            assert "call 7 of request request" in text
            assert remedy in text


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(StoreError, match="31 bytes"):
        KeySigner(b"x" * 31)


def test_the_id_says_nothing_about_the_key() -> None:
    assert len(key_id(KEY)) == 8
    assert key_id(KEY) not in (KEY.hex()[:8], hashlib.sha256(KEY).hexdigest()[:8])


def test_a_key_is_made_once_for_its_user_only(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "durable" / "key")
    (key,) = file.keys()
    assert len(key) == KEY_BYTES
    assert KeyFile(file.path).keys() == (key,)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert os.listdir(file.path.parent) == ["key"]


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = KeyFile(tmp_path / "durable" / "key")
        file.keys()
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_all_who_come_at_once_get_one_key(tmp_path: Path) -> None:
    path = tmp_path / "durable" / "key"
    found: list[bytes] = []
    barrier = threading.Barrier(8)

    def read() -> None:
        barrier.wait()
        found.extend(KeyFile(path).keys())

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == set(KeyFile(path).keys())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = KeyFile(tmp_path / "durable" / "key")
    file.keys()
    file.path.chmod(mode)
    with pytest.raises(StoreError, match="chmod 600"):
        file.keys()


def test_a_directory_that_others_can_write_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "durable"
    directory.mkdir()
    directory.chmod(0o770)
    with pytest.raises(StoreError, match="chmod 700"):
        KeyFile(directory / "key").keys()
    assert os.listdir(directory) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_somebody_else_is_refused(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "durable" / "key")
    file.keys()
    os.chown(file.path, 12345, 12345)
    with pytest.raises(StoreError, match="belongs to user 12345"):
        file.keys()


def test_a_link_in_the_place_of_the_key_is_refused(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "durable" / "key")
    file.keys()
    file.path.rename(tmp_path / "elsewhere")
    file.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot be read"):
        file.keys()


@pytest.mark.parametrize("data", [b"", b"x" * 31, b"x" * 33])
def test_a_damaged_key_is_refused_and_kept(tmp_path: Path, data: bytes) -> None:
    file = KeyFile(tmp_path / "durable" / "key")
    file.keys()
    file.path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        file.keys()
    assert file.path.read_bytes() == data


def test_after_a_rotation_old_values_verify_and_new_ones_are_signed_with_the_new_key(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "durable" / "key")
    before = file.signer("n")
    mac = before.voucher("call", "r").sign(b"1")
    name = file.rotate()
    after = file.signer("n")
    assert after.voucher("call", "r").flaw(b"1", mac) is None
    assert after.key_id == name != before.key_id
    new = after.voucher("call", "r").sign(b"1")
    assert new[1:5].hex() == name
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert f"key {name}" in str(before.voucher("call", "r").flaw(b"1", new))


def test_who_comes_second_does_not_replace_the_key(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "durable" / "key")
    keys = file.keys()
    file._create(b"k" * KEY_BYTES)
    assert file.keys() == keys
    assert os.listdir(file.path.parent) == ["key"]
