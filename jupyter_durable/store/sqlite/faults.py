"""What SQLite's errors mean to us, in words that name the file and the remedy.

Rules of this file
- A write that failed is a `CheckpointError`: the result is still in memory and can be recorded again.
- A file that cannot be trusted is a `StoreError`; it is never deleted and never moved by us.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from jupyter_durable.errors import CheckpointError, StoreError

FAULTS: Final = (sqlite3.Error, OverflowError, ValueError, TypeError)
"""What a statement of ours can raise: SQLite's errors, and Python's about a parameter that SQLite cannot hold."""

_REASONS: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "the file or its directory is read-only; make it writable",
    sqlite3.SQLITE_IOERR: "the disk reported an input/output error; check the disk, its space and its quota",
    sqlite3.SQLITE_BUSY: "another process keeps the store locked; let it go on, or end it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that it is there, its permissions, the limit of open files",
    sqlite3.SQLITE_PERM: "access was denied; check the permissions",
}
_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
PASSING: Final = frozenset(_REASONS)
"""Errors of the surroundings: the same write can succeed later."""


def code_of(error: BaseException) -> int:
    """The primary SQLite result code, 0 when the error is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_io_error(error: BaseException) -> bool:
    return code_of(error) == sqlite3.SQLITE_IOERR


def broken(path: str, error: BaseException) -> StoreError:
    return StoreError(
        f"the store {path} is damaged or is not a store ({error}). Nothing was changed or deleted: move the file aside"
        f" (with {path}-wal and {path}-shm) to start with an empty one, or look at it with `jupyter durable doctor`"
    )


def write_failed(path: str, error: BaseException) -> StoreError:
    """The error for whoever waits for a write."""
    if isinstance(error, StoreError):
        return error
    code = code_of(error)
    if code in _BROKEN:
        return broken(path, error)
    too_long = code == sqlite3.SQLITE_INTERRUPT
    reason = _REASONS.get(code, "it took too long and was given up" if too_long else "the value cannot be written")
    failure = CheckpointError(
        f"the checkpoint could not be written to {path}: {reason} ({error})."
        " The result is kept in memory; replay the request to go on"
    )
    failure.__cause__ = error
    return failure


def read_failed(path: str, error: BaseException) -> StoreError:
    """The error for whoever reads. SQLite quotes damaged names in its messages, which then are no UTF-8 for Python."""
    if isinstance(error, StoreError):
        return error
    if code_of(error) in _BROKEN or isinstance(error, UnicodeDecodeError):
        return broken(path, error)
    failure = StoreError(f"the store {path} cannot be read: {_REASONS.get(code_of(error), 'unexpected')} ({error})")
    failure.__cause__ = error
    return failure
