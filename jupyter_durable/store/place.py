"""Whether the files of an open store still stand where they were opened.

Rules of this file
- A file is known by device and inode, as SQLite knows it. Only `stat` is used: opening a live file costs locks.
- What cannot be looked at (no permission, a server that does not answer) is not held to be gone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

Identity = tuple[int, int]
_OPEN_FILES: Final = Path("/proc/self/fd")
_ROLES: Final = {"-wal": "its write-ahead log", "-shm": "the index of its log"}


def identity(path: str | Path) -> Identity | None:
    """Device and inode of what stands at a path; None for nothing. Raises `OSError` where that cannot be told."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


class Watched:
    """One path, and what stood there when it was first looked at."""

    def __init__(self, path: str, role: str) -> None:
        self.path = path
        self.role = role
        self._then = self._now()

    def _now(self) -> Identity | None:
        try:
            return identity(self.path)
        except OSError:
            return getattr(self, "_then", None)

    def changed(self) -> str | None:
        """What happened to it, in words; None for nothing."""
        now = self._now()
        if now == self._then or self._then is None:
            return None
        return f"{self.role} {self.path} was {'replaced' if now else 'deleted or moved'}"

    def now_at(self) -> str | None:
        """Where the file is that this process has open, as far as the system says; "" when it has no name any more."""
        try:
            open_files = os.listdir(_OPEN_FILES)
        except OSError:
            return None
        for each in open_files:
            with contextlib.suppress(OSError):  # closed since
                found = os.stat(_OPEN_FILES / each)
                if (found.st_dev, found.st_ino) == self._then:
                    return os.readlink(_OPEN_FILES / each) if found.st_nlink else ""
        return None


class Place:
    """The files of a store as they were when it was opened. `beside`: endings of the names of those beside it.

    `more`: who says what happened to what else has to stand; may grow.
    """

    def __init__(self, path: Path, beside: Sequence[str], more: Sequence[Callable[[], str | None]]) -> None:
        self._path = str(path)
        self._real = os.path.realpath(path)
        self._file = Watched(self._path, "the store")
        self._beside = [Watched(self._real + ending, _ROLES[ending]) for ending in beside]
        self._more = more

    def changed(self) -> str | None:
        """What happened to the files since, in words; None for nothing."""
        if self._file.changed() is not None:
            return self._what_happened()
        for each in self._beside:
            if (text := each.changed()) is not None:
                return f"{text} while the store {self._path} was in use"
        return next((text for look in self._more if (text := look()) is not None), None)

    def now_at(self) -> str | None:
        """Where the file of the store is now; "" when it has no name any more, None where that is not known."""
        return self._file.now_at()

    def _what_happened(self) -> str:
        where, path = self._file.now_at(), self._path
        leads = os.path.realpath(path)
        if leads != self._real and os.path.lexists(path):
            return f"{path} leads to {leads} now, the store that is in use is {where or self._real}"
        there = f"; the one that is open here is {where} now" if where else ""
        if os.path.lexists(path):
            return f"the store {path} was replaced by another file while it was in use{there}"
        if where:
            return f"the store {path} was moved to {where} while it was in use"
        return f"the store {path} was {'deleted' if where == '' else 'deleted or moved'} while it was in use"
