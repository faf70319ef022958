"""What vouches for stored bytes: a MAC under a key that only this user can read.

Rules of this file
- A `Voucher` signs the records of one domain (the calls of a request, the request itself, code): a record of another
  domain or request is refused like a changed one. What stands in a record is its own to say; all of it is signed.
- The MAC is keyed BLAKE2b (RFC 7693, section 2.9): with one hash state instead of the two of an HMAC, it takes half of
  the time for the record of a call, which each call pays.
- Older formats are verified, and nothing is signed by them any more: 2 is HMAC-SHA256 (RFC 2104) over the same record,
  1 (stores up to schema 4) HMAC-SHA256 over a single value.
- The first four bytes of a MAC name the key, so that older keys still verify after a rotation.
- The boundary: this protects against stores written by others. Code that runs as the user can read the key.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jupyter_durable.errors import DeserializationError, StoreError
from jupyter_durable.files import NotRegular, make_folder, new_file, open_file, remedy, sync_directory
from jupyter_durable.hashes import blake2b, compare_digest
from jupyter_durable.serializer.base import Context

__all__ = ["CHANGED", "FORMAT", "KEY_BYTES", "MAC_BYTES", "NOBODY", "KeyFile", "KeySigner", "KeyVoucher", "key_id"]

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
FORMAT: Final = 3
"""Version of how a record is signed, itself covered and the first byte of a MAC. One of version 1 is a byte shorter."""
_HMAC: Final = 2
"""The version that signed the same records with HMAC-SHA256."""
_PERSON: Final = b"durable-mac 3"
"""No other use of the key gives these hashes (RFC 7693, section 2.5: the personalization)."""
MAC_BYTES: Final = 1 + KEY_ID_BYTES + 32
NOBODY: Final = "was signed by nobody"
CHANGED: Final = "does not match its signature: it was damaged or changed outside of jupyter_durable"
_MOST_BYTES: Final = 1000 * KEY_BYTES
"""A file with more keys than that is none of ours."""


def key_id(key: bytes) -> str:
    """Eight hexadecimal digits that name a key without telling anything about it."""
    return blake2b(key, digest_size=KEY_ID_BYTES, person=b"durable-key").hexdigest()


class KeyVoucher:
    """The `Voucher` of one domain and request. Its hash states begin where those of the keys ended."""

    __slots__ = ("_head", "_older", "_own", "_states")

    def __init__(self, keys: Mapping[bytes, bytes], own: bytes, place: bytes) -> None:
        self._states = {b"%c%b" % (FORMAT, name): _begun(key, place) for name, key in keys.items()}
        self._older = {b"%c%b" % (_HMAC, name): (key, b"jupyter-durable 2" + place) for name, key in keys.items()}
        self._head = b"%c%b" % (FORMAT, own)
        self._own = self._states[self._head]

    def sign(self, record: bytes) -> bytes:
        """37 bytes: the format, the key's id and the MAC."""
        state = self._own.copy()
        state.update(record)
        mac: bytes = self._head + state.digest()
        return mac

    def flaw(self, record: bytes, mac: bytes | None) -> str | None:
        """Why nobody vouches for a record, in words; None when this user's key does."""
        if mac is None or len(mac) != MAC_BYTES:
            return NOBODY
        begun = self._states.get(mac[:-32])
        if begun is None:
            return self._flaw_of_older(record, mac)
        state = begun.copy()
        state.update(record)
        return None if compare_digest(state.digest(), mac[-32:]) else CHANGED

    def _flaw_of_older(self, record: bytes, mac: bytes) -> str | None:
        """As `flaw`, for what another key or format 2 signed."""
        known = self._older.get(mac[:-32])
        if known is None:
            return f"was signed by key {mac[1:-32].hex()}, which is not yours"
        key, about = known
        return None if compare_digest(_hmac(key, about + record), mac[-32:]) else CHANGED


def _begun(key: bytes, place: bytes) -> Any:
    """The hash state of a key and a place: copying it saves most of the work for a short record."""
    return blake2b(place, key=key, digest_size=32, person=_PERSON)


