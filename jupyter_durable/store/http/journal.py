"""The journal of one acquired request on a server.

Rules of this file
- What is queued goes through the store's thread, in order. The lease is renewed beside it: no long queue may end it.
- What cannot be sent at all is refused to whoever wants to write it, not to the thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jupyter_durable.core.model import CallRow, Lease, Write
from jupyter_durable.errors import CheckpointError, LeaseLost, StoreError
from jupyter_durable.store.base import Finish, Heartbeat
from jupyter_durable.store.http import wire
from jupyter_durable.store.http.sender import Flush, Post, Queued, Sender, wait
from jupyter_durable.store.http.wire import Outcome
from jupyter_durable.store.pending import Waiting


class HttpJournal:
    """See `jupyter_durable.store.base.Journal`."""

    def __init__(self, sender: Sender, lease: Lease) -> None:
        self.lease = lease
        self._sender = sender
        self._queued = Queued(lease)
        sender.journals[id(self)] = self._queued

    def record(self, row: CallRow, writes: Sequence[Write] = ()) -> None:
        waiting: Waiting[None] = Waiting()
        self.post(row, waiting, writes)
        wait(self._sender.link, waiting)

    def post(self, row: CallRow, done: Callable[[BaseException | None], None], writes: Sequence[Write] = ()) -> None:
        self._queued.marks.pop(row.identity, None)
        self._sender.thread.put(Post(self._queued, _outcome(row, writes), done))

    def alone(self) -> bool:
        return False

    def later(self, write: Write) -> None:
        self._sender.link.usable()
        (tagged,) = wire.tagged([write])
        if type(write) is CallRow and write.status == "running":
            self._queued.marks[write.identity] = tagged
        else:
            self._queued.deferred.append(tagged)
        self._sender.thread.arm()

    def flush(self) -> None:
        waiting: Waiting[None] = Waiting()
        self._sender.thread.put(Flush(self._queued, waiting))
        wait(self._sender.link, waiting)

    def finish(self, finish: Finish) -> None:
        self._drain()
        self._sender.link.ask("finish", self.lease, finish)
        self._sender.journals.pop(id(self), None)

    def renew(self, lease_until: float, lease_boot: float | None = None) -> Heartbeat:
        found: Heartbeat = self._sender.link.ask("renew", self.lease, lease_until, lease_boot)
        return found

    def close(self) -> None:
        if self._sender.journals.get(id(self)) is None or self._sender.link.is_over():
            return
        self._drain()
        self._sender.journals.pop(id(self), None)
        self._sender.link.ask("let_go", self.lease)

    def _drain(self) -> None:
        """Send what is queued. That the lease is lost is said by what comes next."""
        try:
            self.flush()
        except LeaseLost:
            return


def _outcome(row: CallRow, writes: Sequence[Write]) -> Outcome:
    try:
        row = row._replace(flags=int(row.flags))
        wire.encode(row)
        return Outcome(row, wire.tagged(writes))
    except StoreError as error:
        raise CheckpointError(f"the result of {row.name} cannot be recorded: {error}") from error
