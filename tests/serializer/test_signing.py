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
from jupyter_durable.serializer.signing import KEY_BYTES, HmacSigner, KeyFile, key_id

KEY = bytes(range(32))
PLACE = Context("request", 7, 65536)
SIGNER = HmacSigner(KEY, namespace="n")


def refuses(signer: HmacSigner, context: Context, codec: str, data: bytes, mac: bytes) -> str:
    with pytest.raises(DeserializationError) as caught:
        signer.verify(context, codec, data, mac)
    return str(caught.value)


@given(st.binary(), st.text(), st.integers(0, 2**40), st.integers(0, 2**40))
def test_it_is_hmac_sha256_under_a_key_id(data: bytes, request: str, identity: int, attempt: int) -> None:
    place = f"|{len(request)}:{request}|{identity}|{attempt}|5:plain|{len(data)}|".encode("utf-8", "surrogatepass")
    mac = SIGNER.sign(Context(request, identity, attempt), "plain", data)
    message = b"jupyter-durable 1 1:n" + place + data
    assert mac == bytes.fromhex(key_id(KEY)) + hmac.digest(KEY, message, "sha256")
    SIGNER.verify(Context(request, identity, attempt), "plain", data, mac)


@pytest.mark.parametrize("size", [0, 1, 100, 2048, 2049, 1_000_000])
def test_any_flipped_bit_is_refused(size: int) -> None:
    data = os.urandom(size)
    mac = SIGNER.sign(PLACE, "plain", data)
    SIGNER.verify(PLACE, "plain", data, mac)
    for at in {0, size // 2, size - 1} & set(range(size)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        refuses(SIGNER, PLACE, "plain", changed, mac)
    for at in range(len(mac)):
        refuses(SIGNER, PLACE, "plain", data, mac[:at] + bytes([mac[at] ^ 128]) + mac[at + 1 :])
    for cut in (b"", mac[:4], mac[:-1], mac + b"\0"):
        refuses(SIGNER, PLACE, "plain", data, cut)


def test_a_value_in_another_place_is_refused() -> None:
    mac = SIGNER.sign(PLACE, "plain", b"1")
    for place in (Context("requesu", 7, 65536), Context("request", 8, 65536), Context("request", 7, 65537)):
        refuses(SIGNER, place, "plain", b"1", mac)
    refuses(SIGNER, PLACE, "pickle", b"1", mac)
    refuses(HmacSigner(KEY, namespace="m"), PLACE, "plain", b"1", mac)
    assert SIGNER.sign(Context("a", 11, 1), "plain", b"") != SIGNER.sign(Context("a", 1, 11), "plain", b"")


def test_the_message_names_the_request_and_the_remedy() -> None:
    foreign = refuses(HmacSigner(b"x" * 32), PLACE, "plain", b"1", SIGNER.sign(PLACE, "plain", b"1"))
    assert f"key {key_id(KEY)}" in foreign
    damaged = refuses(SIGNER, PLACE, "plain", b"2", SIGNER.sign(PLACE, "plain", b"1"))
    assert "damaged" in damaged
    unsigned = refuses(SIGNER, PLACE, "plain", b"1", b"")
    for text, remedy in ((foreign, "%durable trust"), (unsigned, "%durable trust"), (damaged, "rerun=")):
        assert "call 7 of request request" in text
        assert remedy in text


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(StoreError, match="31 bytes"):
        HmacSigner(b"x" * 31)


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
    mac = before.sign(PLACE, "plain", b"1")
    name = file.rotate()
    after = file.signer("n")
    after.verify(PLACE, "plain", b"1", mac)
    assert after.key_id == name != before.key_id
    assert after.sign(PLACE, "plain", b"1")[:4].hex() == name
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert f"key {name}" in refuses(before, PLACE, "plain", b"1", after.sign(PLACE, "plain", b"1"))


def test_who_comes_second_does_not_replace_the_key(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "durable" / "key")
    keys = file.keys()
    file._create()
    assert file.keys() == keys
    assert os.listdir(file.path.parent) == ["key"]