def _hmac(key: bytes, record: bytes) -> bytes:
    """The MAC of formats 1 and 2."""
    import hmac  # for stores of earlier versions

    return hmac.digest(key, record, "sha256")


class KeySigner:
    """The `Signer` of values: signs with `key`, verifies with it and with the `older` ones."""

    def __init__(self, key: bytes, *, namespace: str = "", older: Sequence[bytes] = ()) -> None:
        for known in (*older, key):
            if len(known) != KEY_BYTES:
                raise StoreError(f"the signing key has {len(known)} bytes, {KEY_BYTES} are needed")
        self._id = bytes.fromhex(key_id(key))
        self._namespace = namespace
        self._keys = {bytes.fromhex(key_id(known)): known for known in (*older, key)}

    @property
    def key_id(self) -> str:
        """Name of the key that new values are signed with."""
        return self._id.hex()

    def voucher(self, domain: str, request: str = "") -> KeyVoucher:
        """What vouches for the records of a domain, as `call`, and of one request."""
        parts = [part.encode() for part in (self._namespace, domain, request)]
        return KeyVoucher(self._keys, self._id, b"".join(b" %d:%b" % (len(part), part) for part in parts) + b"|")

    def verify(self, context: Context, codec: str, data: bytes, mac: bytes) -> None:
        """Raises `DeserializationError` when a value of format 1 is not what this user's key signed for this place."""
        key = self._keys.get(mac[:KEY_ID_BYTES])
        if key is None:
            raise DeserializationError(_foreign(context, mac))
        request, identity, attempt = context
        said = (
            f"jupyter-durable 1 {len(self._namespace)}:{self._namespace}"
            f"|{len(request)}:{request}|{identity}|{attempt}|{len(codec)}:{codec}|{len(data)}|"
        )
        if not compare_digest(_hmac(key, said.encode() + data), mac[KEY_ID_BYTES:]):
            raise DeserializationError(_damaged(context))


def _what(context: Context) -> str:
    if not context.identity:
        return f"the input or code of request {context.request}" if context.request != "code" else "the code snapshot"
    return f"the value of call {context.identity} of request {context.request}"


def _foreign(context: Context, mac: bytes) -> str:
    by = f"key {mac[:KEY_ID_BYTES].hex()}, which is not yours" if mac else "nobody"
    return (
        f"{_what(context)} was signed by {by}, so it is not loaded. "
        "If you trust whoever wrote this store, get that user's key file: `%durable trust PATH_OF_KEY`"
    )


def _damaged(context: Context) -> str:
    return (
        f"{_what(context)} does not match its signature: it was damaged or changed outside of jupyter_durable, so it "
        "is not loaded. Replay the request with rerun= that call, which makes the value anew"
    )


