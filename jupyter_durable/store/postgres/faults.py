"""What PostgreSQL's errors mean to us, in words that name the store and the remedy.

Rules of this file
- A write that failed is a `CheckpointError`: the result is still in memory and can be recorded again.
- What a server says names no password; what libpq says goes through `Address.said`.
"""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors

from jupyter_durable.errors import CheckpointError, StoreError
from jupyter_durable.store.base import BlobLost, NotWrittenNow, StoreAway
from jupyter_durable.store.postgres.address import Address

FAULTS: Final = (psycopg.Error, UnicodeError, OverflowError, ValueError, TypeError)
"""What a statement of ours can raise: the server's errors, libpq's, and Python's about what cannot be sent."""
_AWAY: Final = ("08", "57P", "53300")
"""States of SQL: of connections, of a server that is told to end, and of one that has too many clients."""
_CROSSED: Final = (errors.DeadlockDetected, errors.SerializationFailure)
_REMEDIES: Final[tuple[tuple[type[psycopg.Error], str], ...]] = (
    (errors.DiskFull, "the disk of the database is full; free some space"),
    (errors.ReadOnlySqlTransaction, "the database is read-only (a standby?); use the URL of the one that is written"),
    (errors.InsufficientPrivilege, "the role lacks a right; GRANT it, or use another role or schema (?schema=)"),
    (
        errors.UndefinedTable,
        "a table of the store is missing; restore it from a backup, or use another schema (?schema=)",
    ),
    (errors.UndefinedColumn, "a table of the store lacks a column; restore it, or use another schema (?schema=)"),
    (errors.QueryCanceled, "it took too long, or was cancelled"),
    (psycopg.OperationalError, "look whether the database is up and reachable from here"),
)


def crossed(error: BaseException) -> bool:
    """Whether two transactions were in each other's way and this one was undone: it can be tried again."""
    return isinstance(error, _CROSSED)


def passing(error: BaseException) -> bool:
    """Errors of the surroundings: the same write can succeed later."""
    return isinstance(error, psycopg.OperationalError | errors.ReadOnlySqlTransaction | errors.InsufficientPrivilege)


def away(error: BaseException) -> bool:
    """Whether the database could not be asked at all: no connection, a lost one, or a server that starts or ends."""
    state = error.sqlstate if isinstance(error, psycopg.OperationalError) else ""
    return state is None or state.startswith(_AWAY)


def _remedy(error: BaseException) -> str:
    return next((text for kind, text in _REMEDIES if isinstance(error, kind)), "")


def write_failed(address: Address, error: BaseException) -> StoreError:
    """The error for whoever waits for a write."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, errors.ForeignKeyViolation):
        failure: CheckpointError = BlobLost(
            f"a large value was removed from {address.shown} before its result was recorded, so it is not: replay the"
            " request, which executes the call again"
        )
    else:
        failure = (NotWrittenNow if away(error) else CheckpointError)(
            f"the checkpoint could not be written to {address.shown}: {_remedy(error) or 'the value cannot be written'}"
            f" ({address.said(error)}). The result is kept in memory; replay the request to go on"
        )
    failure.__cause__ = None if address.secrets else error
    return failure


def read_failed(address: Address, error: BaseException) -> StoreError:
    """The error for whoever reads, or opens."""
    if isinstance(error, StoreError):
        return error
    failure = (StoreAway if away(error) else StoreError)(
        f"the store {address.shown} cannot be read: {_remedy(error) or 'unexpected'} ({address.said(error)})"
    )
    failure.__cause__ = None if address.secrets else error
    return failure
