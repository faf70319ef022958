"""Waiting for the file while another process holds it.

Rules of this file
- A process that was stopped in the middle of a commit, or that commits slowly, holds up everybody else. It is waited
  for while it lives, `LIVING_SECONDS` at most: a run that waits is not lost. What holds the file unseen, as another
  machine does, is waited for `UNSEEN_SECONDS`, another connection of this process `OWN_SECONDS`.
- SQLite waits `SLICE_SECONDS` at most, then we look, and try again. In between the lock of the connection is free.
- Who holds the file is read from the kernel's table of locks; to open the files would lose our own locks (`link`).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_durable.store.sqlite.faults import code_of

if TYPE_CHECKING:
    import logging

SLICE_SECONDS: Final = 1.0
TELL_SECONDS: Final = 2.0
"""From then on it is said who is waited for."""
LIVING_SECONDS: Final = 600.0
UNSEEN_SECONDS: Final = 30.0
OWN_SECONDS: Final = 5.0
LOCKS: Final = Path("/proc/locks")
_WAL_BYTES: Final = range(120, 123)
"""In the index of the WAL: to write, to checkpoint, to recover."""
_FILE_BYTES: Final = 0x4000_0000
"""In the file itself, where there is no WAL: from here on."""
Tell = Callable[[str], None]


def logger(name: str) -> logging.Logger:
    """Where is said what nobody else is told."""
    import logging  # it takes as long as fifteen of our files, and as a rule there is nothing to say

    return logging.getLogger(name)


def log(text: str) -> None:
    """Tells whoever reads the log."""
    logger(__name__).warning("%s", text)


def holders(path: Path) -> list[int]:
    """The numbers of the processes that keep others from writing the store; none where that is not known."""
    try:
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return []
    files = {_inode(path): range(_FILE_BYTES, _FILE_BYTES + 512), _inode(_index_of(path)): _WAL_BYTES}
    return sorted({pid for line in lines for pid in _holding(line, files)})


def _index_of(path: Path) -> Path:
    return path.with_name(path.name + "-shm")


def _inode(path: Path) -> str:
    try:
        return str(path.stat().st_ino)
    except OSError:
        return ""


def _holding(line: str, files: dict[str, range]) -> list[int]:
    """`1: POSIX  ADVISORY  WRITE 8306 fe:00:2293837 120 120`: the process, when it is one that holds our file."""
    fields = line.split()
    if len(fields) < 8 or fields[1] != "POSIX" or fields[3] != "WRITE":
        return []
    region = files.get(fields[5].rpartition(":")[2])
    if region is None or not fields[4].isdigit() or int(fields[6]) not in region:
        return []
    return [int(fields[4])]


class Patience:
    """How long one piece of work that found the file locked is tried again. `most`: seconds, whoever holds it."""

    def __init__(self, path: Path, tell: Tell, most: float = LIVING_SECONDS) -> None:
        self._path = path
        self._most = most
        self._tell = tell
        self._began = time.monotonic()
        self._told = False

    def _since(self) -> str:
        return time.strftime("%H:%M:%S", time.localtime(time.time() - (time.monotonic() - self._began)))

    def again(self, error: BaseException) -> bool:
        """Whether to try again after `error`."""
        if code_of(error) != sqlite3.SQLITE_BUSY:
            return False
        waited = time.monotonic() - self._began
        found = holders(self._path)
        others = [pid for pid in found if pid not in (0, os.getpid())]
        if waited > TELL_SECONDS and not self._told:
            self._told = True
            self._say(others)
        longest = LIVING_SECONDS if others else OWN_SECONDS if os.getpid() in found else UNSEEN_SECONDS
        return waited < min(self._most, longest)

    def _say(self, others: list[int]) -> None:
        who = " and ".join(map(described, others)) or "another process"
        try:
            self._tell(f"waiting for {who} to let go of the store {self._path}, held since {self._since()} or earlier")
        except Exception:  # noqa: BLE001 - the log says it
            logger(__name__).exception("who was told that the store waits raised")

    def over(self, error: BaseException) -> BaseException:
        """`error`, with who holds the file where that is known."""
        others = holders(self._path) if code_of(error) == sqlite3.SQLITE_BUSY else []
        if not others:
            return error
        named = sqlite3.OperationalError(
            f"{error}: held by {' and '.join(map(described, others))} since {self._since()} or earlier"
        )
        named.sqlite_errorcode = sqlite3.SQLITE_BUSY
        return named


def described(pid: int) -> str:
    """A process in words, with what lets it go on when it was stopped."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition(" (")[2].rpartition(") ")
    except OSError:
        return f"process {pid}"
    stopped = f", stopped: `kill -CONT {pid}` lets it go on" if rest[:1] in ("T", "t") else ""
    return f"process {pid} ({name}{stopped})"
