"""The store's thread: group commits, transactions of several statements, checkpoints.

Rules of this file
- Only this thread begins transactions. A signal in the main thread can therefore never leave one open.
- A group is all queued outcomes and all pending writes of every journal: the marks of a call's ancestors are in the
  same commit as its outcome, or in an earlier one.
- When a group fails, its members are tried one by one; nobody is told of success before the commit that holds it.
- `done` is called without the lock.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import Final, TypeVar, cast

from jupyter_durable.core.model import Write
from jupyter_durable.errors import CheckpointError, DurableError, InternalError, LeaseLost, StoreError, StoreGone
from jupyter_durable.store.base import FLUSH_SECONDS
from jupyter_durable.store.blobs import BlobFolder
from jupyter_durable.store.sqlite.faults import FAULTS, PASSING, code_of, is_io_error
from jupyter_durable.store.sqlite.link import CHECKPOINT_EVERY, Link
from jupyter_durable.store.sqlite.patience import Patience
from jupyter_durable.store.sqlite.pending import Pending, Post, Waiting, Work
from jupyter_durable.store.sqlite.writing import is_there, lost, record, write_all

T = TypeVar("T")
_ARM: Final = "arm"
_CHECKPOINT: Final = "checkpoint"
_STOP: Final = "stop"
_Item = Post | Work | str
_logger: Final = logging.getLogger(__name__)


class Writer:
    """Owns the thread. Started on first need; a daemon, so that it never keeps a kernel from ending."""

    def __init__(self, link: Link, blobs: BlobFolder) -> None:
        self.link = link
        self.blobs = blobs
        self.armed = False
        """Whether a flush is due within `FLUSH_SECONDS`; so that a busy loop wakes the thread 20 times a second."""
        self.journals: dict[int, Pending] = {}
        self._inbox: SimpleQueue[_Item] = SimpleQueue()  # its put is one C call: no interrupt can lose a wake-up
        self._thread: threading.Thread | None = None
        self.closing = threading.Lock()
        self._starting = threading.Lock()
        self._in_hand: list[Post | Work] = []
        link.running = lambda: [pending.fence.id for pending in list(self.journals.values())]

    # from any thread

    def idle(self) -> bool:
        return self._inbox.empty()

    def post(self, post: Post) -> None:
        self._put(post)

    def arm(self) -> None:
        """Flush within `FLUSH_SECONDS`."""
        if not self.armed:
            self.armed = True
            self._put(_ARM)

    def ask_checkpoint(self) -> None:
        self._put(_CHECKPOINT)

    def run(self, work: Callable[[sqlite3.Cursor], T], pending: Pending | None = None) -> T:
        """Run `work` as one transaction in the store's thread, after `pending`; its result."""
        waiting: Waiting[object] = Waiting()
        self._put(Work(work, waiting, pending))
        waiting.wait()
        return cast(T, waiting.result)

    def stop(self) -> None:
        """Commit what is queued and end the thread."""
        thread = self._thread  # it forgets itself when it ends, which may be before we wait for it
        if thread is not None and self.link.unusable is None:
            self._inbox.put(_STOP)
            thread.join()

    def _put(self, item: _Item) -> None:
        if self.link.unusable is not None:
            raise StoreError(self.link.unusable)
        if threading.current_thread() is self._thread and not isinstance(item, str):
            raise InternalError("a callback of the store asked the store to commit; that would wait for itself")
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    thread = threading.Thread(target=self._main, name="jupyter-durable-store", daemon=True)
                    thread.start()
                    self._thread = thread
        self._inbox.put(item)

    # in the store's thread

    def _main(self) -> None:
        try:
            self._loop()
        finally:
            self._give_up()

    def _loop(self) -> None:
        deadline: float | None = None
        while True:
            item = self._next(deadline)
            if item is None:
                deadline, self.armed = None, False  # disarmed first: what comes after is seen now or arms again
                self._commit([])
            elif item is _ARM:
                deadline = time.monotonic() + FLUSH_SECONDS
            elif isinstance(item, Post):
                if self._commit_with_followers(item):
                    return
            elif isinstance(item, Work):
                self._work(item)
            elif item is _STOP:
                self._commit([])
                return
            if item is _CHECKPOINT or self.link.commits >= CHECKPOINT_EVERY:
                self._checkpoint()

    def _next(self, deadline: float | None) -> _Item | None:
        try:
            return self._inbox.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except Empty:
            return None

    def _commit_with_followers(self, first: Post) -> bool:
        """Commit all outcomes queued right now as one group; whether a stop came."""
        group: list[Post] = [first]
        last: _Item | None = None
        while last is None and not self._inbox.empty():
            item = self._inbox.get_nowait()
            if isinstance(item, Post):
                group.append(item)
            elif item is not _CHECKPOINT:
                last = item
        self._commit(group)
        if isinstance(last, Work):
            self._work(last)
        elif last is _ARM:
            self.armed = False
            self._commit([])
        return last is _STOP

    def _commit(self, group: list[Post]) -> None:
        if not group and not any(p.marks or p.deferred for p in list(self.journals.values())):
            return
        self._in_hand = [*group]
        patience, outcomes = self.link.patience(), None
        while outcomes is None:
            with self.link.lock:
                taken = [(p, p.take()) for p in list(self.journals.values())]
                outcomes = self._together(group, taken, patience)
        self._in_hand = []
        for post, error in zip(group, outcomes, strict=True):
            if error is None and post.row.blob is not None:
                self.blobs.release(post.row.blob)
            _tell(post.done, error)

    def _together(
        self, group: Sequence[Post], taken: Sequence[tuple[Pending, list[Write]]], patience: Patience
    ) -> list[StoreError | None] | None:
        """What became of each; None: another process holds the file, nothing was written, and it is waited for."""
        outcomes: list[StoreError | None] = []
        if self.link.gone is not None:
            return self._singly(group, taken, self._out_of_place())
        try:
            if any(post.suspect for post in group):
                return self._singly(group, taken, self._reopened(), verify=True)
            with _Transaction(self.link) as cursor:
                for pending, writes in taken:
                    _write_pending(cursor, pending, writes)
                for post in group:
                    outcomes.append(self._write_post(cursor, post))
        except (*FAULTS, StoreGone) as error:
            if patience.again(error):
                for pending, writes in taken:
                    pending.restore(writes)
                return None
            if code_of(error) == sqlite3.SQLITE_BUSY:  # no member is to blame, and each would wait as long again
                return self._singly(group, taken, self.link.failed(patience.over(error)))
            suspect = is_io_error(error)
            return self._singly(group, taken, self._reopened() if suspect else None, verify=suspect)
        return outcomes

    def _out_of_place(self) -> StoreError | None:
        """Why nothing may be written: the files are not where they were opened."""
        try:
            self.link.check_place()
        except StoreError as error:
            return error
        return None

    def _singly(
        self,
        group: Sequence[Post],
        taken: Sequence[tuple[Pending, list[Write]]],
        failure: StoreError | None,
        *,
        verify: bool = False,
    ) -> list[StoreError | None]:
        """One transaction each, or `failure` for all.

        What cannot be written for a passing reason stays queued, and holds up the outcomes of its journal: they must
        not be durable before the marks of their callers.
        """
        held: dict[int, StoreError] = {}
        for pending, writes in taken:
            blocked = failure or self._pending_singly(pending, writes)
            if blocked is not None:
                held[id(pending)] = blocked
                if failure is not None:
                    pending.restore(writes)
        return [held.get(id(post.pending)) or failure or self._post_singly(post, verify=verify) for post in group]

    def _write_post(self, cursor: sqlite3.Cursor, post: Post) -> StoreError | None:
        if post.row.blob is not None:
            try:
                self.blobs.ensure(post.row.blob)
            except CheckpointError as error:
                return error
        refused = record(cursor, post.pending.fence, post.row)
        if refused is None:
            write_all(cursor, post.pending.fence, post.writes)
        return refused

    def _pending_singly(self, pending: Pending, writes: list[Write]) -> StoreError | None:
        for n, write in enumerate(writes):
            try:
                with _Transaction(self.link) as cursor:
                    _write_pending(cursor, pending, [write])
            except (*FAULTS, StoreGone) as error:
                failure = self.link.failed(error)
                if code_of(error) in PASSING or isinstance(failure, StoreGone):
                    pending.restore(writes[n:])
                    return self._reopened() or failure if is_io_error(error) else failure
                pending.failure = failure
        return None

    def _post_singly(self, post: Post, *, verify: bool) -> StoreError | None:
        try:
            if verify and is_there(self.link.cursor, post.pending.fence, post.row):
                return None
            with _Transaction(self.link) as cursor:
                return self._write_post(cursor, post)
        except (*FAULTS, StoreGone) as error:
            if is_io_error(error) and self._reopened() is None and not verify:
                return self._post_singly(post, verify=True)
            return self.link.failed(error)

    def _reopened(self) -> StoreError | None:
        """After an input/output error: a new connection on which everything readable is synced, or the error."""
        try:
            self.link.reopen()
        except sqlite3.Error as error:
            return self.link.failed(error)
        except StoreError as error:
            return error
        return None

    def _work(self, work: Work) -> None:
        self._in_hand = [work]
        patience = self.link.patience()
        while True:
            error = self._worked(work)
            if error is None or not patience.again(error):
                break
        if error is not None and not isinstance(error, DurableError):
            error = self.link.failed(patience.over(error))
        self._in_hand = []
        _tell(work.waiting, error)

    def _worked(self, work: Work) -> BaseException | None:
        """Try it once; what was raised."""
        with self.link.lock:
            writes = work.pending.take() if work.pending is not None else []
            try:
                self.link.check_place()
                with self.link.working(), _Transaction(self.link) as cursor:
                    if work.pending is not None:
                        _write_pending(cursor, work.pending, writes)
                    work.waiting.result = work.run(cursor)
                writes = []
                self.link.check_place()  # what was written while the file was taken away is not acknowledged
            except (*FAULTS, DurableError) as raised:
                if work.pending is not None and not isinstance(raised, LeaseLost):
                    work.pending.restore(writes)
                return (self._reopened() or raised) if is_io_error(raised) else raised
        return None

    def _checkpoint(self) -> None:
        try:
            with self.link.lock:
                self.link.check_place()
                self.link.checkpoint()
        except StoreGone as error:  # whoever writes next is told
            self.link.commits = 0
            _logger.warning("%s", error)
        except sqlite3.Error as error:  # nothing is lost: the WAL holds it all, and the next one moves it
            if code_of(error) == sqlite3.SQLITE_BUSY:
                return
            _logger.warning("a checkpoint of %s failed: %s", self.link.name, error)

    def _give_up(self) -> None:
        """The thread ends: tell everybody who still waits."""
        waiting: list[_Item] = [*self._in_hand]
        while not self._inbox.empty():
            waiting.append(self._inbox.get_nowait())
        failure = StoreError(f"the store {self.link.name} was closed before this was written; open it again")
        self._thread = None
        for item in waiting:
            if isinstance(item, Post):
                _tell(item.done, failure)
            elif isinstance(item, Work):
                _tell(item.waiting, failure)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when anything is raised."""

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def __enter__(self) -> sqlite3.Cursor:
        self._link.cursor.execute("BEGIN IMMEDIATE")
        return cast(sqlite3.Cursor, self._link.cursor)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._link.cursor.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
            self._link.commits += 1
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        if self._link.connection.in_transaction:  # a full disk and an I/O error roll back by themselves
            self._link.cursor.execute("ROLLBACK")


def _write_pending(cursor: sqlite3.Cursor, pending: Pending, writes: Iterable[Write]) -> None:
    refused = lost(cursor, pending.fence) if writes else None
    if refused is None:
        write_all(cursor, pending.fence, writes)
    else:
        pending.failure = refused


def _tell(done: Callable[[BaseException | None], None], error: BaseException | None) -> None:
    try:
        done(error)
    except Exception:
        _logger.exception("a callback of the store raised")
