"""The journal of one acquired request in a database.

Rules of this file
- Everything is committed by the store's thread: a trip to the server costs many times what a change of threads does.
- Ending a run raises the epoch of the request, so that a late write is refused by the fence and nothing need ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from jupyter_durable.core.model import CallRow, Lease, Write
from jupyter_durable.store.base import Finish, Heartbeat
from jupyter_durable.store.pending import Fence, Pending, Post, Waiting
from jupyter_durable.store.postgres import requests
from jupyter_durable.store.postgres.link import Link
from jupyter_durable.store.postgres.transactions import Transaction
from jupyter_durable.store.writer import Writer


class PostgresJournal:
    """See `jupyter_durable.store.base.Journal`."""

    def __init__(self, writer: Writer[Transaction], link: Link, lease: Lease) -> None:
        self.lease = lease
        self._writer = writer
        self._link = link
        self._pending = Pending(Fence(lease.serial, lease.epoch, lease.id))
        writer.journals[id(self)] = self._pending

    def record(self, row: CallRow, writes: Sequence[Write] = ()) -> None:
        waiting: Waiting[None] = Waiting()
        self.post(row, waiting, writes)
        waiting.wait()

    def post(self, row: CallRow, done: Callable[[BaseException | None], None], writes: Sequence[Write] = ()) -> None:
        self._pending.marks.pop(row.identity, None)
        self._writer.thread.put(Post(self._pending, row, writes, done))

    def alone(self) -> bool:
        return False

    def later(self, write: Write) -> None:
        if type(write) is CallRow and write.status == "running":
            self._pending.marks[write.identity] = write
        else:
            self._pending.deferred.append(write)
        self._writer.thread.arm()

    def flush(self) -> None:
        self._writer.flush(self._pending)

    def finish(self, finish: Finish) -> None:
        self._writer.run(
            partial(requests.finish, fence=self._pending.fence, run=self.lease.run, end=finish), self._pending
        )
        self._writer.journals.pop(id(self), None)

    def renew(self, lease_until: float, lease_boot: float | None = None) -> Heartbeat:
        return self._writer.run(
            partial(requests.renew, fence=self._pending.fence, lease_until=lease_until, lease_boot=lease_boot)
        )

    def close(self) -> None:
        if self._writer.journals.pop(id(self), None) is not None and self._link.unusable is None:
            self._writer.run(partial(requests.let_go, fence=self._pending.fence, run=self.lease.run), self._pending)
