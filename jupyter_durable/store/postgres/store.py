"""The Store in a PostgreSQL database: who runs what where.

Rules of this file
- Three connections: one writes, in the store's thread; one reads; one, opened when there is a large value, has those.
- What reads is one query, in the calling thread. When its connection is lost it is asked again on another one.
- It is the database that keeps what was acknowledged: closing this store loses nothing, and no file can go.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from jupyter_durable.core.history import History
from jupyter_durable.core.model import (
    ArgumentsDecide,
    Attempted,
    CallRow,
    CodeVersion,
    Lease,
    Logged,
    Metric,
    NewRequest,
    NewRun,
    Owner,
    Progressed,
    Reached,
    RequestRow,
    RunRow,
)
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store import sql
from jupyter_durable.store.base import Buffer, Copied, Filter, Finding, Seen, Swept, TookTooLong, only
from jupyter_durable.store.postgres import care, requests, schema, statements, taking_in
from jupyter_durable.store.postgres.address import parsed
from jupyter_durable.store.postgres.commits import PostgresCommits
from jupyter_durable.store.postgres.faults import FAULTS, read_failed
from jupyter_durable.store.postgres.journal import PostgresJournal
from jupyter_durable.store.postgres.large import LargeValues
from jupyter_durable.store.postgres.link import Connection, Link
from jupyter_durable.store.postgres.transactions import Session, Transaction
from jupyter_durable.store.writer import Writer

T = TypeVar("T")
Record = TypeVar("Record")


def log(text: str) -> None:
    """Who is told when nobody is named."""
    logging.getLogger(__name__).warning("%s", text)


class PostgresStore:
    """See `jupyter_durable.store.base.Store`.

    `tell` hears when the database has to be waited for. `limit` is given by who only looks: seconds for a statement.
    """

    def __init__(
        self, url: str, *, tell: Callable[[str], None] = log, limit: Callable[[], float] | None = None
    ) -> None:
        address = parsed(url)
        self.url = address.shown
        self._reading = Link(address, tell, limit)
        self._apart = Link(address, tell, limit)
        self._writing = Link(address, tell, limit)
        self._session = Session(self._writing)
        self._commits = PostgresCommits(self._session)
        self._writer: Writer[Transaction] = Writer(self._commits)
        self._large = LargeValues(self._apart)
        patience, self._reading.patience = self._reading.patience, 0.0  # who opens it is told at once
        self._query(lambda connection: connection.execute(statements.NUMBERED, (None,)))
        self._reading.patience = patience
        atexit.register(self.close)

    def _query(self, act: Callable[[Connection], T]) -> T:
        """What `act` reads. Raises `StoreError`."""
        link = self._reading
        waits = link.waits()
        while True:
            try:
                with link.lock, link.connection() as connection:
                    if link.limit is not None:
                        milliseconds = max(1, int(1000 * link.limit()))
                        connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(milliseconds),))
                    return act(connection)
            except FAULTS as error:
                if link.limit is not None and isinstance(error, errors.QueryCanceled):
                    raise TookTooLong(
                        f"the store {self.url} was not read in time, and reading it was given up"
                    ) from None
                if not waits.again(error):
                    failed = read_failed(link.address, error)
                    raise failed from failed.__cause__

    def _read(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return self._query(lambda connection: connection.cursor(binary=True).execute(query, values).fetchall())

    def _records(self, record: type[Record], query: str, *values: object) -> list[Record]:
        # As record._make, which is a Python function: replays read every row of a request through here.
        make: Callable[[type[Record], tuple[Any, ...]], Record] = tuple.__new__  # type: ignore[assignment]
        return [make(record, row) for row in self._read(query, values)]

    # requests

    def accept(
        self, new: NewRequest, calls: Iterable[CallRow] = (), *, seen: Seen | None = None
    ) -> tuple[RequestRow, bool]:
        copied = list(calls)
        return self._writer.run(partial(requests.accept, new=new, calls=copied, seen=seen))

    def take_in(self, history: History, *, over: int | None = None) -> RequestRow:
        return self._writer.run(partial(taking_in.take_in, history=history, over=over))

    def begin(self, serial: int, owner: Owner, run: NewRun, lease_until: float, *, epoch: int | None = None) -> Lease:
        return self._writer.run(
            partial(requests.begin, serial=serial, owner=owner, run=run, lease_until=lease_until, epoch=epoch)
        )

    def settle(self, serial: int, epoch: int, status: str, at: float) -> None:
        self._writer.run(partial(requests.settle, serial=serial, epoch=epoch, status=status, at=at))

    def journal(self, lease: Lease) -> PostgresJournal:
        return PostgresJournal(self._writer, self._writing, lease)

    def request(self, id: str) -> RequestRow:
        return only(id, [requests.row_of(row) for row in self._read(*sql.find(statements.DIALECT, id))])

    def requests(self, filter: Filter) -> list[RequestRow]:
        return [requests.row_of(row) for row in self._read(*sql.listing(statements.DIALECT, filter))]

    def cancel(self, serial: int) -> None:
        self._writer.run(partial(requests.cancel, serial=serial))

    def pin(self, serial: int, pinned: bool) -> None:
        self._writer.run(partial(requests.pin, serial=serial, pinned=pinned))

    def move(self, rows: Sequence[RequestRow], new_notebook: str) -> int:
        return self._writer.run(partial(requests.move, rows=rows, new_notebook=new_notebook))

    def delete(self, serial: int) -> None:
        own = self._writer.run(partial(care.own_blobs, serial=serial))
        self._writer.run(partial(care.condemn, serial=serial))
        care.remove(self._writer, serial)
        self._writer.run(partial(care.discard_own, own=own))

    # journals, read

    def children(self, serial: int, parent: int, after: int, limit: int) -> list[CallRow]:
        return self._records(CallRow, statements.READ.children, serial, parent, after, limit)

    def call(self, serial: int, parent: int, identity: int) -> CallRow | None:
        found = self._records(CallRow, statements.READ.call, serial, parent, identity)
        return found[0] if found else None

    def reached(self, serial: int, parent: int) -> list[Reached]:
        return self._records(Reached, statements.READ.reached, serial, parent)

    def decided(self, serial: int, parent: int) -> list[ArgumentsDecide]:
        return self._records(ArgumentsDecide, statements.READ.decided, serial, parent)

    def runs(self, serial: int) -> list[RunRow]:
        return self._records(RunRow, statements.READ.runs, serial)

    def attempts(self, serial: int, identity: int) -> list[Attempted]:
        return self._records(Attempted, statements.READ.attempts, serial, identity)

    def logs(self, serial: int, identity: int | None = None) -> list[Logged]:
        if identity is None:
            return self._records(Logged, statements.LOGS_OF, serial)
        return self._records(Logged, statements.LOGS_OF_CALL, serial, identity)

    def progress(self, serial: int) -> list[Progressed]:
        return self._records(Progressed, statements.READ.progress, serial)

    def metrics(self, serial: int) -> list[Metric]:
        return self._records(Metric, statements.READ.metrics, serial)

    def code(self, key: bytes) -> CodeVersion:
        found = self._records(CodeVersion, statements.READ.code, key)
        if not found:
            raise SDKUsageError(f"the code version {key.hex()[:12]} is not in the store {self.url}")
        return found[0]

    # blobs

    def put_blob(self, head: bytes, buffers: Sequence[Buffer]) -> bytes:
        return self._large.put(head, buffers)

    def get_blob(self, key: bytes) -> tuple[bytes, list[memoryview]]:
        return self._large.get(key)

    # care

    def check(self) -> list[Finding]:
        address = self._reading.address
        return self._query(lambda connection: care.check(connection, self.url, schema.missing(connection, address)))

    def gc(self, *, older_than: float, now: float, dry_run: bool) -> Swept:
        return care.gc(self._writer, older_than=older_than, now=now, dry_run=dry_run)

    def copy(self, path: Path) -> Copied:
        raise SDKUsageError(
            f"{self.url} is not copied to {path}: what is in a database is kept by its own means,"
            f" `pg_dump --schema={self._reading.address.schema}`"
        )

    def watch(self, look: Callable[[], str | None]) -> None:
        self._commits.looks.append(look)

    def gone(self) -> bool:
        return self._commits.gone is not None

    def unkept(self) -> bool:
        return False

    def size(self) -> int:
        return self._query(care.size)

    def close(self) -> None:
        atexit.unregister(self.close)
        if self._writing.unusable is None:
            self._writing.patience = 0.0
            self._writer.thread.stop()
        if self._writing.unusable is None:
            with contextlib.suppress(psycopg.Error):  # it is only tidied up; a sweep does it, too
                self._session.forget()
        for link in (self._writing, self._reading, self._apart):
            link.close()
