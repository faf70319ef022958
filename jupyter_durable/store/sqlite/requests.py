"""Requests: accepting, owning, ending, finding.

Rules of this file
- The functions that write run as one transaction in the store's thread; they take the cursor they write with.
- Acquiring and letting go both raise the epoch, which refuses every write of an earlier owner, and whatever was
  decided from a row that was read before.
"""

from __future__ import annotations

import sqlite3
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
from jupyter_durable.store.sql import NO_OWNER
from jupyter_durable.store.sqlite import statements
from jupyter_durable.store.sqlite.statements import storable
from jupyter_durable.store.sqlite.writing import lost, record

_SELECT: Final = statements.REQUESTS
MOST_RUNS: Final = 1 << 20
"""Runs of one request. A larger number in a file was put there by damage."""


def row_of(found: tuple[object, ...]) -> RequestRow:
    """A row of `_SELECT` as a record."""
    row = sql.request_of(found)
    return row._replace(cancel_requested=bool(row.cancel_requested), pinned=bool(row.pinned))


def by_serial(cursor: sqlite3.Cursor, serial: int) -> RequestRow:
    found = cursor.execute(f"{_SELECT} AND serial = ?", (serial,)).fetchone()
    if found is None:
        raise SDKUsageError(f"there is no request with serial {serial}; it may have been deleted")
    return row_of(found)


# acquiring and letting go


def accept(
    cursor: sqlite3.Cursor, new: NewRequest, calls: Iterable[CallRow], seen: Seen | None
) -> tuple[RequestRow, bool]:
    known = cursor.execute(
        f"{_SELECT} AND application = ? AND idempotency_key = ?", (new.application, new.idempotency_key)
    ).fetchone()
    if known is not None:
        return row_of(known), False
    if cursor.execute("SELECT 1 FROM request WHERE id = ?", (new.id,)).fetchone() is not None:
        raise SDKUsageError(f"there is a request {new.id} already")
    if seen is not None:
        _refuse_newer(cursor, seen)
    keep_code(cursor, new.code)
    cursor.execute(
        f"INSERT INTO request (epoch, run, lease_until, cancel_requested, pinned, {sql.NEW})"
        " VALUES (0, 0, 0, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        sql.new_request(new, storable),
    )
    serial = cursor.lastrowid or 0
    cursor.executemany(statements.COPY, ((serial, *call) for call in calls))
    return by_serial(cursor, serial), True


def _refuse_newer(cursor: sqlite3.Cursor, seen: Seen) -> None:
    found = cursor.execute(*sql.listing(statements.DIALECT, seen.wanted._replace(limit=1))).fetchone()
    if found is not None and row_of(found).serial > seen.newest:
        raise not_as_read(row_of(found))


def keep_code(cursor: sqlite3.Cursor, code: CodeVersion) -> None:
    cursor.execute("INSERT OR IGNORE INTO code (key, data, mac) VALUES (?, ?, ?)", code)


def begin(
    cursor: sqlite3.Cursor, serial: int, owner: Owner, run: NewRun, lease_until: float, *, epoch: int | None
) -> Lease:
    row = by_serial(cursor, serial)
    if row.owner is not None if epoch is None else row.epoch != epoch:
        raise not_as_read(row)
    if run.code is not None:
        keep_code(cursor, run.code)
    code_key = row.code_key if run.code is None else run.code.key
    number, free = _free(cursor, row)
    cursor.execute(
        "UPDATE request SET epoch = ?, run = ?, status = ?, started_at = coalesce(started_at, ?), finished_at = NULL,"
        " error = NULL, cancel_requested = 0, code_key = ?, mac = coalesce(?, mac), lease_until = ?, lease_boot = ?,"
        " host = ?, boot_id = ?, pid_namespace = ?, pid = ?, pid_started = ? WHERE serial = ?",
        (row.epoch + 1, number, Status.RUNNING, run.started_at, code_key, run.mac, lease_until, run.lease_boot,
         *owner, serial),
    )  # fmt: skip
    cursor.execute(
        "UPDATE run SET status = ? WHERE request = ? AND status = ?", (Status.INTERRUPTED, serial, Status.RUNNING)
    )
    cursor.execute(
        "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, NULL, ?, 0, 0, 0)",
        (serial, number, run.mode, Status.RUNNING, run.started_at, code_key),
    )
    for call in run.set_aside:
        cursor.execute(statements.SET_ASIDE_COPY, (serial, *call))
        cursor.execute(statements.SET_ASIDE_FLAG, (serial, *call))
    return Lease(serial, row.id, row.epoch + 1, number, free)


