"""A request taken in from another store, with all that is recorded of it, inside a transaction that the caller began.

Rules of this file
- What is there of a history that is continued is replaced as a whole, under an epoch that refuses its old owners.
"""

from __future__ import annotations

import sqlite3

from jupyter_durable.core.history import History, as_new, besides_calls
from jupyter_durable.core.model import RequestRow
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.base import key_taken, not_as_read
from jupyter_durable.store.pending import Fence
from jupyter_durable.store.sqlite import requests, statements
from jupyter_durable.store.sqlite.care import OF_REQUESTS
from jupyter_durable.store.sqlite.statements import storable
from jupyter_durable.store.sqlite.writing import write_all


def take_in(cursor: sqlite3.Cursor, history: History, over: int | None) -> RequestRow:
    row = history.request
    known = _added(cursor, history) if over is None else _emptied(cursor, row.id, over)
    for code in history.code:
        requests.keep_code(cursor, code)
    serial, epoch = known.serial, known.epoch + 1
    cursor.execute(
        "UPDATE request SET epoch = ?, status = ?, started_at = ?, finished_at = ?, code_key = ?, rule = ?,"
        " run = ?, pinned = ?, error = ?, mac = ? WHERE serial = ?",
        (epoch, row.status, row.started_at, row.finished_at, row.code_key, row.rule, row.run, row.pinned,
         storable(row.error), row.mac, serial),
    )  # fmt: skip
    for run in history.runs:
        cursor.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (serial, *run))
    for call in history.calls:
        cursor.execute(statements.COPY, (serial, *call))
    write_all(cursor, Fence(serial, epoch, row.id), besides_calls(history))
    return requests.by_serial(cursor, serial)


def _added(cursor: sqlite3.Cursor, history: History) -> RequestRow:
    known, fresh = requests.accept(cursor, as_new(history), (), None)
    if not fresh:
        raise key_taken(history.request.id, known)
    return known


def _emptied(cursor: sqlite3.Cursor, id: str, over: int) -> RequestRow:
    found = cursor.execute(f"{statements.REQUESTS} AND id = ?", (id,)).fetchone()
    if found is None:
        raise SDKUsageError(f"request {id} was deleted there meanwhile; carry it again")
    known = requests.row_of(found)
    if known.epoch != over:
        raise not_as_read(known)
    for table in OF_REQUESTS:
        cursor.execute(f"DELETE FROM {table} WHERE request = ?", (known.serial,))
    return known
