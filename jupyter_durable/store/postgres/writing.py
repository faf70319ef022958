"""Writes of a journal as statements, inside a transaction that the caller began.

Rules of this file
- What only tells is never the reason why what was written with it fails: its texts are made storable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

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
from jupyter_durable.store.postgres import statements
from jupyter_durable.store.postgres.statements import storable
from jupyter_durable.store.postgres.transactions import Transaction


def lost(transaction: Transaction, fence: Fence) -> LeaseLost | None:
    """Whether another one owns the request now. Its row stays as it is until the transaction ends."""
    held = transaction.execute(statements.FENCES, ([fence.serial],)).fetchone()
    if held is not None and held[1] == fence.epoch:
        return None
    found = transaction.execute("SELECT host, pid FROM request WHERE serial = %s", (fence.serial,)).fetchone()
    return sql.owned_by(fence, found)


def refusal(transaction: Transaction, fence: Fence, row: CallRow) -> LeaseLost:
    """Why an outcome changed no row."""
    return lost(transaction, fence) or sql.settled(fence, row)


def record(transaction: Transaction, fence: Fence, row: CallRow) -> LeaseLost | None:
    """Write an outcome; why it was refused, or None."""
    changed = transaction.changed(statements.RECORD, (*row, fence.serial, fence.epoch))
    return None if changed == 1 else refusal(transaction, fence, row)


def is_there(transaction: Transaction, fence: Fence, row: CallRow) -> bool:
    """Whether exactly this outcome can be read back."""
    found = transaction.execute(statements.READ.call, (fence.serial, row.parent, row.identity)).fetchone()
    return found is not None and CallRow._make(found) == row


def write_all(transaction: Transaction, fence: Fence, writes: Sequence[Write]) -> None:
    """Send what needs no acknowledgement; nothing is written when the lease is lost."""
    for write in transaction.missing(writes):
        transaction.execute(*_statement((fence.serial, fence.epoch), write))


def _statement(fence: tuple[int, int], write: Write) -> tuple[str, tuple[object, ...]]:
    match write:
        case CallRow():
            return statements.MARK if write.status == "running" else statements.RECORD, (*write, *fence)
        case Reached():
            return statements.REACHED, (*write, *fence)
        case Attempted():
            return statements.ATTEMPTED, (*write, *fence)
        case Logged():
            return statements.LOGGED, (*write._replace(text=storable(write.text)), *fence)
        case Progressed():
            said = write._replace(message=storable(write.message), attributes=storable(write.attributes))
            return statements.PROGRESSED, (*said, *fence)
        case Metric():
            return statements.METRIC, (*write._replace(name=storable(write.name)), *fence)
        case ArgumentsDecide():
            return statements.DECIDED, (*write, *fence)
        case Dropped(parent, identity, mac):
            return statements.DROPPED, (mac, parent, identity, *fence)
    assert_never(write)
