"""How the files of a store come to be, before SQLite opens them.

Rules of this file
- A store is private: its file has mode 0600, a folder made for it 0700, from the first moment on.
- A store that is there is neither opened nor written here: another thread may use it, and POSIX locks would be lost.
- Of several processes that make the same store one is first, and its file is the one that stays.
- A file of two names is not opened: SQLite keeps a log and its index beside each name, and each would spoil the other.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final

from jupyter_durable.errors import StoreError
from jupyter_durable.files import kind_of, locked_folder, make_folder, new_file, remedy

_MADE_AS: Final = r"[0-9a-f]{16}"
"""How the name of a new store ends while it is made."""


def make_private(path: Path) -> None:
    """Make the file with mode 0600 and its directory with 0700, without opening a file another thread may use."""
    try:
        path = Path(os.path.realpath(path))  # a link to where nothing is yet
        make_folder(path.parent)
        _expect_files(path)
        if not path.exists() or has_two_names(path):
            with locked_folder(path.parent):
                _create(path)
                _expect_one_name(path)
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be opened: {error.strerror or error}; {remedy(error)}, or choose another path"
        ) from error


def _create(path: Path) -> None:
    """Make the file, unless another process was first. The folder is locked."""
    if path.exists():
        return
    _put_aside(path)
    new = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    os.close(new_file(new))
    try:
        os.link(new, path)  # atomic, and fails when another process was first
    except FileExistsError:
        pass
    except OSError:  # no hard links here
        os.close(new_file(path))
    finally:
        new.unlink(missing_ok=True)  # where folders cannot be locked another process may have cleared it away


def _expect_one_name(path: Path) -> None:
    """Raises `StoreError` for a hard link; what a process left that died while it made the store goes. The folder is
    locked."""
    beginning = f".{path.name}."
    for name in os.listdir(path.parent):
        if name.startswith(beginning) and re.fullmatch(_MADE_AS, name.removeprefix(beginning)):
            left = path.with_name(name)
            with contextlib.suppress(FileNotFoundError):
                if left.samefile(path):
                    left.unlink()
    if has_two_names(path):
        raise StoreError(f"{two_names(path)}. Nothing was opened")


def has_two_names(path: Path) -> bool:
    """Whether a hard link leads to a store."""
    return path.stat().st_nlink > 1


def two_names(path: Path) -> str:
    """What is said of a store that has."""
    return (
        f"the store {path} has another name, a hard link (`ln`, `cp -al`). SQLite keeps a log for each name, so what "
        f"is written under one is lost or damaged under the other. `find FOLDER -samefile {path}` finds it: make it a "
        "file of its own (`cp OTHER NEW && mv NEW OTHER`), or delete it where no OTHER-wal stands beside it"
    )


def _put_aside(path: Path) -> None:
    """A log without its store belongs to one that was taken away, and that somebody may still have open: a new store
    that shared its index would spoil both."""
    for ending in ("-wal", "-journal"):
        left = path.with_name(path.name + ending)
        if left.exists():
            left.rename(left.with_name(f"{left.name}.left-{os.urandom(4).hex()}"))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)  # made anew from a log


def _expect_files(path: Path) -> None:
    """Refuses what is no file where SQLite would open one: a pipe would make it wait. Raises `StoreError`."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        each = path.with_name(path.name + suffix)
        try:
            kind = kind_of(each.stat().st_mode)
        except FileNotFoundError:
            continue
        if kind is not None:
            raise StoreError(
                f"the store {path} cannot be opened: {each.name} is {kind}, not a file. "
                "Move it aside, or give the store another path"
            )


def why_read_only(path: Path) -> StoreError | None:
    """What is said of a store in a place that cannot be written; None where it can."""
    if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK):
        return None
    return StoreError(
        f"the store {path} is read-only here, and a store is written beside even while it is read. Nothing was "
        f"changed: copy {path.name}, and {path.name}-wal and {path.name}.blobs where they are, to a place that you "
        "can write, and use it there (configure(store=...))"
    )
