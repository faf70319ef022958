"""The verbs of the remote store, done on the store of a namespace.

Rules of this file
- What only reads is the method of the same name. What changes something stands here, with what is to be done when it
  was sent before.
- Ends of leases are translated to the clock of this server: that one decides when a lease is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from jupyter_durable.core.history import History
from jupyter_durable.core.model import CallRow, Lease, NewRequest, NewRun, Owner, RequestRow
from jupyter_durable.errors import LeaseLost, SDKUsageError
from jupyter_durable.records import NamedTuple
from jupyter_durable.server.remote import resent
from jupyter_durable.server.remote.journals import Journals
from jupyter_durable.store.base import Finish, Heartbeat, NotAsRead, Seen, Settled, Store
from jupyter_durable.store.http import wire
from jupyter_durable.store.http.wire import Answered, Part


class Asked(NamedTuple):
    """What a verb is asked with, besides its arguments."""

    namespace: str
    store: Store
    journals: Journals
    theirs: float
    """The wall clock of the client when it asked."""
    again: bool
    """It was asked before, and whether it was done is not known."""

    def here(self, until: float) -> float:
        """The end of a lease by the clock of this server."""
        return wire.translated(until, self.theirs, time.time())


def _accept(asked: Asked, new: NewRequest, calls: list[CallRow], seen: Seen | None) -> tuple[RequestRow, bool]:
    try:
        return asked.store.accept(new, calls, seen=seen)
    except SDKUsageError as error:
        if not asked.again:
            raise
        return resent.accepted(asked.store, new, error)


def _take_in(asked: Asked, history: History, over: int | None) -> RequestRow:
    try:
        row = asked.store.take_in(history, over=over)
    except SDKUsageError as error:
        if not asked.again:
            raise
        row = resent.taken_in(asked.store, history, error)
    asked.journals.outdated(asked.namespace, row.serial)
    return row


def _begin(asked: Asked, serial: int, owner: Owner, run: NewRun, lease_until: float, epoch: int | None) -> Lease:
    until = asked.here(lease_until)
    try:
        lease = asked.store.begin(serial, owner, run, until, epoch=epoch)
    except NotAsRead as error:
        if not asked.again:
            raise
        epoch = resent.begun(asked.store, serial, owner, run, error)
        lease = asked.store.begin(serial, owner, run, until, epoch=epoch)
    asked.journals.outdated(asked.namespace, serial)
    return lease


def _settle(asked: Asked, serial: int, epoch: int, status: str, at: float) -> None:
    try:
        asked.store.settle(serial, epoch, status, at)
    except NotAsRead as error:
        if not asked.again:
            raise
        resent.settled(asked.store, serial, status, at, error)
    asked.journals.outdated(asked.namespace, serial)


def _delete(asked: Asked, serial: int) -> None:
    if not asked.again or resent.by_serial(asked.store, serial) is not None:
        asked.store.delete(serial)
    asked.journals.outdated(asked.namespace, serial)


def _write(asked: Asked, parts: list[Part]) -> list[Answered]:
    return [asked.journals.write(asked.namespace, asked.store, part, again=asked.again) for part in parts]


def _finish(asked: Asked, lease: Lease, finish: Finish) -> None:
    try:
        asked.journals.of(asked.namespace, asked.store, lease).finish(finish)
    except Settled:
        raise  # the run goes on
    except LeaseLost as error:
        asked.journals.end(asked.namespace, lease)
        if not asked.again:
            raise
        resent.finished(asked.store, lease, finish, error)
    else:
        asked.journals.end(asked.namespace, lease)


def _renew(asked: Asked, lease: Lease, lease_until: float, lease_boot: float | None) -> Heartbeat:
    journal = asked.journals.of(asked.namespace, asked.store, lease)
    return journal.renew(asked.here(lease_until), lease_boot)


def _let_go(asked: Asked, lease: Lease) -> None:
    asked.journals.of(asked.namespace, asked.store, lease)
    asked.journals.end(asked.namespace, lease)


def _gc(asked: Asked, older_than: float, now: float, dry_run: bool) -> Any:
    return asked.store.gc(older_than=older_than, now=now, dry_run=dry_run)


_CHANGES: Final[dict[str, Callable[..., Any]]] = {
    "accept": _accept,
    "take_in": _take_in,
    "begin": _begin,
    "settle": _settle,
    "delete": _delete,
    "write": _write,
    "finish": _finish,
    "renew": _renew,
    "let_go": _let_go,
    "gc": _gc,
}


def perform(verb: str, asked: Asked, body: bytes) -> bytes:
    """Do what was asked; the answer as it is sent."""
    arguments = wire.arguments(verb, body)
    change = _CHANGES.get(verb)
    found = getattr(asked.store, verb)(*arguments) if change is None else change(asked, *arguments)
    return wire.encode(found)
