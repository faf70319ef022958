"""How user code is left when it must not go on.

These pass through `except Exception` in user code: what they say is not the user's to handle. They never leave the
runner, but for the body of a cell or of a script: the run turns them into the error it stopped for.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from jupyter_durable.executor.visit import Visit, throw
from jupyter_durable.loops import running_loop
from jupyter_durable.runner.signals import send

if TYPE_CHECKING:
    import asyncio

SIGNALS: Final = 4
SIGNAL_SECONDS: Final = 0.2
"""How often, and at what distance, the main thread is interrupted until it is out of a call: within a second."""


class RunStopped(BaseException):
    """The run has ended under the call: cancelled, lost to another process, or the store failed.

    Its argument is that reason: the body of a cell or of a script is left with this.
    """


class StartOver(BaseException):
    """The body of a call begins again: a match by place was wrong."""


class AttemptGivenUp(BaseException):
    """The attempt has run out of time, or that of a call above it has failed: what it still does is not kept."""


class Stay(Protocol):
    """A call that executes, as who makes it leave its function sees it."""

    @property
    def task(self) -> asyncio.Task[Any] | None:
        """The task it runs in, where its function is async."""

    @property
    def visit(self) -> Visit | None:
        """The stay in its function, where an error may be thrown into that thread."""

    @property
    def thread_id(self) -> int:
        """The thread that drives it."""


class Told:
    """Whether what executes knows that it must not go on. Made before anybody can see that the run has stopped."""

    __slots__ = ("_threads", "tasks")

    def __init__(self) -> None:
        self._threads = threading.Event()
        """Set when every thread was told, or was seen in its function, and `tasks` is whole."""
        self.tasks: list[tuple[asyncio.AbstractEventLoop, threading.Event]] = []
        """The loops that were asked to cancel tasks, and what each sets when it has done so."""

    def cancel(self, call: Stay) -> None:
        """Cancel the task of a call, in any loop, from any thread, unless it has left the call by then.

        Once, so that what user code does on its way out is not cut off.
        """
        task = call.task
        if task is None:
            return
        loop, told = task.get_loop(), threading.Event()

        def cancel() -> None:
            if call.task is task:
                task.cancel()
            told.set()

        with contextlib.suppress(RuntimeError):  # the loop has been closed: nothing runs in it
            loop.call_soon_threadsafe(cancel)
            self.tasks.append((loop, told))

    def throw(self, visits: Iterable[Visit], error: type[BaseException]) -> None:
        """Leave these stays with `error`. The last step: the tasks have been cancelled."""
        throw(visits, error, self._threads)

    def wait(self, seconds: float) -> None:
        """Until nothing begins any more, but for what the loop of this thread has in hand, or at most so long."""
        end = time.monotonic() + seconds
        self._threads.wait(seconds)
        here = running_loop()
        for loop, told in self.tasks:
            if loop is not here:
                told.wait(max(0.0, end - time.monotonic()))


def interrupt_main(runs_on: Callable[[], bool]) -> None:
    """SIGINT for the main thread, and again while `runs_on` says that what it was for is still there.

    One that comes at the moment at which `time.sleep` begins is seen only when the sleep is over.
    """
    main = threading.main_thread().ident
    assert main is not None

    def body() -> None:
        for _ in range(SIGNALS):
            if not runs_on():
                return
            send(main, runs_on)
            time.sleep(SIGNAL_SECONDS)

    threading.Thread(target=body, name="durable-cancel", daemon=True).start()


def leave_all(open_calls: Iterable[Stay], told: Told, *, but: Stay | None = None) -> None:
    """Leave the functions of all calls that execute, but for those of the calling thread, and for the call `but`."""
    here, main = threading.get_ident(), threading.main_thread().ident
    on_main: Stay | None = None
    visits: list[Visit] = []
    tasks: dict[asyncio.Task[Any], Stay] = {}
    for call in list(open_calls):
        if call is but:
            continue
        if call.task is not None:
            tasks[call.task] = call  # the innermost one of each: who catches it there has its caller left by `succeed`
            continue
        if call.visit is not None:
            visits.append(call.visit)
        if call.thread_id == main and call.thread_id != here:
            on_main = call  # the innermost one
    for call in tasks.values():
        told.cancel(call)
    told.throw(visits, RunStopped)
    if (innermost := on_main) is not None:
        interrupt_main(lambda: innermost.thread_id == main)  # so that time.sleep(60) ends
