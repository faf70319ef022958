"""The journals of requests that clients run, on the server's side.

Rules of this file
- The lease comes with every message, so a journal is made again when the server was started anew.
- Nothing is answered before the store has said that it is durable.
- A journal whose lease is lost is closed, which then changes nothing. One whose client went silent stays, and its
  request with it: whoever takes that over ends it.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from typing import Final

from jupyter_durable.core.model import Lease
from jupyter_durable.errors import DurableError, LeaseLost, StoreError
from jupyter_durable.records import NamedTuple
from jupyter_durable.server.remote import resent
from jupyter_durable.store.base import Journal, Store, StoreAway
from jupyter_durable.store.http import wire
from jupyter_durable.store.http.wire import Answered, Part, Refused

COMMIT_SECONDS: Final = 300
"""How long a store may take for a commit before the client is told that it does not answer."""


class _Kept(NamedTuple):
    store: Store
    journal: Journal


class Journals:
    """Those in use, by namespace, request and epoch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, int, int], _Kept] = {}
        self._writes: Counter[tuple[str, int]] = Counter()
        self._server = secrets.token_hex(4)

    def writes(self, namespace: str, serial: int) -> str:
        """How often something was written to a request, as a text that no other server gives."""
        return f"{self._server}.{self._writes[namespace, serial]}"

    def of(self, namespace: str, store: Store, lease: Lease) -> Journal:
        """The journal of a lease; whether the lease holds says the store."""
        key = (namespace, lease.serial, lease.epoch)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.store is not store:
                kept = self._kept[key] = _Kept(store, store.journal(lease))
            return kept.journal

    def end(self, namespace: str, lease: Lease) -> None:
        """Let go of a journal, in the store as well: a run that has ended stays ended."""
        self._wrote(namespace, lease.serial)
        with self._lock:
            kept = self._kept.pop((namespace, lease.serial, lease.epoch), None)
        if kept is not None:
            kept.journal.close()

    def outdated(self, namespace: str, serial: int) -> None:
        """The request has another epoch now: nothing more can be written through the journals there were."""
        self._wrote(namespace, serial)
        with self._lock:
            old = [self._kept.pop(key) for key in list(self._kept) if key[:2] == (namespace, serial)]
        for kept in old:
            if not kept.store.gone():
                kept.journal.close()

    def _wrote(self, namespace: str, serial: int) -> None:
        with self._lock:
            self._writes[namespace, serial] += 1

    def write(self, namespace: str, store: Store, part: Part, *, again: bool) -> Answered:
        """Write a part of a batch. `again`: it may have been written already."""
        journal = self.of(namespace, store, part.lease)
        later = wire.writes_of(part.later)
        if again:
            _unless_away(_flushed(journal))  # what an earlier try has queued is written before it is looked for
        for write in resent.unwritten(store, part.lease, later) if again else later:
            journal.later(write)
        waiting = [_Waiting() for _ in part.outcomes]
        for outcome, done in zip(part.outcomes, waiting, strict=True):
            journal.post(outcome.row, done, wire.writes_of(outcome.writes))
        answers = [done.wait() for done in waiting]
        for error in answers:
            _unless_away(error)
        self._wrote(namespace, part.lease.serial)
        if again:
            pairs = zip(part.outcomes, answers, strict=True)
            answers = [resent.outcome(store, part.lease, outcome.row, error) for outcome, error in pairs]
        queued = _unless_away(_flushed(journal)) if later else None
        if any(type(error) is LeaseLost for error in (queued, *answers)):
            self.end(namespace, part.lease)
        return Answered(_told(queued), [_told(error) for error in answers])


class _Waiting:
    """Waits for what becomes of one outcome."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._error: BaseException | None = None

    def __call__(self, error: BaseException | None) -> None:
        self._error = error
        self._over.set()

    def wait(self) -> DurableError | None:
        if not self._over.wait(COMMIT_SECONDS):
            raise StoreError(f"the store did not say within {COMMIT_SECONDS} s whether a result is durable")
        if self._error is not None and not isinstance(self._error, DurableError):
            raise self._error
        return self._error


def _unless_away(error: DurableError | None) -> DurableError | None:
    """What became of a write. Raises `StoreAway`: the client waits and sends the whole batch again."""
    if isinstance(error, StoreAway):
        raise error
    return error


def _flushed(journal: Journal) -> DurableError | None:
    try:
        journal.flush()
    except StoreError as error:
        return error
    return None


def _told(error: DurableError | None) -> Refused | None:
    return None if error is None else wire.refused(error)
