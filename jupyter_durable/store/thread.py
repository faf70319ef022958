"""The thread that a store writes in: how it begins and ends, and how what is queued for it comes to it.

Rules of this file
- What is done with what is queued is for the store to say: it serves, and takes from here.
- `put` of the inbox is one C call: no interrupt of user code can lose a wake-up.
- Whoever waits is told, also when the thread ends. `done` is called without a lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from jupyter_durable.errors import InternalError, StoreError
from jupyter_durable.queues import Empty, SimpleQueue
from jupyter_durable.store.base import FLUSH_SECONDS

ARM: Final = "arm"
STOP: Final = "stop"
Done = Callable[[BaseException | None], None]


class Told(Protocol):
    """What is queued, and has somebody who waits for what becomes of it."""

    @property
    def done(self) -> Done: ...


Item = TypeVar("Item", bound=Told)


class StoreThread(Generic[Item]):
    """Started on first need; a daemon, so that it never keeps a kernel from ending.

    `serve` is run in it and takes what is queued until a stop comes. `usable` raises `StoreError` when nothing more is
    taken; `closed` says what those are told who wait for what was not served.
    """

    def __init__(self, serve: Callable[[], None], usable: Callable[[], None], closed: Callable[[], str]) -> None:
        self.armed = False
        """Whether a flush is due within `FLUSH_SECONDS`; so that a busy loop wakes the thread 20 times a second."""
        self.in_hand: list[Item] = []
        """What was taken, and nobody is told of yet."""
        self._serve = serve
        self._usable = usable
        self._closed = closed
        self._deadline: float | None = None
        self._inbox: SimpleQueue[Item | str] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    # from any thread

    def idle(self) -> bool:
        return self._inbox.empty()

    def own(self) -> bool:
        """Whether the caller is in it."""
        return threading.current_thread() is self._thread

    def put(self, item: Item) -> None:
        """Queue it. Raises `StoreError` when the store cannot be used."""
        if self.own():
            self._usable()
            raise InternalError("a callback of the store asked the store to commit; that would wait for itself")
        self.say(item)

    def arm(self) -> None:
        """Flush within `FLUSH_SECONDS`."""
        if not self.armed:
            self.armed = True
            self.say(ARM)

    def say(self, item: Item | str) -> None:
        """Queue what nobody waits for, as `put`."""
        self._usable()
        if self._thread is None:
            self._start()
        self._inbox.put(item)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._main, name="jupyter-durable-store", daemon=True)
                self._thread = thread  # first: an interrupt that comes up in the next line starts no second one
                try:
                    thread.start()
                except RuntimeError:  # there can be no more threads
                    self._thread = None
                    raise

    def stop(self, seconds: float | None = None) -> bool:
        """Have what is queued served, and wait for the end, no longer than `seconds`; whether there was a thread."""
        thread = self._thread  # it forgets itself when it ends, which may be before we wait for it
        if thread is None:
            return False
        self._inbox.put(STOP)
        thread.join(seconds)
        return True

    # in the thread

    def next(self) -> Item | str | None:
        """Wait for what is queued next; None when a flush is due, for which it is no longer armed."""
        while True:
            deadline = self._deadline
            try:
                item = self._inbox.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except Empty:
                self.disarm()
                return None
            if item is not ARM:
                return item
            self._deadline = deadline or time.monotonic() + FLUSH_SECONDS

    def more(self) -> Item | str | None:
        """What is queued right now; None when there is nothing."""
        return None if self._inbox.empty() else self._inbox.get_nowait()

    def disarm(self) -> None:
        """What is queued later is about to be taken. First: what comes after is seen then, or arms again."""
        self._deadline, self.armed = None, False

    def _main(self) -> None:
        try:
            self._serve()
        finally:
            self._give_up()

    def _give_up(self) -> None:
        """The thread ends: tell everybody who still waits."""
        waiting: list[Item | str] = [*self.in_hand]
        while not self._inbox.empty():
            waiting.append(self._inbox.get_nowait())
        failure = StoreError(self._closed())
        self._thread = None
        for item in waiting:
            if not isinstance(item, str):
                tell(item.done, failure)


def tell(done: Done, error: BaseException | None) -> None:
    """Say what became of it. What the callback raises is for the log: others wait."""
    try:
        done(error)
    except Exception:
        import logging

        logging.getLogger(__name__).exception("a callback of the store raised")
