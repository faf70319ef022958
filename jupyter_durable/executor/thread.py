"""Bodies run on worker threads, at most `slots` at a time; a thread that waits does not count.

Rules of this file
- A *slot* is the right to run. A worker holds one while it runs a body, gives it up in `blocked`, and takes one again
  before it goes on. Slots, not threads, are limited: there are as many threads as bodies are begun and not ended.
- A slot that is free goes to a thread that wants to go on, before it goes to a body that has not begun: so what was
  begun ends first, and the number of threads stays small.
- A thread that is lost (somebody has thrown an error into it, none can be started) gives its slot back, and the body it
  had is told of. So does one whose body was given up and does not end: nothing waits for what cannot be stopped.
- Threads are daemons: an interpreter that ends does not wait for a user's `time.sleep`.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jupyter_durable.errors import WorkerLost
from jupyter_durable.executor.outcomes import new_outcome

if TYPE_CHECKING:
    import concurrent.futures

T = TypeVar("T")

IDLE_SECONDS: Final = 5.0
"""How long a thread without work stays."""


class _Waiter:
    """A thread that waits for a slot; set by whoever hands it over."""

    __slots__ = ("_lock", "leaves")

    def __init__(self) -> None:
        self.leaves = False
        """Set for a thread that has no slot and ends."""
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, seconds: float = -1) -> bool:
        return self._lock.acquire(timeout=seconds)

    def set(self) -> None:
        self._lock.release()


class _Seat:
    """The slot with which one body runs. Changed under the lock of its executor."""

    __slots__ = ("executor", "is_given_up", "is_held")

    def __init__(self, executor: ThreadExecutor) -> None:
        self.executor = executor
        self.is_held = True
        self.is_given_up = False
        """The body goes on without a slot, for as long as it likes."""


class _Here(threading.local):
    """The slot of the body that runs in the present thread; None while it waits, and outside of all bodies."""

    seat: _Seat | None = None


_here: Final = _Here()


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """While the calling thread waits for other bodies, the slot it holds is free."""
    seat = _here.seat
    if seat is None:
        yield
        return
    _here.seat = None
    try:
        seat.executor._leave(seat)
        yield
    finally:
        seat.executor._return(seat)
        _here.seat = seat


@contextlib.contextmanager
def begun_here() -> Iterator[None]:
    """While the calling thread waits for a body that it has begun itself: its slot is free, but for one of a map with a
    limit, which means its items and not the threads that they need."""
    seat = _here.seat
    if seat is not None and seat.executor.is_of_map:
        yield
        return
    with blocked():
        yield


class ThreadExecutor:
    """Worker threads with slots."""

    def __init__(self, slots: int, name: str = "durable", *, is_of_map: bool = False) -> None:
        self.slots = slots
        self.is_of_map = is_of_map
        """The slots are the limit of one map."""
        self._name = name
        self._lock = threading.Lock()
        self._free = slots
        self._bodies: deque[tuple[Callable[[], Any], concurrent.futures.Future[Any], _Seat]] = deque()
        self._resuming: deque[_Waiter] = deque()
        self._idle: list[_Waiter] = []

    def submit(self, body: Callable[[], T], *, first: bool = False) -> concurrent.futures.Future[T]:
        """Run `body` as soon as a slot is free; `first`: before all others that have not begun."""
        done: concurrent.futures.Future[T] = new_outcome()
        done.seat = seat = _Seat(self)  # type: ignore[attr-defined]
        with self._lock:
            if first:
                self._bodies.appendleft((body, done, seat))
            else:
                self._bodies.append((body, done, seat))
            if not self._free:
                return done
            self._free -= 1
            idle = self._idle.pop() if self._idle else None
        try:
            self._wake(idle)
        except RuntimeError:
            done.cancel()  # nobody can run it, now or later
            raise
        return done

    def blocked(self) -> contextlib.AbstractContextManager[None]:
        """Give the slot of this thread back, whichever executor it is of, while it waits for other bodies."""
        return blocked()

    @staticmethod
    def give_up(body: concurrent.futures.Future[Any]) -> None:
        """A body that was submitted and has begun goes on without a slot."""
        seat: _Seat | None = getattr(body, "seat", None)
        if seat is None:  # it runs in a loop, or on a thread of its own
            return
        executor = seat.executor
        with executor._lock:
            seat.is_given_up, held = True, seat.is_held
            seat.is_held = False
        if held:
            executor._give_back()

    def _leave(self, seat: _Seat) -> None:
        with self._lock:
            held, seat.is_held = seat.is_held, False
        if held:
            self._give_back()

    def _return(self, seat: _Seat) -> None:
        if seat.is_given_up:
            return
        self._take_again()
        with self._lock:
            seat.is_held = not seat.is_given_up
        if not seat.is_held:
            self._give_back()

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
            return
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError:  # the system has no more threads: a body waits for those there are
            with self._lock:
                self._free += 1
                if self._free < self.slots:
                    return
            raise

    def _work(self) -> None:
        waiter = _Waiter()
        seat: _Seat | None = None
        try:
            while (taken := self._next(waiter)) is not None:
                body, done, seat = taken
                _here.seat = seat
                _run(body, done)
                _here.seat = None
                with self._lock:
                    held, seat.is_held = seat.is_held, False
                if not held:
                    return  # it was given up: the slot is another one's already
                seat = None
                del body, done, taken
        except BaseException:
            self._lost(waiter, seat)
            raise

    def _next(self, waiter: _Waiter) -> tuple[Callable[[], Any], concurrent.futures.Future[Any], _Seat] | None:
        """The next body, with the slot this thread holds; None when it should end. `waiter` is the thread's own."""
        while True:
            with self._lock:
                if self._resuming:
                    self._resuming.popleft().set()
                elif self._bodies:
                    return self._bodies.popleft()
                else:
                    self._free += 1
                self._idle.append(waiter)
            if waiter.wait(IDLE_SECONDS):
                continue
            with self._lock:
                if waiter in self._idle:
                    self._idle.remove(waiter)
                    waiter.leaves = True
                    return None
            waiter.wait()  # chosen at the last moment: the slot is ours

    def _lost(self, waiter: _Waiter, seat: _Seat | None) -> None:
        """The thread ends by an error that was thrown into it: its slot, if it holds one, is another one's."""
        with self._lock:
            if waiter in self._idle:
                self._idle.remove(waiter)
                return
            held = seat is None or seat.is_held
            if seat is not None:
                seat.is_held = False
        if held and not waiter.leaves:
            self._give_back()


def _run(body: Callable[[], Any], done: concurrent.futures.Future[Any]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        try:
            value = body()
        except BaseException as error:  # noqa: BLE001 - a user's function was called; the Future carries the error
            done.set_exception(error)
        else:
            done.set_result(value)
    except BaseException as error:
        if not done.done():
            done.set_exception(WorkerLost(f"an error was thrown into a worker thread from outside: {error!r}"))
        raise


def on_fresh_thread(body: Callable[[], T]) -> concurrent.futures.Future[T]:
    """Run `body` on a thread of its own, outside of all slots: for a stack that has become deep."""
    done: concurrent.futures.Future[T] = new_outcome()
    threading.Thread(target=_run, args=(body, done), name="durable-stack", daemon=True).start()
    return done
