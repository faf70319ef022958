"""The journal of one acquired request on SQLite.

Rules of this file
- The row of a large value is committed by the store's thread, which sees in its transaction that the value is there.
- `record` is the hot path: everything it does in Python costs about five times its warm time in a real call.
- Alone, the calling thread commits one autocommit statement; with anything queued the store's thread commits a group.
- Ending a run raises the epoch of the request, so that a late write is refused by the fence and nothing need ask.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

from jupyter_durable.core.model import CallRow, Lease, Write
from jupyter_durable.store.base import Finish, Heartbeat
from jupyter_durable.store.blobs import BlobFolder
from jupyter_durable.store.pending import Fence, Pending, Post, Waiting
from jupyter_durable.store.sqlite import requests
from jupyter_durable.store.sqlite.faults import FAULTS, code_of, is_io_error
from jupyter_durable.store.sqlite.link import CHECKPOINT_EVERY, Link
from jupyter_durable.store.sqlite.statements import RECORD
from jupyter_durable.store.sqlite.writing import refusal
from jupyter_durable.store.writer import TEND, Writer


class SqliteJournal:
    """See `jupyter_durable.store.base.Journal`."""

    def __init__(self, writer: Writer[sqlite3.Cursor], link: Link, blobs: BlobFolder, lease: Lease) -> None:
        self.lease = lease
        self._writer = writer
        self._thread = writer.thread
        self._link = link
        self._blobs = blobs
        self._pending = Pending(Fence(lease.serial, lease.epoch, lease.id))
        self._marks = self._pending.marks
        self._deferred = self._pending.deferred
        self._fence = (lease.serial, lease.epoch)
        writer.journals[id(self)] = self._pending

    def record(self, row: CallRow, writes: Sequence[Write] = ()) -> None:
        self._marks.pop(row[1], None)
        link = self._link
        if not writes and row[15] is None and not link.lock.locked():
            try:
                with link.lock:
                    # Asked under the lock: a group that failed has given back what it took.
                    if not self._marks and not self._deferred:
                        cursor = link.cursor
                        cursor.execute(RECORD, row + self._fence)
                        if cursor.rowcount != 1:
                            link.check_place()  # two stores that share the index of a log refuse each other's rows
                            raise refusal(cursor, self._pending.fence, row)
                        link.commits = commits = link.commits + 1
                        if not commits % CHECKPOINT_EVERY:
                            self._thread.say(TEND)
                        return
            except FAULTS as error:
                if not is_io_error(error) and code_of(error) != sqlite3.SQLITE_BUSY:
                    raise link.failed(error) from error
                # The store's thread waits for whoever holds the file, and looks whether a suspect is there.
                self._wait(row, writes, suspect=is_io_error(error))
                return
        self._wait(row, writes)

    def _wait(self, row: CallRow, writes: Sequence[Write], *, suspect: bool = False) -> None:
        waiting: Waiting[None] = Waiting()
        self._thread.put(Post(self._pending, row, writes, waiting, suspect))
        waiting.wait()

    def post(self, row: CallRow, done: Callable[[BaseException | None], None], writes: Sequence[Write] = ()) -> None:
        self._marks.pop(row.identity, None)
        self._thread.put(Post(self._pending, row, writes, done))

    def alone(self) -> bool:
        return not self._marks and not self._deferred and not self._link.lock.locked() and self._thread.idle()

    def later(self, write: Write) -> None:
        if type(write) is CallRow and write.status == "running":
            self._marks[write.identity] = write
        else:
            self._deferred.append(write)
        if not self._thread.armed:
            self._thread.arm()

    def flush(self) -> None:
        self._writer.flush(self._pending)

    def finish(self, finish: Finish) -> None:
        self._writer.run(partial(self._finish, end=finish), self._pending)
        if finish.root is not None and finish.root.blob is not None:
            self._blobs.release(finish.root.blob)
        self._writer.journals.pop(id(self), None)

    def _finish(self, cursor: sqlite3.Cursor, end: Finish) -> None:
        if end.root is not None and end.root.blob is not None:
            self._blobs.ensure(end.root.blob)
        requests.finish(cursor, self._pending.fence, self.lease.run, end)

    def renew(self, lease_until: float, lease_boot: float | None = None) -> Heartbeat:
        return self._writer.run(
            partial(requests.renew, fence=self._pending.fence, lease_until=lease_until, lease_boot=lease_boot)
        )

    def close(self) -> None:
        if self._writer.journals.pop(id(self), None) is not None and self._link.unusable is None:
            self._writer.run(partial(requests.let_go, fence=self._pending.fence, run=self.lease.run), self._pending)
