"""A store in memory: the same meaning as the SQLite one, without files. For tests and for trying things out.

Rules of this file
- One lock; every verb is a short critical section, and everything is "durable" when the verb returns.
- A verb decides here whether it may be done; how it changes one request stands in `memory_rows`.
- After a fork the copy in the child refuses to work: it would no longer be the parent's store.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

from jupyter_durable.core.history import History, as_new
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
    Status,
    Write,
)
from jupyter_durable.errors import DeserializationError, LeaseLost, SDKUsageError, StoreError
from jupyter_durable.store.base import (
    Buffer,
    Copied,
    Filter,
    Finding,
    Finish,
    Heartbeat,
    Seen,
    Settled,
    Swept,
    key_taken,
    not_as_read,
    only,
)
from jupyter_durable.store.memory_rows import NOBODY, Kept, accepted, may_go, passes, taken_in


class MemoryStore:
    """See `jupyter_durable.store.base.Store`."""

    def __init__(self) -> None:
        self.url = "memory:"
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._closed = False
        self._last = 0
        self._requests: dict[int, Kept] = {}
        self._code: dict[bytes, CodeVersion] = {}
        self._blobs: dict[bytes, tuple[bytes, list[bytes]]] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """The lock of the store. Raises `StoreError` in the child of a fork and after `close`."""
        if os.getpid() != self._pid:
            raise StoreError("the memory store was opened before a fork; open another one in this process")
        with self._lock:
            if self._closed:
                raise StoreError("the memory store is closed, and what was in it is gone; open another one")
            yield

    def kept(self, serial: int) -> Kept:
        """A request; the caller holds the lock."""
        kept = self._requests.get(serial)
        if kept is None:
            raise SDKUsageError(f"there is no request with serial {serial}; it may have been deleted")
        return kept

    def owned(self, lease: Lease) -> Kept:
        """The request of a lease that still holds; the caller holds the lock."""
        kept = self._requests.get(lease.serial)
        if kept is None:
            raise LeaseLost(f"request {lease.id} was deleted; this run stops")
        if kept.row.epoch != lease.epoch:
            owner = kept.row.owner
            raise LeaseLost(
                f"the run of request {lease.id} has ended; nothing more can be written to it"
                if owner is None
                else f"request {lease.id} was taken over by process {owner.pid} on {owner.host}; this run stops"
            )
        return kept

    def _read(self, serial: int) -> Kept:
        """A request to read from; an empty one when it was deleted."""
        return self._requests.get(serial) or Kept(NOBODY)

    # requests

    def accept(
        self, new: NewRequest, calls: Iterable[CallRow] = (), *, seen: Seen | None = None
    ) -> tuple[RequestRow, bool]:
        copied = list(calls)
        with self.held():
            kept, fresh = self._accepted(new, seen)
            kept.put_all(copied if fresh else ())
            return kept.row, fresh

    def _accepted(self, new: NewRequest, seen: Seen | None = None) -> tuple[Kept, bool]:
        """The request, and whether it is a new one; the caller holds the lock."""
        for kept in self._requests.values():
            key = kept.row.idempotency_key
            if key is not None and (kept.row.application, key) == (new.application, new.idempotency_key):
                return kept, False
            if kept.row.id == new.id:
                raise SDKUsageError(f"there is a request {new.id} already")
        for kept in self._requests.values():
            if seen is not None and kept.row.serial > seen.newest and passes(kept.row, seen.wanted):
                raise not_as_read(kept.row)
        self._code.setdefault(new.code.key, new.code)
        self._last += 1
        return self._requests.setdefault(self._last, Kept(accepted(self._last, new))), True

    def take_in(self, history: History, *, over: int | None = None) -> RequestRow:
        serial = None if over is None else self.request(history.request.id).serial
        with self.held():
            kept, fresh = self._accepted(as_new(history)) if serial is None else (self.kept(serial), True)
            if not fresh:
                raise key_taken(history.request.id, kept.row)
            if over not in (None, kept.row.epoch):
                raise not_as_read(kept.row)
            self._code.update((code.key, code) for code in history.code)
            kept = self._requests[kept.row.serial] = taken_in(kept.row, history)
            return kept.row

    def begin(self, serial: int, owner: Owner, run: NewRun, lease_until: float, *, epoch: int | None = None) -> Lease:
        with self.held():
            kept = self.kept(serial)
            if kept.row.owner is not None if epoch is None else kept.row.epoch != epoch:
                raise not_as_read(kept.row)
            if run.code is not None:
                self._code.setdefault(run.code.key, run.code)
            first = kept.begin(owner, run, lease_until)
            return Lease(serial, kept.row.id, kept.row.epoch, kept.row.run, first)

    def settle(self, serial: int, epoch: int, status: str, at: float) -> None:
        with self.held():
            kept = self.kept(serial)
            if kept.row.epoch != epoch:
                raise not_as_read(kept.row)
            kept.settle(status, at)

    def journal(self, lease: Lease) -> MemoryJournal:
        return MemoryJournal(self, lease)

    def request(self, id: str) -> RequestRow:
        with self.held():
            rows = [kept.row for kept in self._requests.values()]
        if id == "last" and rows:
            return rows[-1]
        found = sorted((row for row in rows if id and row.id.startswith(id)), key=lambda row: row.id)
        return only(id, found)

    def requests(self, filter: Filter) -> list[RequestRow]:
        with self.held():
            newest = [kept.row for kept in reversed(self._requests.values())]
        return [row for row in newest if passes(row, filter)][: filter.limit]

    def cancel(self, serial: int) -> None:
        with self.held():
            self.kept(serial).cancel()

    def pin(self, serial: int, pinned: bool) -> None:
        with self.held():
            kept = self.kept(serial)
            kept.row = kept.row._replace(pinned=pinned)

    def move(self, rows: Sequence[RequestRow], new_notebook: str) -> int:
        moved = 0
        with self.held():
            for read in rows:
                kept = self._requests.get(read.serial)
                if kept is not None and (kept.row.epoch, kept.row.notebook) == (read.epoch, read.notebook):
                    kept.row = kept.row._replace(notebook=new_notebook)
                    moved += 1
        return moved

    def delete(self, serial: int) -> None:
        with self.held():
            row = self.kept(serial).row
            if row.status in (Status.RUNNING, Status.WAITING):
                raise SDKUsageError(f"{not_as_read(row)}; only then can it be deleted")
            own = set(self._requests.pop(serial).blobs())
            for key in own - {key for kept in self._requests.values() for key in kept.blobs()}:
                self._blobs.pop(key, None)

    # journals, read

    def children(self, serial: int, parent: int, after: int, limit: int) -> list[CallRow]:
        with self.held():
            rows = self._read(serial).calls.get(parent, {})
            return [rows[identity] for identity in sorted(i for i in rows if i > after)[:limit]]

    def call(self, serial: int, parent: int, identity: int) -> CallRow | None:
        with self.held():
            return self._read(serial).find(parent, identity)

    def reached(self, serial: int, parent: int) -> list[Reached]:
        with self.held():
            found = self._read(serial).reached
            return [found[key] for key in sorted(found) if key[0] == parent]

    def decided(self, serial: int, parent: int) -> list[ArgumentsDecide]:
        with self.held():
            return sorted((d for d in self._read(serial).decided if d.parent == parent), key=lambda d: d[:3])

    def runs(self, serial: int) -> list[RunRow]:
        with self.held():
            return list(self._read(serial).runs.values())

    def attempts(self, serial: int, identity: int) -> list[Attempted]:
        with self.held():
            found = self._read(serial).attempts
            return [found[key] for key in sorted(found) if key[0] == identity]

    def logs(self, serial: int, identity: int | None = None) -> list[Logged]:
        with self.held():
            return [log for log in self._read(serial).logs if identity in (None, log.identity)]

    def progress(self, serial: int) -> list[Progressed]:
        with self.held():
            found = self._read(serial).progress
            return [found[identity] for identity in sorted(found)]

    def metrics(self, serial: int) -> list[Metric]:
        with self.held():
            return list(self._read(serial).metrics)

    def code(self, key: bytes) -> CodeVersion:
        with self.held():
            found = self._code.get(key)
        if found is None:
            raise SDKUsageError(f"the code version {key.hex()[:12]} is not in the store memory:")
        return found

    # blobs

    def put_blob(self, head: bytes, buffers: Sequence[Buffer]) -> bytes:
        kept = [bytes(buffer) for buffer in buffers]
        key = blake3(b"".join(len(part).to_bytes(8, "little") + part for part in (head, *kept))).digest()
        with self.held():
            self._blobs[key] = (head, kept)
        return key

    def get_blob(self, key: bytes) -> tuple[bytes, list[memoryview]]:
        with self.held():
            found = self._blobs.get(key)
        if found is None:
            raise DeserializationError(f"the value {key.hex()[:12]} is missing from the store; run the call again")
        return found[0], [memoryview(bytearray(buffer)) for buffer in found[1]]

    # care

    def check(self) -> list[Finding]:
        with self.held():
            return [Finding("ok", f"memory: {len(self._requests)} requests, gone when this process ends")]

    def gc(self, *, older_than: float, now: float, dry_run: bool) -> Swept:
        with self.held():
            doomed = [kept.row for kept in self._requests.values() if may_go(kept.row, now - older_than)]
            gone = {row.serial for row in doomed}
            used = {key for kept in self._requests.values() if kept.row.serial not in gone for key in kept.blobs()}
            loose = [key for key in self._blobs if key not in used] if doomed else []
            size = sum(len(head) + sum(map(len, buffers)) for head, buffers in map(self._blobs.__getitem__, loose))
            if not dry_run:
                for row in doomed:
                    del self._requests[row.serial]
                for key in loose:
                    del self._blobs[key]
            return Swept(tuple(row.id for row in doomed), len(loose), size)

    def copy(self, path: Path) -> Copied:
        raise SDKUsageError(f"what is kept in memory cannot be copied to {path}; only stores at sqlite:///PATH can")

    def watch(self, look: Callable[[], str | None]) -> None:
        del look  # nothing of it is read later

    def gone(self) -> bool:
        return False

    def unkept(self) -> bool:
        return False

    def size(self) -> int:
        with self.held():
            return sum(len(head) + sum(map(len, buffers)) for head, buffers in self._blobs.values())

    def close(self) -> None:
        self._closed = True


class MemoryJournal:
    """See `jupyter_durable.store.base.Journal`."""

    def __init__(self, store: MemoryStore, lease: Lease) -> None:
        self.lease = lease
        self._store = store
        self._failure: StoreError | None = None

    def record(self, row: CallRow, writes: Sequence[Write] = ()) -> None:
        with self._store.held():
            self._record(row, writes)

    def _record(self, row: CallRow, writes: Sequence[Write] = ()) -> None:
        """As `record`; the caller holds the lock."""
        kept = self._store.owned(self.lease)
        if not kept.record(row):
            raise Settled(
                f"the call {row.name} (identity {row.identity}, attempt {row.attempts}) of request"
                f" {self.lease.id} already has a durable outcome; this one was dropped"
            )
        for write in writes:
            kept.write(write)

    def post(self, row: CallRow, done: Callable[[BaseException | None], None], writes: Sequence[Write] = ()) -> None:
        error: BaseException | None = None
        try:
            self.record(row, writes)
        except StoreError as refused:
            error = refused
        done(error)

    def alone(self) -> bool:
        return True

    def later(self, write: Write) -> None:
        try:
            with self._store.held():
                self._store.owned(self.lease).write(write)
        except LeaseLost as error:
            self._failure = error

    def flush(self) -> None:
        with self._store.held():
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def finish(self, finish: Finish) -> None:
        with self._store.held():
            if finish.root is not None:
                self._record(finish.root)
            self._store.owned(self.lease).finish(self.lease.run, finish)

    def renew(self, lease_until: float, lease_boot: float | None = None) -> Heartbeat:
        with self._store.held():
            kept = self._store.owned(self.lease)
            kept.row = kept.row._replace(lease_until=lease_until, lease_boot=lease_boot)
            return Heartbeat(kept.row.cancel_requested)

    def close(self) -> None:
        try:
            with self._store.held():
                self._store.owned(self.lease).interrupt(self.lease.run)
        except StoreError:
            return  # ended, taken over, or closed with the store: there is nothing to let go of
