"""Event loops of our own, for async functions that synchronous code starts.

Rules of this file
- The main thread of a kernel always has a running loop, so synchronous code there cannot use it.
- A call runs on the loop of its *level*, the number of async calls above it. Synchronous code that blocks a loop of
  level n only waits for calls of deeper levels, so async → sync → async cannot deadlock.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_durable.executor.outcomes import new_outcome

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

T = TypeVar("T")


class LoopThreads:
    """One daemon thread with a running loop for each level that was asked for."""

    def __init__(self) -> None:
        self._loops: dict[int, asyncio.AbstractEventLoop] = {}
        self._lock = threading.Lock()

    def submit(self, level: int, body: Callable[[], Coroutine[Any, Any, T]]) -> concurrent.futures.Future[T]:
        """Run the coroutine that `body` makes on the loop of `level`, in a copy of the caller's context."""
        done: concurrent.futures.Future[T] = new_outcome()
        context = contextvars.copy_context()
        loop = self._loop(level)

        def start() -> None:
            if not done.set_running_or_notify_cancel():
                return
            run: asyncio.Task[T] = loop.create_task(body(), context=context)
            run.add_done_callback(lambda ended: _settle(ended, done))

        loop.call_soon_threadsafe(start, context=context)
        return done

    def _loop(self, level: int) -> asyncio.AbstractEventLoop:
        with self._lock:
            loop = self._loops.get(level)
            if loop is None:
                import asyncio

                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name=f"durable-loop-{level}", daemon=True).start()
                self._loops[level] = loop
            return loop


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
