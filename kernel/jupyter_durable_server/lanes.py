"""Threads of one store each: what is asked of a store that never answers is waited for by nobody else.

Rules of this file
- A lane is one thread, and what it is given runs one after the other, each for a number of seconds. Statements look at
  what is left of them (`left`); what cannot be ended from here (a file system that hangs) holds up its own lane only.
- Who waits for a lane does not count the time in which the machine gave it no processor, up to a bound.
- The threads are daemons: a store that hangs does not keep the server from ending.
- Whoever asks a lane that has much to do already is told so at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any, Final, TypeVar

from jupyter_durable.store.base import TookTooLong

MOST: Final = 4
"""What a lane has to do at most; more is refused."""
STATEMENT_SECONDS: Final = 1.0
"""Of a processor, for one statement: the longest one of a store with a request of 100,000 calls takes a fifth."""
BUSY: Final = 10
"""How many times longer a lane is waited for on a machine that has no processor for it."""
T = TypeVar("T")
_time: Final = threading.local()


def left() -> float:
    """Seconds of a processor that the next statement of this thread may take. Raises `TookTooLong`."""
    until = getattr(_time, "until", None)
    if until is None:  # no lane, as the thread that writes
        return STATEMENT_SECONDS
    remaining = float(until) - monotonic()
    if remaining <= 0:
        raise TookTooLong("it takes longer to read than a page may wait, and was given up")
    return min(remaining, STATEMENT_SECONDS)


class Lane:
    """One thread, begun on first need. `name`: what is told of a lane that has much to do."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name = name
        self._seconds = seconds
        self._inbox: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished = 0
        self.late = False
        """Somebody has waited in vain for what it does now."""
        self._thread: threading.Thread | None = None

    def ask(self, work: Callable[[], T]) -> Future[T]:
        """What `work` gives or raises, in time. Raises `TookTooLong` where there is much to do already."""
        with self._lock:
            if self._unfinished >= MOST:
                raise TookTooLong(f"the store {self._name} has not answered what it was asked before")
            self._unfinished += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._main, name="durable-lane", daemon=True)
                self._thread.start()
        future: Future[T] = Future()
        self._inbox.put((future, work))
        return future

    def wait(self, future: Future[T], seconds: float) -> T:
        """What became of something it was asked, within `seconds` that its thread was given. Raises `TimeoutError`."""
        began, kept = monotonic(), self._kept_from_running()
        until = began + seconds
        while True:
            try:
                return future.result(max(0.0, until - monotonic()))
            except NotYet:
                if future.done():
                    return future.result()
                until = began + min(seconds + self._kept_from_running() - kept, BUSY * seconds)
                if monotonic() >= until:
                    raise

    def _kept_from_running(self) -> float:
        """Seconds that the thread could have gone on and had no processor; 0 where the system does not tell."""
        thread = self._thread
        try:
            told = Path(f"/proc/self/task/{thread.native_id if thread else 0}/schedstat").read_text().split()
        except OSError:
            return 0.0
        return int(told[1]) / 1e9

    def end(self) -> None:
        """Let the thread go once it has nothing to do."""
        self._inbox.put(None)

    def _main(self) -> None:
        while (item := self._inbox.get()) is not None:
            future, work = item
            _time.until = monotonic() + self._seconds
            try:
                future.set_result(work())
            # Whatever it is belongs to whoever asked.
            except BaseException as error:  # noqa: BLE001
                future.set_exception(error)
            finally:
                self.late = False
                with self._lock:
                    self._unfinished -= 1
