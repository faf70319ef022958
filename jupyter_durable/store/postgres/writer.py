"""The store's thread: all that is written is written here.

Rules of this file
- No other thread writes, so no interrupt of user code ever meets a commit.
- A group is all queued outcomes and all pending writes of every journal: the marks of a call's ancestors are in the
  same commit as its outcome, or in an earlier one. While it is on its way the next one gathers.
- Nobody is told of success before the commit that holds it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, TypeVar, cast

from jupyter_durable.core.model import Write
from jupyter_durable.errors import DurableError, InternalError, LeaseLost, StoreError, StoreGone
from jupyter_durable.store.base import FLUSH_SECONDS
from jupyter_durable.store.pending import Pending, Post, Waiting, Work
from jupyter_durable.store.postgres.faults import FAULTS, write_failed
from jupyter_durable.store.postgres.groups import Groups, write_pending
from jupyter_durable.store.postgres.transactions import Session, Transaction

T = TypeVar("T")
_ARM: Final = "arm"
_STOP: Final = "stop"
_Item = Post | Work | str


def nothing(_: Transaction) -> None:
    """The work of who only waits for what is queued."""


class Writer:
    """Owns the thread. Started on first need; a daemon, so that it never keeps a kernel from ending."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.link = session.link
        self.armed = False
        """Whether a flush is due within `FLUSH_SECONDS`; so that a busy loop wakes the thread 20 times a second."""
        self.journals: dict[int, Pending] = {}
        self.looks: list[Callable[[], str | None]] = []
        """Say what happened to what else is needed to read the store later."""
        self.gone: str | None = None
        self._groups = Groups(session)
        self._inbox: SimpleQueue[_Item] = SimpleQueue()  # its put is one C call: no interrupt can lose a wake-up
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._in_hand: list[Post | Work] = []

    # from any thread

    def post(self, post: Post) -> None:
        self._put(post)

    def arm(self) -> None:
        """Flush within `FLUSH_SECONDS`."""
        if not self.armed:
            self.armed = True
            self._put(_ARM)

    def run(self, work: Callable[[Transaction], T], pending: Pending | None = None) -> T:
        """Run `work` as one transaction in the store's thread, after `pending`; its result."""
        waiting: Waiting[object] = Waiting()
        self._put(Work(work, waiting, pending))
        waiting.wait()
        return cast(T, waiting.result)

    def stop(self) -> None:
        """Commit what is queued and end the thread."""
        thread = self._thread  # it forgets itself when it ends, which may be before we wait for it
        if thread is not None and self.link.unusable is None:
            self.link.patience = 0.0
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
            else:
                last = item
        self._commit(group)
        if isinstance(last, Work):
            self._work(last)
        elif last is _ARM:
            self.armed = False
            self._commit([])
        return last is _STOP

    def _commit(self, group: list[Post]) -> None:
        taken = [(pending, pending.take()) for pending in list(self.journals.values())]
        if not group and not any(writes for _, writes in taken):
            return
        self._in_hand = [*group]
        outcomes = self._groups.commit(group, taken)
        self._in_hand = []
        for post, error in zip(group, outcomes, strict=True):
            _tell(post.done, error)

    def _work(self, work: Work) -> None:
        self._in_hand = [work]
        writes = work.pending.take() if work.pending is not None else []
        error: BaseException | None = None
        try:
            if writes or work.run is not nothing:
                self._look()
                work.waiting.result = self.session.transaction(lambda each: _worked(each, work, writes))
        except (*FAULTS, DurableError) as raised:
            if work.pending is not None and not isinstance(raised, LeaseLost):
                self.session.give_back(writes)
                work.pending.restore(writes)
            error = raised if isinstance(raised, DurableError) else write_failed(self.link.address, raised)
        self._in_hand = []
        _tell(work.waiting, error)

    def _look(self) -> None:
        """Raises `StoreGone` when what is needed to read the store later is not there any more."""
        self.gone = next((text for look in self.looks if (text := look()) is not None), None)
        if self.gone is not None:
            raise StoreGone(
                f"{self.gone}. Nothing more is written to {self.link.address.shown}. Put it back, and go on"
            )

    def _give_up(self) -> None:
        """The thread ends: tell everybody who still waits."""
        waiting: list[_Item] = [*self._in_hand]
        while not self._inbox.empty():
            waiting.append(self._inbox.get_nowait())
        failure = StoreError(f"the store {self.link.address.shown} was closed before this was written; open it again")
        self._thread = None
        for item in waiting:
            if isinstance(item, Post):
                _tell(item.done, failure)
            elif isinstance(item, Work):
                _tell(item.waiting, failure)


def _worked(transaction: Transaction, work: Work, writes: list[Write]) -> object:
    if work.pending is not None:
        write_pending(transaction, work.pending, writes)
    return work.run(transaction)


def _tell(done: Callable[[BaseException | None], None], error: BaseException | None) -> None:
    try:
        done(error)
    except Exception:
        logging.getLogger(__name__).exception("a callback of the store raised")
