"""A request taken in from another store, with all that is recorded of it, inside a transaction that the caller began.

Rules of this file
- What is there of a history that is continued is replaced as a whole, under an epoch that refuses its old owners.
"""

from __future__ import annotations

from jupyter_durable.core.history import History, as_new, besides_calls
from jupyter_durable.core.model import RequestRow
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.base import key_taken, not_as_read
from jupyter_durable.store.pending import Fence
from jupyter_durable.store.postgres import requests, statements
from jupyter_durable.store.postgres.care import OF_REQUESTS
from jupyter_durable.store.postgres.statements import storable
from jupyter_durable.store.postgres.transactions import Transaction
from jupyter_durable.store.postgres.writing import write_all


def take_in(transaction: Transaction, history: History, over: int | None) -> RequestRow:
    row = history.request
    known = _added(transaction, history) if over is None else _emptied(transaction, row.id, over)
    for code in history.code:
        requests.keep_code(transaction, code)
    serial, epoch = known.serial, known.epoch + 1
    transaction.execute(
        "UPDATE request SET epoch = %s, status = %s, started_at = %s, finished_at = %s, code_key = %s, rule = %s,"
        " run = %s, pinned = %s, error = %s, mac = %s WHERE serial = %s",
        (epoch, row.status, row.started_at, row.finished_at, row.code_key, row.rule, row.run, row.pinned,
         storable(row.error), row.mac, serial),
    )  # fmt: skip
    for run in history.runs:
        transaction.execute("INSERT INTO run VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", (serial, *run))
    for call in history.calls:
        transaction.execute(statements.COPY, (serial, *call))
    write_all(transaction, Fence(serial, epoch, row.id), besides_calls(history))
    return requests.by_serial(transaction, serial)


def _added(transaction: Transaction, history: History) -> RequestRow:
    known, fresh = requests.accept(transaction, as_new(history), (), None)
    if not fresh:
        raise key_taken(history.request.id, known)
    return known


def _emptied(transaction: Transaction, id: str, over: int) -> RequestRow:
    found = transaction.execute(f"{statements.REQUESTS} AND id = %s FOR UPDATE", (id,)).fetchone()
    if found is None:
        raise SDKUsageError(f"request {id} was deleted there meanwhile; carry it again")
    known = requests.row_of(found)
    if known.epoch != over:
        raise not_as_read(known)
    for table in OF_REQUESTS:
        transaction.execute(f"DELETE FROM {table} WHERE request = %s", (known.serial,))
    return known
