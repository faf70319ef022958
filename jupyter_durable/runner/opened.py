"""Which files a call reads: noted while it runs, kept with its outcome, compared when it is served.

Rules of this file
- What Python code opens is heard (`hearing`). Native readers (Parquet, polars, DuckDB) are not, so arguments that are
  existing paths count as read.
- What a call wrote, moved or removed itself is no input of it. Nor are the files of the interpreter, of installed
  packages, of caches and of the store, nor devices and directories.
- A file is looked at when it is opened, before it is read: what changes it later is a change. Small files are hashed
  when the call has ended, so that a touch is none.
- A file of the run's own time may be a temporary one: that it is gone is no change, other content is.
- A file that changed just before it was looked at may change again within one tick of its clock: there only the
  content decides.
- Kept bytes may be damaged: reading them never raises, and at worst something counts as changed.
"""

from __future__ import annotations

import functools
import itertools
import os
import site
import stat
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any, Final

from blake3 import blake3

from jupyter_durable.records import NamedTuple
from jupyter_durable.serializer.parts import FLAT

MOST: Final = 200
"""Files kept that a call read itself."""
MOST_BELOW: Final = 1000
"""Files kept that were read by the calls below it."""
HASHED_BYTES: Final = 1 << 20
"""A larger file is told by its size, time and inode alone."""
HASHED_BY_A_CALL: Final = 16 << 20
TICK_NS: Final = 2_000_000_000
"""The coarsest clock of a file system in use (FAT)."""
LONGEST_PATH: Final = 1024
LOOKED_THROUGH: Final = 1000
"""Texts of one list that are looked at."""

BELOW, ABSENT, MADE, FRESH = 1, 2, 4, 8
"""Read by a call below; not there when it was opened; changed since the run began; changed within the last tick."""
_ENTRY: Final = struct.Struct("<BqqQ16sH")
_EARLIEST, _LATEST = -(1 << 63), (1 << 63) - 1
"""Times that an entry can hold, the years 1677 and 2262; a file system can have others."""
_NO_DIGEST: Final = bytes(16)
_NO_PATHS: Final = FLAT - {str}


class Look(NamedTuple):
    """A file as it was."""

    size: int
    mtime_ns: int
    inode: int


_NOTHING: Final = Look(0, 0, 0)


class Seen(NamedTuple):
    """A file that a call read, as it was then."""

    flags: int
    look: Look
    digest: bytes
    """BLAKE3, 16 bytes; zeros where the content was not hashed."""
    path: str


class Opened:
    """What a running call opened. Its threads may open files side by side: each change is one operation."""

    __slots__ = ("below", "cut", "databases", "named", "read", "written")

    def __init__(self) -> None:
        self.read: dict[str, Look | None] = {}
        """As they were when they were opened; None: not there."""
        self.named: dict[str, Look] = {}
        """Arguments that are paths, as they were when the call began."""
        self.databases: dict[str, Look] = {}
        self.written: set[str] = set()
        self.below: dict[bytes, None] = {}
        """What is kept of the calls below."""
        self.cut = False

    def reads(self, path: str, *, by_name: bool) -> None:
        """A file is opened to be read; `by_name`: the path does not depend on an open directory."""
        if path in self.read:
            return
        if len(self.read) >= MOST:
            self.cut = True
            return
        look = _look(path)
        if look is not None or (by_name and _is_missing(path)):
            self.read[path] = look

    def connects(self, path: str) -> None:
        """A database is opened, to be read or written."""
        look = _look(path)
        if look is not None and len(self.databases) < MOST:
            self.databases.setdefault(path, look)

    def called(self, kept: bytes) -> None:
        """A call below has ended, or was served: what is kept of it."""
        if len(self.below) < MOST_BELOW:
            self.below[kept] = None
        else:
            self.cut = True

    def again(self) -> None:
        """Another attempt begins: what the failed one read has no part in the result."""
        self.read.clear()
        self.databases.clear()
        self.below.clear()


