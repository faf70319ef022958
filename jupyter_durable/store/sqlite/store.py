"""The Store on SQLite: who runs what where.

Rules of this file
- A statement that reads can be interrupted (`watch`), and what somebody else's file makes endless has an end.
- What writes runs as one transaction in the store's thread; what reads is one query under the lock, in the calling
  thread, and never keeps a cursor (an interrupt between two bytecodes must not leave a read open).
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import isfinite
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, TypeVar

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
from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.files import remedy
from jupyter_durable.store import sql
from jupyter_durable.store.base import Buffer, Copied, Filter, Finding, Seen, Swept, only
from jupyter_durable.store.blobs import BlobFolder
from jupyter_durable.store.sqlite import care, requests, statements, taking_in
from jupyter_durable.store.sqlite.commits import SqliteCommits
from jupyter_durable.store.sqlite.faults import broken, read_failed
from jupyter_durable.store.sqlite.frames import kept_beside
from jupyter_durable.store.sqlite.journal import SqliteJournal
from jupyter_durable.store.sqlite.link import Link
from jupyter_durable.store.sqlite.patience import Patience, Tell, log
from jupyter_durable.store.sqlite.watch import Limit
from jupyter_durable.store.writer import Writer

_KINDS: Final = (
    CallRow, Reached, ArgumentsDecide, RunRow, Attempted, Logged, Progressed, Metric, CodeVersion, RequestRow,
)  # fmt: skip
_NEEDED: Final = {record: itemgetter(*statements.needed(record)) for record in _KINDS}
"""The columns that are never NULL, by record."""
Record = TypeVar("Record")


def _blobs_of(path: Path) -> Path:
    return path.with_name(path.name + ".blobs")


class SqliteStore:
    """See `jupyter_durable.store.base.Store`. `network`: on a network file system (None: look).

    `tell` hears when another process, which holds the file, has to be waited for. `limit` is given by who only looks:
    then the file is read as one that somebody else made, with an end to each statement, text, value and number.
    """

    def __init__(
        self, path: Path, *, network: bool | None = None, tell: Tell = log, limit: Limit | None = None
    ) -> None:
        self.url = f"sqlite:///{path}"
        self._link = Link(path, network=network, tell=tell, limit=limit)
        self._blobs = BlobFolder(_blobs_of(path))
        self._writer: Writer[sqlite3.Cursor] = Writer(SqliteCommits(self._link, self._blobs))
        journals = self._writer.journals
        self._link.running = lambda: [pending.fence.id for pending in list(journals.values())]
        self._closing = threading.Lock()
        self._link.beside.append(self._blobs.changed)
        atexit.register(self.close)

    def _read(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        patience: Patience | None = None
        while True:
            watch = self._link.watch()
            try:
                with self._link.lock:
                    if self._link.limit is None:
                        return watch.read(self._link.connection, query, values)
                    self._link.refuse_changed_schema()
                    return watch.read(self._link.connection, statements.bounded(query), values)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                if watch.ended(error):
                    raise watch.over(self._link.name) from None
                patience = patience or self._link.patience()
                if not patience.again(error):
                    raise read_failed(self._link.name, patience.over(error)) from error

    def _rows(self, record: type[Any], query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Rows of a record. A damaged page reads as NULLs, without an error: none may be where a value always is."""
        needed, found = _NEEDED[record], self._read(query, values)
        for row in found:
            if None in needed(row):
                raise broken(self._link.name, ValueError("a row of it lacks what every row has"))
        return found if self._link.limit is None else [self._bounded(row) for row in found]

    def _bounded(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """A row of a file that somebody else may have made."""
        if not all(isfinite(value) for value in row if type(value) is float):
            raise broken(self._link.name, ValueError("a number of it has no end"))
        return tuple(map(statements.cut, row))

    def _records(self, record: type[Record], query: str, *values: object) -> list[Record]:
        # As record._make, which is a Python function: replays read every row of a request through here.
        make: Callable[[type[Record], tuple[Any, ...]], Record] = tuple.__new__  # type: ignore[assignment]
        return [make(record, row) for row in self._rows(record, query, values)]

    def _requests(self, query: tuple[str, Sequence[object]]) -> list[RequestRow]:
        return [requests.row_of(row) for row in self._rows(RequestRow, *query)]

    # requests

    def accept(
        self, new: NewRequest, calls: Iterable[CallRow] = (), *, seen: Seen | None = None
    ) -> tuple[RequestRow, bool]:
        copied = list(calls)  # read here: they may come from this store, whose lock the store's thread holds
        return self._writer.run(partial(requests.accept, new=new, calls=copied, seen=seen))

    def take_in(self, history: History, *, over: int | None = None) -> RequestRow:
        return self._writer.run(partial(taking_in.take_in, history=history, over=over))

    def begin(self, serial: int, owner: Owner, run: NewRun, lease_until: float, *, epoch: int | None = None) -> Lease:
        return self._writer.run(
            partial(requests.begin, serial=serial, owner=owner, run=run, lease_until=lease_until, epoch=epoch)
        )

    def settle(self, serial: int, epoch: int, status: str, at: float) -> None:
        self._writer.run(partial(requests.settle, serial=serial, epoch=epoch, status=status, at=at))

    def journal(self, lease: Lease) -> SqliteJournal:
        return SqliteJournal(self._writer, self._link, self._blobs, lease)

    def request(self, id: str) -> RequestRow:
        return only(id, self._requests(sql.find(statements.DIALECT, id)))

    def requests(self, filter: Filter) -> list[RequestRow]:
        return self._requests(sql.listing(statements.DIALECT, filter))

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
        self._writer.run(partial(care.discard_own, blobs=self._blobs, own=own, now=time.time()))
        self._writer.run(partial(care.sweep_blobs, blobs=self._blobs, without=[], now=time.time(), dry_run=False))
        with self._link.lock:
            self._link.empty_log()
        for path in kept_beside(self._link.path):  # of others, too: not ours to delete
            self._link.tell(f"{path}, a damaged log that was kept, may still hold what was deleted: delete it as well")

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
        return self._records(Logged, statements.LOGS_OF, serial, identity)

    def progress(self, serial: int) -> list[Progressed]:
        return self._records(Progressed, statements.READ.progress, serial)

    def metrics(self, serial: int) -> list[Metric]:
        return self._records(Metric, statements.READ.metrics, serial)

    def code(self, key: bytes) -> CodeVersion:
        found = self._records(CodeVersion, statements.READ.code, key)
        if not found:
            raise SDKUsageError(f"the code version {key.hex()[:12]} is not in the store {self._link.name}")
        return found[0]

    # blobs

    def put_blob(self, head: bytes, buffers: Sequence[Buffer]) -> bytes:
        return self._blobs.put(head, buffers)

    def get_blob(self, key: bytes) -> tuple[bytes, list[memoryview]]:
        return self._blobs.get(key)

    # care

    def check(self) -> list[Finding]:
        with self._link.lock:
            return care.check(self._link, self._blobs)

    def gc(self, *, older_than: float, now: float, dry_run: bool) -> Swept:
        swept = care.gc(self._writer, self._blobs, older_than=older_than, now=now, dry_run=dry_run)
        if not dry_run:
            with self._link.lock:
                self._link.empty_log()
        return swept

    def copy(self, path: Path) -> Copied:
        if os.path.lexists(path):
            raise SDKUsageError(f"{path} is there already; name a file that is not there yet")
        if statements.storable(str(path)) != str(path):
            raise SDKUsageError(f"the path {path} is no UTF-8, which SQLite needs to write there; name another one")
        try:
            with self._link.lock:
                self._link.copy(path)
                values = care.named_blobs(self._link)
            homes = [_blobs_of(self._link.path), _blobs_of(Path(self._link.now_at()))]
            copied = BlobFolder(_blobs_of(path)).take(values, homes)
            self._link.copied = True
        except OSError as error:
            raise StoreError(
                f"the store {self._link.name} could not be copied to {path}: {error.strerror or error}; {remedy(error)}"
            ) from error
        except sqlite3.Error as error:
            raise StoreError(f"the store {self._link.name} could not be copied to {path}: {error}") from error
        return Copied(path, len(values) - copied)

    def unkept(self) -> bool:
        return self._link.gone is not None and not self._link.copied

    def watch(self, look: Callable[[], str | None]) -> None:
        self._link.beside.append(look)

    def gone(self) -> bool:
        return self._link.gone is not None

    def size(self) -> int:
        return care.file_size(self._link.path) + sum(size for _, size, _ in self._blobs.files())

    def close(self) -> None:
        atexit.unregister(self.close)
        if self._link.unusable is not None:
            return
        self._link.give_up()
        self._writer.thread.stop()
        with self._closing:
            if self._link.unusable is None:
                with self._link.lock:
                    self._link.close()
        self._blobs.close()
