"""Bodies run on worker threads, at most `slots` at a time; a thread that waits does not count.

Rules of this file
- A *slot* is the right to run. A worker holds one while it runs a body, gives it up in `blocked`, and takes one again
  before it goes on. Slots, not threads, are limited: there are as many threads as bodies are begun and not ended.
- A slot that is free goes to a thread that wants to go on, before it goes to a body that has not begun: so what was
  begun ends first, and the number of threads stays small.
- Threads are daemons: an interpreter that ends does not wait for a user's `time.sleep`.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

T = TypeVar("T")

IDLE_SECONDS: Final = 5.0
"""How long a thread without work stays."""


class _Waiter:
    """A thread that waits for a slot; set by whoever hands it over."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, seconds: float = -1) -> bool:
        return self._lock.acquire(timeout=seconds)

    def set(self) -> None:
        self._lock.release()


class _Here(threading.local):
    """Whose slot the present thread holds."""

    executor: ThreadExecutor | None = None


_here: Final = _Here()


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """While the calling thread waits for other bodies, the slot it holds is free."""
    executor = _here.executor
    if executor is None:
        yield
        return
    _here.executor = None
    executor._give_back()
    try:
        yield
    finally:
        executor._take_again()
        _here.executor = executor


class ThreadExecutor:
    """Worker threads with slots."""

    def __init__(self, slots: int, name: str = "durable") -> None:
        self.slots = slots
        self._name = name
        self._lock = threading.Lock()
        self._free = slots
        self._bodies: deque[tuple[Callable[[], Any], concurrent.futures.Future[Any]]] = deque()
        self._resuming: deque[_Waiter] = deque()
        self._idle: list[_Waiter] = []

    def submit(self, body: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Run `body` as soon as a slot is free."""
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._lock:
            self._bodies.append((body, done))
            if not self._free:
                return done
            self._free -= 1
            idle = self._idle.pop() if self._idle else None
        self._wake(idle)
        return done

    def blocked(self) -> contextlib.AbstractContextManager[None]:
        """Give the slot of this thread back, whichever executor it is of, while it waits for other bodies."""
        return blocked()

    def _give_back(self) -> None:
        idle = None
        with self._lock:
            if self._resuming:
                self._resuming.popleft().set()
                return
            if not self._bodies:
                self._free += 1
                return
            idle = self._idle.pop() if self._idle else None
        self._wake(idle)

    def _take_again(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            waiter = _Waiter()
            self._resuming.append(waiter)
        waiter.wait()

    def _wake(self, idle: _Waiter | None) -> None:
        """Let a thread run the next body, with a slot that is taken for it already."""
        if idle is not None:
            idle.set()
        else:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def _work(self) -> None:
        while True:
            taken = self._next()
            if taken is None:
                return
            body, done = taken
            _here.executor = self
            _run(body, done)
            _here.executor = None
            del body, done, taken

    def _next(self) -> tuple[Callable[[], Any], concurrent.futures.Future[Any]] | None:
        """The next body, with the slot this thread holds; None when it should end."""
        while True:
            with self._lock:
                if self._resuming:
                    self._resuming.popleft().set()
                elif self._bodies:
                    return self._bodies.popleft()
                else:
                    self._free += 1
                waiter = _Waiter()
                self._idle.append(waiter)
            if waiter.wait(IDLE_SECONDS):
                continue
            with self._lock:
                if waiter in self._idle:
                    self._idle.remove(waiter)
                    return None
            # Chosen at the last moment: the slot is ours.


def _run(body: Callable[[], Any], done: concurrent.futures.Future[Any]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        value = body()
    except BaseException as error:  # noqa: BLE001 - a user's function was called; the Future carries the error
        done.set_exception(error)
    else:
        done.set_result(value)


def on_fresh_thread(body: Callable[[], T]) -> concurrent.futures.Future[T]:
    """Run `body` on a thread of its own, outside of all slots: for a stack that has become deep."""
    done: concurrent.futures.Future[T] = concurrent.futures.Future()
    threading.Thread(target=_run, args=(body, done), name="durable-stack", daemon=True).start()
    return done