class Files:
    """What a run knows of files."""

    def __init__(self, store_url: str) -> None:
        self.ignored = (*_never_inputs(), store_url.removeprefix("sqlite:///"))
        self._began = time.time_ns()  # the clock of files, whatever clock the run has
        self._digests: dict[tuple[str, Look], bytes] = {}

    def begun(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opened | None:
        """What a call reads that has these arguments, as far as they tell; None: they name no file."""
        for value in (*args, *kwargs.values()) if kwargs else args:  # of each call that executes: most name nothing
            kind = type(value)
            if kind not in _NO_PATHS and not (kind is str and "." not in value and os.sep not in value):
                return self._named(args, kwargs)
        return None

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opened | None:
        opened = None
        for path in _named(args, kwargs):
            look = _look(path)
            if look is not None and not path.startswith(self.ignored):
                opened = opened or Opened()
                opened.named[path] = look
                if len(opened.named) == MOST:
                    opened.cut = True
                    break
        return opened

    def kept(self, opened: Opened) -> bytes | None:
        """What is to be kept of a call that has succeeded; None when it read nothing."""
        below = {(seen.path, seen.look): seen for kept in list(opened.below) for seen in unpacked(kept)}
        own: dict[str, Seen] = {}
        budget = HASHED_BY_A_CALL
        for path, look in _inputs(opened):
            if path in opened.named and path not in opened.read and (path, look) in below:
                continue  # it was passed on: the call below read it
            if len(own) == MOST:
                opened.cut = True
                break
            seen = self._seen(path, look, budget)
            budget -= seen.look.size if seen.digest != _NO_DIGEST else 0
            own[path] = seen
        passed = [seen for (path, look), seen in below.items() if path not in opened.written and path not in own]
        opened.cut = opened.cut or len(passed) > MOST_BELOW
        own_and_below = *own.values(), *(seen._replace(flags=seen.flags | BELOW) for seen in passed[:MOST_BELOW])
        return b"".join(map(_packed, own_and_below)) or None

    def _seen(self, path: str, look: Look | None, budget: int) -> Seen:
        if look is None:
            return Seen(ABSENT, _NOTHING, _NO_DIGEST, path)
        flags = MADE * (look.mtime_ns >= self._began) | FRESH * (time.time_ns() - look.mtime_ns < TICK_NS)
        digest = _NO_DIGEST
        if look.size <= min(HASHED_BYTES, budget):
            known = None if flags & FRESH else self._digests.get((path, look))
            digest = known or _digest(path)
            if _look(path) != look:
                digest = _NO_DIGEST  # changed while the call ran: what it read is gone
            elif known is None and not flags & FRESH and len(self._digests) < MOST_BELOW:
                self._digests[path, look] = digest
        return Seen(flags, look, digest, path)


def changed_file(kept: bytes, *, below: bool) -> str | None:
    """The first file that is not as it was when a call read it; `below`: or when a call below it did."""
    for seen in unpacked(kept):
        if (below or not seen.flags & BELOW) and _has_changed(seen):
            return seen.path
    return None


def unpacked(kept: bytes) -> Iterator[Seen]:
    """The files in kept bytes."""
    at = 0
    while at + _ENTRY.size <= len(kept):
        flags, size, mtime_ns, inode, digest, length = _ENTRY.unpack_from(kept, at)
        at += _ENTRY.size
        yield Seen(flags, Look(size, mtime_ns, inode), digest, os.fsdecode(kept[at : at + length]))
        at += length


def _packed(seen: Seen) -> bytes:
    path = os.fsencode(seen.path)
    return _ENTRY.pack(seen.flags, *seen.look, seen.digest, len(path)) + path


def _has_changed(seen: Seen) -> bool:
    now = _look(seen.path)
    if seen.flags & ABSENT:
        return now is not None
    if now is None:
        return not (seen.flags & MADE and _is_missing(seen.path))
    if seen.digest == _NO_DIGEST or now.size != seen.look.size:
        return now != seen.look
    return (now != seen.look or bool(seen.flags & FRESH)) and _digest(seen.path) != seen.digest


def _inputs(opened: Opened) -> Iterator[tuple[str, Look | None]]:
    """What a call read and has not itself written, moved or removed."""
    for path, look in list(opened.read.items()):
        if path not in opened.written and (look is None or not _is_missing(path)):
            yield path, look
    for path, before in (*opened.databases.items(), *opened.named.items()):
        # Whoever writes natively, or through a connection, is not heard: what looks different now, the call wrote.
        if path not in opened.written and path not in opened.read and _look(path) == before:
            yield path, before


def _look(path: str) -> Look | None:
    """A regular file as it is now; None when there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: a text that can be no path
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Look(found.st_size, max(_EARLIEST, min(found.st_mtime_ns, _LATEST)), found.st_ino)


def _is_missing(path: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _digest(path: str) -> bytes:
    """Over the content of a file of at most `HASHED_BYTES`; zeros when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return blake3(file.read(HASHED_BYTES + 1)).digest(16)
    except OSError:
        return _NO_DIGEST


def _named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[str]:
    """Absolute paths among the arguments and in their containers: `Path`s, and texts that look like one."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        kind = type(value)
        if kind is str:
            given: Iterable[Any] = (value,)
        elif kind is list or kind is tuple or kind is set or kind is frozenset:
            given = value
        elif kind is dict:
            given = value.values()
        elif isinstance(value, PurePath):
            given = (value,)
        else:
            continue
        for each in itertools.islice(given, LOOKED_THROUGH):
            text = each if type(each) is str else str(each) if isinstance(each, PurePath) else ""
            if text and len(text) <= LONGEST_PATH and _like_a_path(text):
                yield os.path.abspath(text)


def _like_a_path(text: str) -> bool:
    """Whether it is worth a look at the disk: a text has a separator or an ending, and stands in one line."""
    return (os.sep in text or "." in text[-16:-1]) and "\n" not in text and "://" not in text


@functools.cache
def _never_inputs() -> tuple[str, ...]:
    """What paths begin with that are inputs of no call."""
    folders = [os.path.dirname(os.__file__), *site.getsitepackages(), site.getusersitepackages()]
    folders += [os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "/usr/share/zoneinfo"]
    folders += ["/proc", "/sys", "/dev"]
    found = {form(folder) for folder in folders if folder for form in (os.path.abspath, os.path.realpath)}
    return tuple(sorted(folder + os.sep for folder in found if folder != os.sep))


__all__ = ["MOST", "MOST_BELOW", "Files", "Opened", "changed_file"]
