"""How the files of a store come to be, before SQLite opens them.

Rules of this file
- A store is private: its file has mode 0600, a folder made for it 0700, from the first moment on.
- A store that is there is neither opened nor written here: another thread may use it, and POSIX locks would be lost.
- Of several processes that make the same store one is first, and its file is the one that stays.
"""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_durable.errors import StoreError
from jupyter_durable.files import kind_of, locked_folder, make_folder, new_file, remedy


def make_private(path: Path) -> None:
    """Make the file with mode 0600 and its directory with 0700, without opening a file another thread may use."""
    try:
        path = Path(os.path.realpath(path))  # a link to where nothing is yet
        make_folder(path.parent)
        _expect_files(path)
        if not path.exists():
            with locked_folder(path.parent):
                _create(path)
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
        new.unlink()


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
