"""What every reader and writer of files needs, and no library gives.

Rules of this file
- What we make is for this user alone, whatever the umask: folders 0700, files 0600. What is there already is the
  user's, and stays as it is.
- Nothing is opened to be read but files: a pipe would make us wait, and to open a device may do something.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_KINDS: Final = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_REMEDIES: Final = {
    **dict.fromkeys(_FULL, "free some space"),
    errno.EMFILE: "close some files, or raise the limit of open files (ulimit -n)",
    errno.ENFILE: "the whole machine has too many open files: close some",
    errno.EROFS: "it is on a read-only file system: choose another place",
    errno.EACCES: "check the permissions",
    errno.EPERM: "check the permissions",
    errno.EEXIST: "move aside what stands there",
    errno.ENOTDIR: "move aside what stands there",
    errno.EISDIR: "move aside what stands there",
    errno.ELOOP: "move aside what stands there",
    errno.EINVAL: "move aside what stands there",
    errno.ENOENT: "put back what is missing",
}


class NotRegular(OSError):
    """Something else stands where a file is expected."""


def kind_of(mode: int) -> str | None:
    """What an `st_mode` stands for, in words; None for a file."""
    return next((word for test, word in _KINDS if test(mode)), None)


def remedy(error: OSError) -> str:
    """What to do about an error of the system, in words."""
    return _REMEDIES.get(error.errno or 0, "check the disk")


def sync_directory(path: Path) -> None:
    """Make names that were added to a directory, or changed in it, survive a power loss. Raises `OSError`."""
    if os.name == "nt":  # directories cannot be opened there, and their entries are written through
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder where there is none, and those above it that are missing; their names survive a power loss.

    Raises `OSError`.
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        os.chmod(path, 0o700)  # the umask may have taken rights of ours
        sync_directory(path.parent)


@contextlib.contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Nobody else who asks so makes files there meanwhile; where folders cannot be locked nobody is kept away."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def new_file(path: Path, flags: int = os.O_EXCL | os.O_RDWR) -> int:
    """The descriptor of a file that is made here. Raises `OSError`, also when it is there already (`O_EXCL`)."""
    descriptor = os.open(path, os.O_CREAT | flags | getattr(os, "O_BINARY", 0), 0o600)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, 0o600)
    return descriptor


def open_file(path: Path, *, links: bool = True) -> int:
    """The descriptor of a file, to be read; never waits. `links`: a link to it will do.

    Raises `NotRegular` for what is no file, else `OSError`.
    """
    _expect_file(path, (os.stat if links else os.lstat)(path))
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags | (0 if links else getattr(os, "O_NOFOLLOW", 0)))
    try:
        _expect_file(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _expect_file(path: Path, found: os.stat_result) -> None:
    kind = kind_of(found.st_mode)
    if kind is not None:
        raise NotRegular(errno.EINVAL, f"it is {kind}, not a file", str(path))
