"""The store's thread: group commits, transactions of several statements, checkpoints.

Rules of this file
- Only this thread begins transactions. A signal in the main thread can therefore never leave one open.
- A group is all queued outcomes and all pending writes of every journal: the marks of a call's ancestors are in the
  same commit as its outcome, or in an earlier one.
- How a group is written, and what is done when it fails, stands in `groups`; here it is begun and its members are told.
- Nobody is told of success before the commit that holds it. `done` is called without the lock.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar, cast

from jupyter_durable.errors import DurableError, InternalError, LeaseLost, StoreError, StoreGone
from jupyter_durable.queues import Empty, SimpleQueue
from jupyter_durable.store.base import FLUSH_SECONDS
from jupyter_durable.store.blobs import BlobFolder
from jupyter_durable.store.pending import Pending, Post, Waiting, Work
from jupyter_durable.store.sqlite.faults import FAULTS, code_of, is_io_error
from jupyter_durable.store.sqlite.groups import Groups
from jupyter_durable.store.sqlite.link import CHECKPOINT_EVERY, Link
from jupyter_durable.store.sqlite.patience import logger
from jupyter_durable.store.sqlite.transactions import Transaction, reopened, write_pending

T = TypeVar("T")
_ARM: Final = "arm"
_CHECKPOINT: Final = "checkpoint"
_STOP: Final = "stop"
_Item = Post | Work | str


class Writer:
    """Owns the thread. Started on first need; a daemon, so that it never keeps a kernel from ending."""

    def __init__(self, link: Link, blobs: BlobFolder) -> None:
        self.link = link
        self.blobs = blobs
        self._groups = Groups(link, blobs)
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
                    self._thread = thread  # first: an interrupt that comes up in the next line starts no second one
                    try:
                        thread.start()
                    except RuntimeError:  # there can be no more threads
                        self._thread = None
                        raise
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
                outcomes = self._groups.commit(group, taken, patience)
        self._in_hand = []
        for post, error in zip(group, outcomes, strict=True):
            if error is None and post.row.blob is not None:
                self.blobs.release(post.row.blob)
            _tell(post.done, error)

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
                with self.link.working(), Transaction(self.link) as cursor:
                    if work.pending is not None:
                        write_pending(cursor, work.pending, writes)
                    work.waiting.result = work.run(cursor)
                writes = []
                self.link.check_place()  # what was written while the file was taken away is not acknowledged
            except (*FAULTS, DurableError) as raised:
                if work.pending is not None and not isinstance(raised, LeaseLost):
                    work.pending.restore(writes)
                return (reopened(self.link) or raised) if is_io_error(raised) else raised
        return None

    def _checkpoint(self) -> None:
        try:
            with self.link.lock:
                self.link.check_place()
                self.link.checkpoint()
        except StoreGone as error:  # whoever writes next is told
            self.link.commits = 0
            logger(__name__).warning("%s", error)
        except sqlite3.Error as error:  # nothing is lost: the WAL holds it all, and the next one moves it
            if code_of(error) == sqlite3.SQLITE_BUSY:
                return
            logger(__name__).warning("a checkpoint of %s failed: %s", self.link.name, error)

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


def _tell(done: Callable[[BaseException | None], None], error: BaseException | None) -> None:
    try:
        done(error)
    except Exception:  # noqa: BLE001 - the log says it
        logger(__name__).exception("a callback of the store raised")
