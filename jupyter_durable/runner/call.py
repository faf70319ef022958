"""One call that executes, from its first attempt to its outcome: what `context.drive` turns.

Rules of this file
- A call is settled once: whoever takes it out of `run.open` settles it. Everyone else who comes too late gets
  `Cancelled` (a thread that was given up) or nothing (the run has ended).
- Order of a success: children have ended, result encoded and verified, blob, one commit, then the value goes on.
- What the call is stands in its record, how it ends in `settling`. What its code sees of it is made by `run.scope_of`:
  nothing here knows maps.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from jupyter_durable.context import current, drive, drive_async, scope_here
from jupyter_durable.core.model import CallRow, Status
from jupyter_durable.core.replay import carried
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.executor.visit import Visit, close_here
from jupyter_durable.future import Future, settled, settled_async
from jupyter_durable.loops import running_task
from jupyter_durable.protocols import Scope
from jupyter_durable.runner import children, settling, waiting
from jupyter_durable.runner.arguments import kept
from jupyter_durable.runner.changes import watch
from jupyter_durable.runner.ending import finish
from jupyter_durable.runner.matching import attempts_of
from jupyter_durable.runner.rows import mark, mark_durably, row_of
from jupyter_durable.runner.run import CallRecord
from jupyter_durable.runner.stop import RunStopped, StartOver
from jupyter_durable.serializer.parts import FLAT

if TYPE_CHECKING:
    import asyncio

DEEP: Final = 100
"""Up to this depth of durable calls nobody asks for the limit."""
_is_inert: Final = (FLAT - {str}).issuperset
"""Types of what nobody can change, and what names no file."""
STACK_CALLS: Final = 60
"""So many durable calls deep, a call moves to a fresh stack: Python allows about 1,000 frames in one."""


class ActiveCall(CallRecord):
    """A call that is driven: its record, with what `context.Execution` asks of it."""

    __slots__ = ()

    reused: Final = False
    value: Final = None

    def enter(self, row: CallRow | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Take an identity, the recorded one where there is one, and decide where the function runs."""
        run, parent, plan = self.run, self.parent, self.plan
        if self.depth > DEEP:
            self._refuse_endless()
        if args or kwargs:
            if kwargs or plan.retries or not _is_inert(map(type, args)):
                self.take(args, kwargs)
                self.watched = watch(self.spec.params, self.args, self.kwargs)
            else:
                self.args = args
        if row is None:
            self.identity = next(run.identities)
        else:
            self.row = row
            self.identity = row.identity
            self.flags |= carried(row.flags)
            if row.status in (Status.RUNNING, Status.INTERRUPTED):
                self.attempts = attempts_of(run, row)  # they count; a final failure has a fresh budget
        if parent is not None:
            if not parent.marked:
                mark(parent)
            if plan.is_async:
                parent.body.coroutines.add(self)  # type: ignore[union-attr]  # its place is in it
        if plan.threaded:
            self.invoke = waiting.invoker(self)
        elif self.depth % STACK_CALLS == STACK_CALLS - 1 and not plan.is_async:
            self.invoke = self._on_fresh_stack

    def _refuse_endless(self) -> None:
        """Raises `RecursionError` for a call that stands deeper than Python lets functions stand."""
        limit, levels = sys.getrecursionlimit(), self.levels()
        if levels > limit:
            raise RecursionError(
                f"{self.name} is {levels} durable calls deep: a recursion that does not end? "
                "sys.setrecursionlimit() says how deep they may be"
            )

    def take(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The arguments of the call, kept for further attempts where there may be any. Raises `SDKUsageError`."""
        run, plan = self.run, self.plan
        if plan.retries:
            self.pristine = kept(plan.name, self.spec.params, (args, kwargs), run.warn)
            if self.pristine.replaced:
                args, kwargs = self.pristine.fresh()
        self.args = args
        self.kwargs = kwargs
        files = run.files.begun(args, kwargs)
        if files is not None:
            self.leave_traces().files = files

    def _on_fresh_stack(self, *args: Any, **kwargs: Any) -> Any:
        return waiting.on_fresh_stack(self, lambda: self.plan.fn(*args, **kwargs))

    def in_time(self) -> Any:
        """Itself; when the request of its cell ended well before it was awaited, the same call made here and now.

        Raises `SDKUsageError` where no request can own it.
        """
        run = self.run
        if not run.ended or run.outcome != Status.SUCCEEDED or run.stopped is not None:
            return self
        return scope_here().begin(self.spec, self.args, self.kwargs)

    def attempt(self) -> contextvars.Token[Scope | None]:
        """Start an attempt."""
        run = self.run
        self.attempts += 1
        self.turn_started = run.monotonic()
        first = not self.started_at
        if first:
            self.started = self.turn_started
            self.started_at = run.now()
        self.thread_id = threading.get_ident()
        plan = self.plan
        if plan.is_async:
            self.task = running_task()
            close_here()
        elif self.thread_id != run.main_id and self.invoke is plan.fn:
            self.visit = Visit()
            self.invoke = partial(self.visit.run, plan.fn)
        retries = plan.retries
        if retries:
            self.marked = True  # before the pulse sees the call: this mark is committed here
        if first:
            run.open[self] = None
        parent = self.parent
        # Asked once the call is in `open`: who stops the run, or ends an attempt, says so first and looks there then.
        if run.stopped is not None or run.closed:
            self._refuse(first)
        if parent is not None:
            body = parent.body
            # Over is also the pass through the caller's code that began this call, or this call was given up.
            if parent.fenced or body is None or body.pass_no != self.pass_no or self not in run.open:
                self._refuse(first)
        if retries:
            mark_durably(self)  # the budget must survive a kill
            if run.stopped is not None or run.closed:  # a commit may take long
                self._refuse(first)
        if self.fenced or (run.workers.stuck and (run.id, self.identity) in run.workers.stuck):
            self.invoke = waiting.after_stuck(self, self.invoke)
        if parent is not None and (clock := parent.deadline) is not None and self.paused is None:
            self.paused = clock
            clock.pause()
        for listener in run.listeners:
            if listener.hears_starts:  # making the row costs as much as the rest of a call
                listener.started(row_of(self, Status.RUNNING))
        return current.set(run.scope_of(self))

    def _refuse(self, first: bool) -> NoReturn:
        """Nothing begins any more. A call that has never begun leaves no trace."""
        if first and self.parent is not None:
            self.take_out()
        self.refuse()

    def resolve(self, value: Any) -> Any:
        """The result of a tail call."""
        if isinstance(value, Future) and value.started:
            raise SDKUsageError(f"{self.name} returned a running Future; return its .result(), or do not start it")
        self.tail = True
        return settled([value], self.run.scope_of(self))[0]

    async def resolve_async(self, value: Any) -> Any:
        """As `resolve`, in the running loop."""
        if isinstance(value, Future) and value.started:
            raise SDKUsageError(f"{self.name} returned a Future that is running; await it, or do not start it")
        self.tail = True
        return (await settled_async([value]))[0]

    def succeed(self, value: Any) -> Any:
        """Settle as succeeded; returns the value once it is durable (for map items: once it is handed over)."""
        if self.body is not None and self.start_over is None:
            with suppress(StartOver):  # one of the children has found it
                children.for_children(self)
        if self.start_over is not None:
            self.fail(StartOver())
            return drive(self)
        row, writes = settling.completed(self, value)
        run = self.run
        if self.parent is None:
            finish(run, row, Status.SUCCEEDED, None, writes)
        elif self.handoff is not None:
            self.handoff(row, writes)
        else:
            try:
                run.record(row, writes)
            except KeyboardInterrupt:  # while it waits for the commit, which goes on
                settling.ended(self, row)
                raise
        settling.ended(self, row)
        return self._after_success(value)

    async def succeed_async(self, value: Any) -> Any:
        """As `succeed`; while a group commits the loop goes on."""
        if self.body is not None and self.start_over is None:
            with suppress(StartOver):
                await children.for_children_async(self)
        if self.start_over is not None:
            self.fail(StartOver())
            return await drive_async(self)
        row, writes = settling.completed(self, value)
        run = self.run
        if self.parent is None:
            finish(run, row, Status.SUCCEEDED, None, writes)
        elif run.journal.alone():
            run.record(row, writes)
        else:
            import asyncio

            loop = asyncio.get_running_loop()
            durable: asyncio.Future[BaseException | None] = loop.create_future()
            run.post(row, lambda error: _set_soon(loop, durable, error), writes)
            try:
                error = await durable
            except BaseException:  # its task is cancelled; the outcome is on its way all the same
                settling.ended(self, row)
                raise
            if error is not None:
                run.stop(error)
                raise RunStopped(error)
        settling.ended(self, row)
        return self._after_success(value)

    def _after_success(self, value: Any) -> Any:
        """The value, for the caller. Where the run was stopped meanwhile the outcome is kept, and the caller is left.

        The function may have caught what it was to be left with.
        """
        stopped = self.run.stopped
        if stopped is not None and self.parent is not None and self.handoff is None:
            raise RunStopped(stopped)
        return value

    def fail(self, error: BaseException) -> float:
        """Settle the attempt as failed: the delay before the next one in seconds; raises when there is none."""
        __tracebackhide__ = True
        return settling.fail(self, error)

    def leave(self, error: BaseException) -> None:
        """It is driven no longer. Where that came while it waited (for children, a turn, a commit), it is cut off."""
        if self.forked:
            return
        if self in self.run.open:
            settling.interrupted(self, error)
        self.left()

    def settle_failed(self, error: BaseException) -> None:
        """The body of a cell raised: record it; the notebook shows the exception itself."""
        settling.settle_failed(self, error)

    def pause(self, delay: float) -> None:
        """Wait for the next attempt."""
        waiting.pause(self, delay)

    async def pause_async(self, delay: float) -> None:
        """As `pause`, in the running loop."""
        await waiting.pause_async(self, delay)


def _set_soon(
    loop: asyncio.AbstractEventLoop, durable: asyncio.Future[BaseException | None], error: BaseException | None
) -> None:
    def settle() -> None:
        if not durable.done():
            durable.set_result(error)

    loop.call_soon_threadsafe(settle)
