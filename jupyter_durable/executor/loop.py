"""Event loops of our own, for async functions that synchronous code starts.

Rules of this file
- The main thread of a kernel always has a running loop, so synchronous code there cannot use it.
- A call runs on the loop of its *level*, the number of async calls above it, or of a deeper one: all requests share the
  loops, and what code on a loop starts, in whichever request, never runs on a loop that may be blocked by who waits for
  it. So async → sync → async cannot deadlock. Code that hides who started it (a thread without the context) may still
  come to a blocked loop: `begun` lets it move on.
- asyncio lets `SystemExit` and `KeyboardInterrupt` of a task through its loop. The task has them as its outcome all the
  same, and the loop goes on: others run on it.
- A loop that does not answer when a run has ended is left to what blocks it; what comes later gets another one.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jupyter_durable.executor.outcomes import new_outcome, wait_for

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

T = TypeVar("T")
ANSWER_SECONDS: Final = 0.8
"""How long a loop that has not answered so far may take before it is replaced."""
BEGIN_SECONDS: Final = 0.05
"""How often it is looked whether a loop has begun what it was given."""
FADE_SECONDS: Final = 1.0
"""How often a loop that was replaced looks whether anything still runs on it."""

above: contextvars.ContextVar[tuple[tuple[int, concurrent.futures.Future[Any]], ...]] = contextvars.ContextVar(
    "jupyter_durable_loops", default=()
)
"""What runs on loops of ours around this code: the level, and what says whether it has ended."""


class LoopThreads:
    """One daemon thread with a running loop for each level that was asked for."""

    def __init__(self) -> None:
        self._loops: dict[int, asyncio.AbstractEventLoop] = {}
        self._doubts: dict[asyncio.AbstractEventLoop, threading.Event] = {}
        self._lock = threading.Lock()

    def submit(self, level: int, body: Callable[[], Coroutine[Any, Any, T]]) -> concurrent.futures.Future[T]:
        """Run the coroutine that `body` makes on the loop of `level`, or of a deeper one, in a copy of the caller's
        context."""
        done: concurrent.futures.Future[T] = new_outcome()
        context = contextvars.copy_context()
        around = tuple(each for each in above.get() if not each[1].done())
        level = next(n for n in itertools.count(level) if all(n != taken for taken, _ in around))
        context.run(above.set, (*around, (level, done)))
        loop = self._loop(level)

        def start() -> None:
            if not done.set_running_or_notify_cancel():
                return
            run: asyncio.Task[T] = loop.create_task(body(), context=context)
            run.add_done_callback(lambda ended: _settle(ended, done))

        loop.call_soon_threadsafe(start, context=context)
        return done

    def begun(self, body: Callable[[], Coroutine[Any, Any, T]]) -> concurrent.futures.Future[T]:
        """As `submit` on the first loop that begins it, for code that waits for it."""
        for level in itertools.count():
            done = self.submit(level, body)
            end = time.monotonic() + ANSWER_SECONDS
            while not done.running() and not done.done() and time.monotonic() < end:
                wait_for([done], BEGIN_SECONDS)
            if done.running() or not done.cancel():
                break
        return done

    def doubt(self, asked: Iterable[tuple[asyncio.AbstractEventLoop, threading.Event]]) -> None:
        """These loops were asked to set these events; one that has not is blocked, unless it does so soon."""
        for loop, answered in asked:
            if not answered.is_set():
                with self._lock:
                    self._doubts[loop] = answered

    def _loop(self, level: int) -> asyncio.AbstractEventLoop:
        with self._lock:
            loop = self._loops.get(level)
            doubt = self._doubts.pop(loop, None) if self._doubts and loop is not None else None
        answers = doubt is None or doubt.wait(ANSWER_SECONDS)
        with self._lock:
            if not answers and loop is not None and self._loops.get(level) is loop:
                del self._loops[level]
                loop.call_soon_threadsafe(loop.stop)
            return self._loops.get(level) or self._new_loop(level)

    def _new_loop(self, level: int) -> asyncio.AbstractEventLoop:
        import asyncio

        loop = self._loops[level] = asyncio.new_event_loop()
        threading.Thread(target=self._serve, args=(level, loop), name=f"durable-loop-{level}", daemon=True).start()
        return loop

    def _serve(self, level: int, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        while self._loops.get(level) is loop or asyncio.all_tasks(loop):
            if self._loops.get(level) is not loop:
                loop.call_later(FADE_SECONDS, loop.stop)
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                loop.run_forever()
        loop.close()


class Contained(Exception):
    """`SystemExit` or `KeyboardInterrupt` on its way out of a task, past the loop."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


async def contained(body: Awaitable[T]) -> T:
    """Its result, for a task of a loop that may be the user's. Raises `Contained` for what would end the loop."""
    try:
        return await body
    except (SystemExit, KeyboardInterrupt) as error:
        raise Contained(error) from None


def _settle(ended: asyncio.Task[T], done: concurrent.futures.Future[T]) -> None:
    if ended.cancelled():
        import asyncio

        done.set_exception(asyncio.CancelledError())
        return
    error = ended.exception()
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(ended.result())