class KeyFile:
    """The signing keys of a user: 32 random bytes each, newest first, mode 0600 in a directory of mode 0700."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keys(self) -> tuple[bytes, ...]:
        """All keys, newest first; the first one is made when there is no file.

        Raises `StoreError` when it is no file, is damaged, belongs to somebody else, others may read it, or it cannot
        be made.
        """
        if not os.path.lexists(self.path):
            self._create(os.urandom(KEY_BYTES))
        return self._read()

    def existing(self) -> tuple[bytes, ...]:
        """As `keys`, and none is made. Raises `StoreError`."""
        return self._read()

    def keep(self, keys: Sequence[bytes]) -> None:
        """Have these keys in the file, after those that are there. Raises `StoreError`."""
        if not os.path.lexists(self.path):
            self._create(b"".join(keys))
        own = self._read()
        missing = [key for key in keys if key not in own]
        if missing:
            self._replace(b"".join((*own, *missing)))

    def signer(self, namespace: str = "") -> KeySigner:
        """Signs with the newest key, verifies with all."""
        newest, *older = self.keys()
        return KeySigner(newest, namespace=namespace, older=older)

    def rotate(self) -> str:
        """Put a new key before the others; its id. What was signed before still verifies."""
        key = os.urandom(KEY_BYTES)
        self._replace(key + b"".join(self.keys()))
        return key_id(key)

    def adopt(self, key: bytes) -> str:
        """Sign with this key from now on; its id. What was signed before still verifies."""
        own = self._read() if os.path.lexists(self.path) else ()
        data = key + b"".join(each for each in own if each != key)
        if own:
            self._replace(data)
        else:
            self._create(data)
        return key_id(key)

    def trust(self, other: Path) -> tuple[str, ...]:
        """Verify with the keys of another key file from now on, too; their ids. New values keep this user's own key.

        Raises `StoreError` when the other file is missing, damaged or can be read by others.
        """
        own = self.keys()
        added = [key for key in _keys_in(other) if key not in own]
        if added:
            self._replace(b"".join((*own, *added)))
        return tuple(key_id(key) for key in added)

    def _create(self, data: bytes) -> None:
        """Write beside, then link: a second process, or a crash, never sees half a key."""
        try:
            make_folder(self.path.parent)
            written = self._write(data)
            try:
                # Exclusive like O_EXCL: who comes second uses the key of the first.
                with contextlib.suppress(FileExistsError):
                    os.link(written, self.path)
            finally:
                written.unlink()
            sync_directory(self.path.parent)
        except OSError as error:
            raise self._not_written(error) from error

    def _replace(self, data: bytes) -> None:
        try:
            os.replace(self._write(data), self.path)
            sync_directory(self.path.parent)
        except OSError as error:
            raise self._not_written(error) from error

    def _not_written(self, error: OSError) -> StoreError:
        return StoreError(
            f"the signing key {self.path} cannot be written: {error.strerror or error}; {remedy(error)}. Without it no "
            "value is stored"
        )

    def _write(self, data: bytes) -> Path:
        _check_directory(self.path.parent)
        beside = self.path.with_name(f".{self.path.name}.{os.urandom(8).hex()}")
        descriptor = new_file(beside)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
        except OSError:  # half a key is none
            beside.unlink()
            raise
        return beside

    def _read(self) -> tuple[bytes, ...]:
        _check_directory(self.path.parent)
        return _keys_in(self.path)


def _keys_in(path: Path) -> tuple[bytes, ...]:
    try:
        descriptor = open_file(path, links=False)
        with os.fdopen(descriptor, "rb") as file:
            _check_file(path, os.fstat(descriptor))
            data = file.read(_MOST_BYTES + 1)
    except NotRegular as error:
        raise StoreError(
            f"the signing key {path} cannot be read: {error.strerror}. Put the key's own file there, or move aside "
            "what stands there: a new key is made, and values signed so far need `%durable trust`"
        ) from error
    except OSError as error:
        raise StoreError(
            f"the signing key {path} cannot be read: {error.strerror or error}; {remedy(error)}"
        ) from error
    if not data or len(data) % KEY_BYTES or len(data) > _MOST_BYTES:
        found = f"{len(data)} bytes" if len(data) <= _MOST_BYTES else "too many bytes"
        raise StoreError(
            f"the signing key {path} is damaged ({found}). Put it back from a backup, or move it "
            "aside: a new one is made, and values signed so far need `%durable trust`"
        )
    return tuple(data[start : start + KEY_BYTES] for start in range(0, len(data), KEY_BYTES))


def _check_file(path: Path, status: os.stat_result) -> None:
    if not hasattr(os, "geteuid"):
        return
    if status.st_uid != os.geteuid():
        raise StoreError(f"the signing key {path} belongs to user {status.st_uid}, not to you: it is not used")
    if status.st_mode & 0o077:
        raise StoreError(
            f"others can read the signing key {path}, so it proves nothing. If they did not: `chmod 600 {path}`"
        )


def _check_directory(path: Path) -> None:
    if not hasattr(os, "geteuid"):
        return
    try:
        status = path.stat()
    except OSError as error:
        raise StoreError(
            f"the directory {path} of the signing key cannot be read: {error.strerror or error}; {remedy(error)}"
        ) from error
    if status.st_uid != os.geteuid():
        raise StoreError(f"the directory {path} of the signing key belongs to user {status.st_uid}, not to you")
    if status.st_mode & 0o022:
        raise StoreError(f"others can write the directory {path} of the signing key: `chmod 700 {path}`")
