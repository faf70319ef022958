"""Requests: accepting, owning, ending, finding.

Rules of this file
- The functions that write run as one transaction in the store's thread. Whoever decides from a request's row has locked
  it before: it is as it was read until the transaction ends.
- Acquiring and letting go both raise the epoch, which refuses every write of an earlier owner, and whatever was
  decided from a row that was read before.
- Requests are accepted one at a time, for all processes: so serials become visible in their order, and who has seen
  that there is none to go on with is told of one that came since.
- Leases are kept in the time of their owner's clock, with how much that is ahead of the server's. Who reads one on a
  machine whose clock differs gets it in the time of their own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

from jupyter_durable.core.model import (
    CallRow,
    CodeVersion,
    Lease,
    NewRequest,
    NewRun,
    Owner,
    RequestRow,
    Status,
)
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store import sql
from jupyter_durable.store.base import Finish, Heartbeat, Seen, not_as_read
from jupyter_durable.store.pending import Fence
from jupyter_durable.store.postgres import statements
from jupyter_durable.store.postgres.schema import LOCK
from jupyter_durable.store.postgres.statements import NOW, storable
from jupyter_durable.store.postgres.transactions import Transaction
from jupyter_durable.store.postgres.writing import lost, record
from jupyter_durable.store.sql import NO_OWNER

CLOCKS: Final = 5.0
"""Seconds that two clocks may differ by and count as the same: an answer of the server may be late by as much."""
_SELECT: Final = statements.REQUESTS


def row_of(found: tuple[object, ...]) -> RequestRow:
    """A row of `_SELECT` as a record, just after it was read."""
    *columns, ahead, server_now = found
    row = sql.request_of(tuple(columns))
    differs = (time.time() - server_now) - ahead  # type: ignore[operator]
    return row if row.owner is None or abs(differs) < CLOCKS else row._replace(lease_until=row.lease_until + differs)


def by_serial(transaction: Transaction, serial: int) -> RequestRow:
    """The request as it stays until the transaction ends. Raises `SDKUsageError`."""
    found = transaction.execute(f"{_SELECT} AND serial = %s FOR UPDATE", (serial,)).fetchone()
    if found is None:
        raise SDKUsageError(f"there is no request with serial {serial}; it may have been deleted")
    return row_of(found)


# acquiring and letting go


def accept(
    transaction: Transaction, new: NewRequest, calls: Iterable[CallRow], seen: Seen | None
) -> tuple[RequestRow, bool]:
    transaction.execute("SELECT pg_advisory_xact_lock(%s::int, hashtext(current_schema()) + 1)", (LOCK,))
    known = transaction.execute(
        f"{_SELECT} AND application = %s AND idempotency_key = %s", (new.application, new.idempotency_key)
    ).fetchone()
    if known is not None:
        return row_of(known), False
    if transaction.execute("SELECT 1 FROM request WHERE id = %s", (new.id,)).fetchone() is not None:
        raise SDKUsageError(f"there is a request {new.id} already")
    if seen is not None:
        _refuse_newer(transaction, seen)
    keep_code(transaction, new.code)
    added = transaction.execute(
        f"INSERT INTO request (epoch, run, lease_until, cancel_requested, pinned, {sql.NEW})"
        " VALUES (0, 0, 0, false, false, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING serial",
        sql.new_request(new, storable),
    ).fetchone()
    serial = added[0] if added is not None else 0
    for call in calls:
        transaction.execute(statements.COPY, (serial, *call))
    return by_serial(transaction, serial), True


def _refuse_newer(transaction: Transaction, seen: Seen) -> None:
    found = transaction.execute(*sql.listing(statements.DIALECT, seen.wanted._replace(limit=1))).fetchone()
    if found is not None and row_of(found).serial > seen.newest:
        raise not_as_read(row_of(found))


def keep_code(transaction: Transaction, code: CodeVersion) -> None:
    transaction.execute("INSERT INTO code (key, data, mac) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", code)


def begin(
    transaction: Transaction, serial: int, owner: Owner, run: NewRun, lease_until: float, *, epoch: int | None
) -> Lease:
    row = by_serial(transaction, serial)
    if row.owner is not None if epoch is None else row.epoch != epoch:
        raise not_as_read(row)
    if run.code is not None:
        keep_code(transaction, run.code)
    code_key = row.code_key if run.code is None else run.code.key
    number, free = _free(transaction, row)
    transaction.execute(
        "UPDATE request SET epoch = %s, run = %s, status = %s, started_at = coalesce(started_at, %s),"
        " finished_at = NULL, error = NULL, cancel_requested = false, code_key = %s, mac = coalesce(%s, mac),"
        f" lease_until = %s, lease_boot = %s, clock_ahead = %s - {NOW},"
        " host = %s, boot_id = %s, pid_namespace = %s, pid = %s, pid_started = %s WHERE serial = %s",
        (row.epoch + 1, number, Status.RUNNING, run.started_at, code_key, run.mac, lease_until, run.lease_boot,
         time.time(), *owner, serial),
    )  # fmt: skip
    transaction.execute(
        "UPDATE run SET status = %s WHERE request = %s AND status = %s", (Status.INTERRUPTED, serial, Status.RUNNING)
    )
    transaction.execute(
        "INSERT INTO run VALUES (%s, %s, %s, %s, %s, NULL, %s, 0, 0, 0)",
        (serial, number, run.mode, Status.RUNNING, run.started_at, code_key),
    )
    for call in run.set_aside:
        transaction.execute(statements.SET_ASIDE_COPY, (serial, *call))
        transaction.execute(statements.SET_ASIDE_FLAG, (serial, *call))
    return Lease(serial, row.id, row.epoch + 1, number, free)


def _free(transaction: Transaction, row: RequestRow) -> tuple[int, int]:
    """The number of the next run, and the first free identity. What is recorded has a say."""
    found = transaction.execute(
        "SELECT coalesce(max(greatest(parent, identity)), 1), coalesce(max(pass_no) >> 16, 0) FROM call"
        " WHERE request = %s",
        (row.serial,),
    ).fetchone()
    highest, last_run = found or (1, 0)
    return max(row.run, last_run) + 1, max(highest, 1) + 1


def settle(transaction: Transaction, serial: int, epoch: int, status: str, at: float) -> None:
    row = by_serial(transaction, serial)
    if row.epoch != epoch:
        raise not_as_read(row)
    transaction.execute(
        f"UPDATE request SET epoch = epoch + 1, status = %s, finished_at = %s, cancel_requested = false, {NO_OWNER}"
        " WHERE serial = %s",
        (status, at, serial),
    )
    transaction.execute(
        "UPDATE run SET status = %s, finished_at = %s WHERE request = %s AND status = %s",
        (status, at, serial, Status.RUNNING),
    )


def finish(transaction: Transaction, fence: Fence, run: int, end: Finish) -> None:
    refused = lost(transaction, fence) if end.root is None else record(transaction, fence, end.root)
    if refused is not None:
        raise refused
    transaction.execute(
        f"UPDATE request SET epoch = epoch + 1, status = %s, finished_at = %s, error = %s, {NO_OWNER}"
        " WHERE serial = %s AND epoch = %s",
        (end.status, end.finished_at, storable(end.error), fence.serial, fence.epoch),
    )
    transaction.execute(
        "UPDATE run SET status = %s, finished_at = %s, executed = %s, reused = %s, saved = %s"
        " WHERE request = %s AND run = %s",
        (end.run_status, end.finished_at, end.executed, end.reused, end.saved, fence.serial, run),
    )


def let_go(transaction: Transaction, fence: Fence, run: int) -> None:
    """Release the lease of a run that did not end; nothing when another one owns the request already."""
    if lost(transaction, fence) is None:
        transaction.execute(
            f"UPDATE request SET epoch = epoch + 1, status = %s, {NO_OWNER} WHERE serial = %s AND epoch = %s",
            (Status.INTERRUPTED, fence.serial, fence.epoch),
        )
        transaction.execute(
            "UPDATE run SET status = %s WHERE request = %s AND run = %s", (Status.INTERRUPTED, fence.serial, run)
        )


def renew(transaction: Transaction, fence: Fence, lease_until: float, lease_boot: float | None) -> Heartbeat:
    found = transaction.execute(
        f"UPDATE request SET lease_until = %s, lease_boot = %s, clock_ahead = %s - {NOW}"
        " WHERE serial = %s AND epoch = %s RETURNING cancel_requested",
        (lease_until, lease_boot, time.time(), fence.serial, fence.epoch),
    ).fetchone()
    if found is None:
        raise lost(transaction, fence) or not_as_read(by_serial(transaction, fence.serial))
    return Heartbeat(found[0])


def cancel(transaction: Transaction, serial: int) -> None:
    row = by_serial(transaction, serial)
    if row.status == Status.QUEUED:
        transaction.execute(
            "UPDATE request SET cancel_requested = true, epoch = epoch + 1, status = %s WHERE serial = %s",
            (Status.CANCELLED, serial),
        )
    elif row.status in (Status.RUNNING, Status.WAITING):
        transaction.execute("UPDATE request SET cancel_requested = true WHERE serial = %s", (serial,))


def pin(transaction: Transaction, serial: int, pinned: bool) -> None:
    by_serial(transaction, serial)
    transaction.execute("UPDATE request SET pinned = %s WHERE serial = %s", (pinned, serial))


def move(transaction: Transaction, rows: Sequence[RequestRow], new_notebook: str) -> int:
    return sum(
        transaction.changed(
            "UPDATE request SET notebook = %s WHERE serial = %s AND epoch = %s AND notebook IS NOT DISTINCT FROM %s"
            " AND NOT deleted",
            (storable(new_notebook), row.serial, row.epoch, row.notebook),
        )
        for row in sorted(rows, key=lambda row: row.serial)  # in one order, for all: none waits for each other
    )
