"""The `max_concurrency` of async functions: how many of their bodies run at a time, on whichever loops.

Rules of this file
- As a thread with its slot: a body that waits while durable calls below it execute gives its permit back, and takes one
  again before it goes on. So calls that wait for each other cannot deadlock.
- Calls that are awaited in the body's own task are stepped through it: it takes its permit when they have ended, at the
  turn of the loop that whoever awaits them gives it (`context.in_turn`). After all other waits it takes it at once.
- A body that is told to end ends without one: nothing waits for its turn to tidy up.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Generator
from types import coroutine
from typing import TYPE_CHECKING, Any

from jupyter_durable.executor.permits import Permits
from jupyter_durable.loops import running_task
from jupyter_durable.runner.countdown import Countdown
from jupyter_durable.runner.run import CallRecord

if TYPE_CHECKING:
    import asyncio


class Holder(Countdown):
    """The clock of a body that holds a permit: where it stands still for calls below, others may have the permit."""

    __slots__ = ("_below", "_check", "_inside", "_permits", "_suspended", "_turns", "is_held", "leaves", "task")

    def __init__(self, call: CallRecord, permits: Permits) -> None:
        super().__init__(call.plan.timeout, call.run.monotonic)
        self._permits = permits
        self._check = call.check
        self._turns = threading.Lock()
        self._below = self._inside = 0
        self.task: asyncio.Task[Any] | None = None
        """In which the body runs."""
        self._suspended = False
        self.is_held = True
        self.leaves = False
        """The body was told to end, or has ended."""

    def pause(self) -> None:
        """A durable call below begins."""
        super().pause()
        self._count(1)

    def resume(self) -> None:
        """It has ended."""
        super().resume()
        self._count(-1)

    def begin(self) -> None:
        """The body begins, in this task."""
        super().resume()
        self.task = running_task()

    def end(self) -> None:
        """The body has ended: the clock says how long it took, however late it is asked."""
        super().pause()

    def _count(self, calls: int) -> None:
        with self._turns:
            self._below += calls
            if running_task() is self.task:
                self._inside += calls
            self._lend()

    @property
    def is_blocked(self) -> bool:
        """Whether the body has its permit and stands in synchronous code of ours, which may wait."""
        return self.is_held and self._inside > 0 and not self._suspended

    def suspend(self) -> None:
        """The body waits for something."""
        with self._turns:
            self._suspended = True
            self._lend()

    def _lend(self) -> None:
        if self._suspended and self._below > 0 and self.is_held:
            self.is_held = False
            self._permits.give_back()

    async def go_on(self) -> None:
        """The body is about to go on."""
        with self._turns:
            self._suspended = False
            if self.is_held or self.leaves or self._inside:
                return
        super().pause()
        try:
            await self._permits.take(self._check, again=True)
        finally:
            super().resume()
        with self._turns:
            self.is_held = not self.leaves
        if not self.is_held:
            self._permits.give_back()

    def over(self) -> None:
        """The body has ended, or is not waited for any more."""
        with self._turns:
            held, self.is_held, self.leaves = self.is_held, False, True
        if held:
            self._permits.give_back()


@contextlib.asynccontextmanager
async def permitted(call: CallRecord) -> AsyncIterator[Countdown]:
    """The clock of `call`, which has a permit of its function where that has `max_concurrency`.

    A call inside one that blocks its loop, and so cannot lend its permit, shares it: recursion cannot wait for itself.
    """
    limit = call.plan.max_concurrency
    permits = call.run.workers.permits(call.name, limit) if limit is not None else None
    if permits is None or not await _taken(call, permits):
        yield Countdown(call.plan.timeout, call.run.monotonic)
        return
    holder = Holder(call, permits)
    try:
        yield holder
    finally:
        holder.over()


async def _taken(call: CallRecord, permits: Permits) -> bool:
    """Wait for a permit; whether `call` has one of its own."""

    def look() -> None:
        call.check()
        if _is_kept_above(call):
            raise _Shares

    try:
        await permits.take(look)
    except _Shares:
        return False
    return True


class _Shares(Exception):
    """A call above has the permit, and waits for this one in synchronous code."""


def _is_kept_above(call: CallRecord) -> bool:
    above = call.parent
    while above is not None:
        if above.name == call.name and isinstance(above.deadline, Holder) and above.deadline.is_blocked:
            return True
        above = above.parent
    return False


@coroutine
def lending(body: Any, holder: Holder) -> Generator[Any, Any, Any]:
    """Await `body`, which holds its permit whenever its own code runs."""
    steps = body.__await__()
    step, given = steps.send, None
    while True:
        try:
            awaited = step(given)
        except StopIteration as ended:
            return ended.value
        finally:
            given = None  # it may be an error, whose traceback leads here
        holder.suspend()
        try:
            given, step = (yield awaited), steps.send
            again = holder.go_on()
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:  # noqa: BLE001 - it is for the body
            given, step = error, steps.throw
            again = holder.go_on()
        try:
            yield from again.__await__()
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:  # noqa: BLE001
            given, step = error, steps.throw