def _free(cursor: sqlite3.Cursor, row: RequestRow) -> tuple[int, int]:
    """The number of the next run, and the first free identity.

    What is recorded has a say: calls of a run that is still to come would be none, and would all execute again.
    """
    highest, last_pass = cursor.execute(
        "SELECT max(max(parent), max(identity)), max(CASE WHEN pass_no < ? THEN pass_no END) FROM call"
        " WHERE request = ?",
        (MOST_RUNS << 16, row.serial),
    ).fetchone()
    runs = (number for number in (row.run, (last_pass or 0) >> 16) if 0 <= number < MOST_RUNS - 1)
    return max(runs, default=0) + 1, max(highest or 0, 1) + 1


def settle(cursor: sqlite3.Cursor, serial: int, epoch: int, status: str, at: float) -> None:
    row = by_serial(cursor, serial)
    if row.epoch != epoch:
        raise not_as_read(row)
    cursor.execute(
        f"UPDATE request SET epoch = epoch + 1, status = ?, finished_at = ?, cancel_requested = 0, {NO_OWNER}"
        " WHERE serial = ?",
        (status, at, serial),
    )
    cursor.execute(
        "UPDATE run SET status = ?, finished_at = ? WHERE request = ? AND status = ?",
        (status, at, serial, Status.RUNNING),
    )


def finish(cursor: sqlite3.Cursor, fence: Fence, run: int, end: Finish) -> None:
    refused = lost(cursor, fence) if end.root is None else record(cursor, fence, end.root)
    if refused is not None:
        raise refused
    cursor.execute(
        f"UPDATE request SET epoch = epoch + 1, status = ?, finished_at = ?, error = ?, {NO_OWNER} WHERE serial = ?",
        (end.status, end.finished_at, storable(end.error), fence.serial),
    )
    cursor.execute(
        "UPDATE run SET status = ?, finished_at = ?, executed = ?, reused = ?, saved = ? WHERE request = ? AND run = ?",
        (end.run_status, end.finished_at, end.executed, end.reused, end.saved, fence.serial, run),
    )


def let_go(cursor: sqlite3.Cursor, fence: Fence, run: int) -> None:
    """Release the lease of a run that did not end; nothing when another one owns the request already."""
    if lost(cursor, fence) is None:
        cursor.execute(
            f"UPDATE request SET epoch = epoch + 1, status = ?, {NO_OWNER} WHERE serial = ?",
            (Status.INTERRUPTED, fence.serial),
        )
        cursor.execute(
            "UPDATE run SET status = ? WHERE request = ? AND run = ?", (Status.INTERRUPTED, fence.serial, run)
        )


def renew(cursor: sqlite3.Cursor, fence: Fence, lease_until: float, lease_boot: float | None) -> Heartbeat:
    refused = lost(cursor, fence)
    if refused is not None:
        raise refused
    cursor.execute(
        "UPDATE request SET lease_until = ?, lease_boot = ? WHERE serial = ?", (lease_until, lease_boot, fence.serial)
    )
    (cancel,) = cursor.execute("SELECT cancel_requested FROM request WHERE serial = ?", (fence.serial,)).fetchone()
    return Heartbeat(bool(cancel))


def cancel(cursor: sqlite3.Cursor, serial: int) -> None:
    by_serial(cursor, serial)
    cursor.execute(
        "UPDATE request SET cancel_requested = 1, epoch = epoch + (status = :queued),"
        " status = CASE status WHEN :queued THEN :cancelled ELSE status END"
        " WHERE serial = :serial AND status IN (:queued, :running, :waiting)",
        {
            "serial": serial,
            "queued": Status.QUEUED,
            "cancelled": Status.CANCELLED,
            "running": Status.RUNNING,
            "waiting": Status.WAITING,
        },
    )


def pin(cursor: sqlite3.Cursor, serial: int, pinned: bool) -> None:
    by_serial(cursor, serial)
    cursor.execute("UPDATE request SET pinned = ? WHERE serial = ?", (int(pinned), serial))


def move(cursor: sqlite3.Cursor, rows: Sequence[RequestRow], new_notebook: str) -> int:
    cursor.executemany(
        "UPDATE request SET notebook = ? WHERE serial = ? AND epoch = ? AND notebook IS ? AND NOT deleted",
        [(storable(new_notebook), row.serial, row.epoch, row.notebook) for row in rows],
    )
    return max(0, int(cursor.rowcount))
