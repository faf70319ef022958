"""Writes of a journal as statements, inside a transaction that the caller began.

Rules of this file
- Every function takes the cursor it writes with; none begins, commits or locks.
- What only tells is never the reason why what was written with it fails: its texts are made storable.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TypeAlias, assert_never

from jupyter_durable.core.model import (
    ArgumentsDecide,
    Attempted,
    CallRow,
    Dropped,
    Logged,
    Metric,
    Progressed,
    Reached,
    Write,
)
from jupyter_durable.errors import LeaseLost
from jupyter_durable.store import sql
from jupyter_durable.store.pending import Fence
from jupyter_durable.store.sqlite import statements
from jupyter_durable.store.sqlite.statements import storable

_Other: TypeAlias = Reached | Attempted | Logged | Progressed | Metric | ArgumentsDecide | Dropped


def record(cursor: sqlite3.Cursor, fence: Fence, row: CallRow) -> LeaseLost | None:
    """Write an outcome; why it was refused, or None."""
    cursor.execute(statements.RECORD, (*row, fence.serial, fence.epoch))
    return None if cursor.rowcount == 1 else refusal(cursor, fence, row)


def refusal(cursor: sqlite3.Cursor, fence: Fence, row: CallRow) -> LeaseLost:
    """Why an outcome changed no row."""
    return lost(cursor, fence) or sql.settled(fence, row)


def lost(cursor: sqlite3.Cursor, fence: Fence) -> LeaseLost | None:
    """Whether another one owns the request now."""
    if cursor.execute(statements.FENCE, (fence.serial, fence.epoch)).fetchone() is not None:
        return None
    found = cursor.execute("SELECT host, pid FROM request WHERE serial = ?", (fence.serial,)).fetchone()
    return sql.owned_by(fence, found)


def is_there(cursor: sqlite3.Cursor, fence: Fence, row: CallRow) -> bool:
    """Whether exactly this outcome can be read back."""
    found = cursor.execute(statements.READ.call, (fence.serial, row.parent, row.identity)).fetchone()
    return found is not None and CallRow._make(found) == row


def write_all(cursor: sqlite3.Cursor, fence: Fence, writes: Iterable[Write]) -> None:
    """Write what needs no acknowledgement. The caller has checked the fence in this transaction."""
    for write in writes:
        if isinstance(write, CallRow):
            text = statements.MARK if write.status == "running" else statements.RECORD
            cursor.execute(text, (*write, fence.serial, fence.epoch))
        else:
            cursor.execute(*_statement(fence.serial, write))


def _statement(serial: int, write: _Other) -> tuple[str, tuple[object, ...] | dict[str, object]]:
    match write:
        case Reached():
            return statements.REACHED, (serial, *write)
        case Attempted():
            return statements.ATTEMPTED, (serial, *write)
        case Logged():
            return statements.LOGGED, (serial, *write._replace(text=storable(write.text)))
        case Progressed():
            said = write._replace(message=storable(write.message), attributes=storable(write.attributes))
            return statements.PROGRESSED, (serial, *said)
        case Metric():
            return statements.METRIC, (serial, *write._replace(name=storable(write.name)))
        case ArgumentsDecide():
            return statements.DECIDED, (serial, *write)
        case Dropped():
            return statements.DROPPED, {"request": serial, **write._asdict()}
    assert_never(write)
