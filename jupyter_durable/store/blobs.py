"""Large values, one file each, named by the BLAKE3 of the whole file.

Format: magic, length of the head, number of buffers, (offset, length) of each buffer, the head, then the buffers, each
at a multiple of 64 bytes. All numbers are 64 bits, little endian.

Rules of this file
- Durable on return: written under a temporary name, fsync, rename, fsync of the directory. Hashed by a second thread
  while this one writes.
- Nothing is handed out before its hash was checked. The head is copied out first and hashed from that copy: with a
  shared mapping another process could change opcodes after the check.
- A damaged file is moved aside, never deleted, so that writing the value again repairs it.
- From its writing to the commit of its row no row names a value: a sweep whose clock is a day ahead, or that ran while
  this process was stopped for as long, takes it. So its file is kept open until then, and `ensure`, asked in the
  transaction of the row, which keeps sweeps away, puts it back.
- File names are hex of hashes; nothing from outside becomes a path.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from blake3 import blake3

from jupyter_durable.errors import CheckpointError, DeserializationError, StoreError, StoreGone
from jupyter_durable.files import NotRegular, make_folder, new_file, open_file, remedy, sync_directory
from jupyter_durable.store.base import BlobLost, BlobRefused, Buffer
from jupyter_durable.store.place import Watched

_MAGIC: Final = b"JDBLOB1\n"
_START: Final = struct.Struct("<8sQQ")
_ENTRY: Final = struct.Struct("<QQ")
_ALIGN: Final = 64
_CHUNK: Final = 4 << 20
_MOST_HELD: Final = 64
"""Files kept open at most. What is swept beyond them before its row commits is an error, and not acknowledged."""
_SHARE_HELD: Final = 8
"""And no more than one in so many of what the process may open: the others are for its writers and for user code."""


class BlobFolder:
    """The blobs of one store. `path` is made, private, on first use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place: Watched | None = None
        self._held: OrderedDict[bytes, int] = OrderedDict()
        """Descriptors of values whose rows are not committed yet, oldest first."""
        self._holding = threading.Lock()

    def changed(self) -> str | None:
        """What happened to the folder since it was first seen, in words; None for nothing."""
        if self._place is None:
            if self.path.is_dir():
                self._place = Watched(str(self.path), "the folder of large values")
            return None
        return self._place.changed()

    def put(self, head: bytes, buffers: Sequence[Buffer]) -> bytes:
        """Write a value; the 32-byte hash that names it. Raises `BlobRefused`, which holds the value."""
        what = self.changed()
        if what is not None:
            gone = StoreGone(f"{what}. The result is kept in memory: put it back, and replay the request to go on")
            raise refused(gone, head, buffers)
        temporary = self.path / f"{os.urandom(16).hex()}.new"
        try:
            make_folder(self.path)
            try:
                key, held = _write(temporary, pieces(head, buffers))
                self._hold(key, held)
                target = self._file(key)
                make_folder(target.parent)
                with contextlib.suppress(FileNotFoundError):  # a sweep whose clock is ahead took it: see `ensure`
                    os.replace(temporary, target)
                sync_directory(target.parent)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            failure = CheckpointError(
                f"a large value could not be written to {self.path}: {error.strerror or error}; {remedy(error)}."
                " The result is kept in memory; replay the request to go on"
            )
            raise refused(failure, head, buffers) from error
        if self._place is None:
            self.changed()  # seen from now on
        return key

    def _hold(self, key: bytes, descriptor: int) -> None:
        with self._holding:
            left = [self._held.pop(key, None)]
            self._held[key] = descriptor
            while len(self._held) > _most_held():
                left.append(self._held.popitem(last=False)[1])
        _close(left)

    def ensure(self, key: bytes) -> None:
        """The value of a row that is about to commit is there; put back where it was swept since it was written.

        The caller holds the write lock of the store. Raises `BlobLost`.
        """
        import shutil

        target = self._file(key)
        if target.exists():
            return
        with self._holding:
            descriptor = self._held.get(key)
            if descriptor is None:
                raise BlobLost(
                    f"the large value {target} was removed before its result was recorded, so it is not: replay the "
                    "request, which executes the call again"
                )
            temporary = self.path / f"{os.urandom(16).hex()}.new"
            try:
                make_folder(target.parent)
                os.lseek(descriptor, 0, os.SEEK_SET)
                with os.fdopen(os.dup(descriptor), "rb") as old, os.fdopen(new_file(temporary), "wb") as new:
                    shutil.copyfileobj(old, new, _CHUNK)
                    new.flush()
                    os.fsync(new.fileno())
                os.replace(temporary, target)
                sync_directory(target.parent)
            except OSError as error:
                temporary.unlink(missing_ok=True)
                raise CheckpointError(
                    f"the large value {target} was removed before its result was recorded, and could not be written "
                    f"again: {error.strerror or error}; {remedy(error)}. Replay the request to go on"
                ) from error

    def release(self, key: bytes) -> None:
        """The row that names a value is durable: no sweep takes it any more."""
        with self._holding:
            left = self._held.pop(key, None)
        _close([left])

    def close(self) -> None:
        """Let go of all."""
        with self._holding:
            left = list(self._held.values())
            self._held.clear()
        _close(left)

    def get(self, key: bytes) -> tuple[bytes, list[memoryview]]:
        """Head and buffers (writable, copy on write). Raises `DeserializationError`."""
        import mmap

        path = self._file(key)
        try:
            descriptor = open_file(path)
            try:
                mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            raise DeserializationError(
                f"the value {path} is missing from the store; run the call again (rerun=) to make it anew"
            ) from None
        except (NotRegular, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise self._damaged(path) from error
        except OSError as error:
            raise DeserializationError(
                f"the value {path} cannot be read: {error.strerror or error}; {remedy(error)}"
            ) from error
        found = checked(memoryview(mapped), key)
        if found is None:
            raise self._damaged(path)
        return found

    def take(self, keys: Sequence[bytes], homes: Sequence[Path]) -> int:
        """Copy large values from the first of other folders that has them; how many were found. Raises `OSError`."""
        import shutil

        found = 0
        for key in keys:
            target = self._file(key)
            source = next((each for home in homes if (each := BlobFolder(home)._file(key)).is_file()), None)
            if source is None:
                continue
            make_folder(target.parent)
            with os.fdopen(open_file(source), "rb") as old, os.fdopen(new_file(target), "wb") as new:
                shutil.copyfileobj(old, new, _CHUNK)
                new.flush()
                os.fsync(new.fileno())
            sync_directory(target.parent)
            found += 1
        return found

    def files(self) -> Iterator[tuple[Path, int, float]]:
        """Every file of the folder: path, bytes, time of the last change (Unix seconds)."""
        for folder, _, names in os.walk(self.path):
            for name in names:
                path = Path(folder, name)
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    continue
                yield path, stat.st_size, stat.st_mtime

    def discard(self, path: Path, before: float) -> bool:
        """Remove a file that was last written `before` (Unix seconds); whether it was.

        A call may write the same value again after the file was listed: then it stays, for the row that is to name it.
        """
        aside = path.with_name(path.name + ".swept")
        try:
            os.replace(path, aside)
        except FileNotFoundError:
            return False
        if aside.stat().st_mtime >= before:
            os.replace(aside, path)  # whatever is there by now has the same bytes: its name is their hash
            return False
        aside.unlink()
        return True

    def has(self, key: bytes) -> bool:
        return self._file(key).exists()

    def _file(self, key: bytes) -> Path:
        name = key.hex()
        return self.path / name[:2] / name

    def _damaged(self, path: Path) -> DeserializationError:
        aside = path.with_name(path.name + ".damaged")
        try:
            os.replace(path, aside)
        except OSError as error:
            return DeserializationError(f"the value {path} is damaged, and could not be moved aside: {error}")
        return DeserializationError(
            f"the value {path} is damaged; it was moved to {aside.name}. Run the call again (rerun=) to make it anew"
        )


def _most_held() -> int:
    """Files that may be kept open: the limit of the process (`ulimit -n`) is 64 in some places."""
    if sys.platform == "win32":
        return _MOST_HELD
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_HELD if soft == resource.RLIM_INFINITY else min(_MOST_HELD, soft // _SHARE_HELD)


def _close(descriptors: Iterable[int | None]) -> None:
    for descriptor in descriptors:
        if descriptor is not None:
            os.close(descriptor)


def refused(reason: StoreError, head: bytes, buffers: Sequence[Buffer]) -> BlobRefused:
    copies = [bytes(buffer) for buffer in buffers]
    hasher = blake3()
    for piece in pieces(head, copies):
        hasher.update(piece)
    return BlobRefused(reason, hasher.digest(), head, copies)


def pieces(head: bytes, buffers: Sequence[Buffer]) -> list[memoryview]:
    """The file as a list of memory pieces; no buffer is copied."""
    flat = [memoryview(b).cast("B") if memoryview(b).nbytes else memoryview(b"") for b in buffers]
    at = _START.size + _ENTRY.size * len(flat) + len(head)
    prefix = bytearray(_START.pack(_MAGIC, len(head), len(flat)))
    padded: list[memoryview] = []
    for buffer in flat:
        gap = -at % _ALIGN
        prefix += _ENTRY.pack(at + gap, len(buffer))
        padded += [memoryview(bytes(gap)), buffer]
        at += gap + len(buffer)
    return [memoryview(bytes(prefix) + head), *padded]


def _write(path: Path, pieces: list[memoryview]) -> tuple[bytes, int]:
    """Digest and descriptor: write and fsync `pieces`, hashed meanwhile (both let go of the interpreter's lock)."""
    hasher = blake3()

    def hash_all() -> None:
        for piece in pieces:
            hasher.update(piece)

    thread = threading.Thread(target=hash_all, name="jupyter-durable-hash", daemon=True)
    descriptor = new_file(path)
    try:
        thread.start()
        try:
            _reserve(descriptor, sum(map(len, pieces)))
            for piece in pieces:
                _write_all(descriptor, piece)
            os.fsync(descriptor)
        finally:
            thread.join()
    except BaseException:
        os.close(descriptor)
        raise
    return hasher.digest(), descriptor


def _reserve(descriptor: int, size: int) -> None:
    """Give a large file its blocks at once: 5 to 10 % off write and fsync at 10 MB, and a full disk is seen first."""
    if size < _CHUNK or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # the file system cannot: it was only to be quicker
            raise


def _write_all(descriptor: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece[:_CHUNK]) :]


def checked(data: memoryview, key: bytes) -> tuple[bytes, list[memoryview]] | None:
    """Head and buffers of a file whose hash is `key`; None when it is not."""
    if len(data) < _START.size:
        return None
    magic, head_length, count = _START.unpack(bytes(data[: _START.size]))
    end = _START.size + _ENTRY.size * count + head_length
    if magic != _MAGIC or end > len(data):
        return None
    prefix = bytes(data[:end])
    hasher = blake3(prefix)
    hasher.update(data[end:])
    if hasher.digest() != key:
        return None
    # Parsed from the copy that was hashed, never from the mapping.
    _, head_length, count = _START.unpack_from(prefix)
    table = _ENTRY.iter_unpack(prefix[_START.size : _START.size + _ENTRY.size * count])
    return prefix[end - head_length :], [data[offset : offset + length] for offset, length in table]
