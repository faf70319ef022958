"""The key that this process signs with: whether its file still holds it, and how it is put back when it does not.

Rules of this file
- No lock is taken: the store's thread asks `changed`, while others may wait for it.
- A file that was rotated, or that trusts another key, is another file and still holds ours.
"""

from __future__ import annotations

import os
from typing import Final

from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.serializer.signing import KEY_BYTES, KeyFile, KeySigner

KEY_VARIABLE: Final = "JUPYTER_DURABLE_KEY"
"""Holds the key where no file does: in a container, in CI, on a colleague's machine."""
_Look = tuple[int, int, int, int]


def key_of(text: str, place: str) -> bytes:
    """A key as it is carried between machines. Raises `SDKUsageError`, which does not show it."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SDKUsageError(
            f"{place} holds no key: it is {2 * KEY_BYTES} hex digits, as `jupyter durable key export` prints"
        )
    return key


def carried(file: KeyFile) -> KeySigner | None:
    """What signs with the key of the environment, and verifies with those of the user's file, too; None without one."""
    text = os.environ.get(KEY_VARIABLE)
    if not text:
        return None
    older = file.existing() if os.path.lexists(file.path) else ()
    return KeySigner(key_of(text, KEY_VARIABLE), older=older)


class HeldKey:
    """The keys of a file as they were read. Raises what `KeyFile.keys` raises."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._keys = file.keys()
        self._seen = self._look()

    def signer(self) -> KeySigner:
        """Signs with the newest key, verifies with all."""
        newest, *older = self._keys
        return KeySigner(newest, older=older)

    def _look(self) -> _Look | None:
        try:
            found = os.lstat(self._file.path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:  # cannot be looked at: that says nothing
            return getattr(self, "_seen", None)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def changed(self) -> str | None:
        """What happened to the key that values are signed with, in words; None where its file holds it."""
        now = self._look()
        if now == self._seen:
            return None
        then = "while it was in use, and what is signed with it could not be loaded later"
        if now is None:
            return f"the signing key {self._file.path} was deleted or moved {then}"
        try:
            there = self._file.existing()
        except StoreError as error:
            return f"the signing key was changed {then}: {error}"
        if self._keys[0] not in there:
            return f"the signing key {self._file.path} was replaced by another one {then}"
        self._seen = now
        return None

    def keep(self) -> bool:
        """Put the keys back where their file lacks them; whether it did. Raises `StoreError`."""
        if self.changed() is None:
            return False
        self._file.keep(self._keys)
        return True


__all__ = ["KEY_VARIABLE", "HeldKey", "carried", "key_of"]
