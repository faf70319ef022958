"""One function call of a run, from its first attempt to its outcome.

Rules of this file
- A call is settled once: whoever takes it out of `run.open` settles it. Everyone else who comes too late gets
  `Cancelled` (a thread that was given up) or nothing (the run has ended).
- Order of a success: children have ended, result encoded and verified, blob, one commit, then the value goes on.
- The started mark of a call is written when its first child begins (in the same commit at the latest), by the pulse of
  the run, or, when it must be durable before the function runs, by a commit of its own.
- What is done for every call is written for speed (design section 6): one dict entry, no objects that a leaf does not
  need. A `Body` is made when the first child begins.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from jupyter_durable.context import Deferred, current, drive, drive_async, scope_here
from jupyter_durable.core.model import (
    CallRow,
    Flag,
    Kind,
    Status,
)
from jupyter_durable.core.replay import WrongMatch, carried, drift_of, reusable
from jupyter_durable.core.strict import Divergence
from jupyter_durable.coroutine import DurableCoroutine
from jupyter_durable.errors import Cancelled, SDKUsageError
from jupyter_durable.executor.visit import Visit, close_here
from jupyter_durable.future import Future, in_copied_context, refuse_nested, settled, settled_async
from jupyter_durable.protocols import MapOptions, Scope
from jupyter_durable.runner import mapping, nodes, reducing, waiting
from jupyter_durable.runner.arguments import kept
from jupyter_durable.runner.body import Body
from jupyter_durable.runner.changes import watch
from jupyter_durable.runner.matching import attempts_of, bodies_before, drifted, mismatched, new_body, refused
from jupyter_durable.runner.opened import changed_file
from jupyter_durable.runner.settling import CallSettling
from jupyter_durable.runner.stop import RunStopped, StartOver
from jupyter_durable.serializer.base import PICKLE
from jupyter_durable.serializer.canonical import FLAT
from jupyter_durable.serializer.digest import args_digest

if TYPE_CHECKING:
    from jupyter_durable.function import Spec
    from jupyter_durable.runner.plan import Plan

DEEP: Final = 100
"""Up to this depth of durable calls nobody asks for the limit."""
_is_inert: Final = (FLAT - {str}).issuperset
"""Types of what nobody can change, and what names no file."""
STACK_CALLS: Final = 60
"""So many durable calls deep, a call moves to a fresh stack: Python allows about 1,000 frames in one."""


class Served:
    """A call that was served from its checkpoint."""

    __slots__ = ("value",)

    reused: Final = True

    def __init__(self, value: Any) -> None:
        self.value = value


class ActiveCall(CallSettling):
    """A call that executes in this run: `Execution` to whoever drives it, `Scope` to the code that runs in it."""

    __slots__ = ()

    reused: Final = False
    value: Final = None

    def begin(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], seq: int | None = None) -> Any:
        """Begin a call of `spec` in this body: serve it from its checkpoint, or return what is to be driven."""
        run = self.run
        if run.stopped is not None or self.fenced or run.closed:
            self.check()
        if spec.owner is not None:
            args = spec.bind(args)
        for value in args:
            if isinstance(value, Deferred):
                args = tuple(settled(args, self))
                break
        if kwargs:
            kwargs = dict(zip(kwargs, settled(list(kwargs.values()), self), strict=True))
        digest, weak = args_digest(spec.params, args, kwargs, run.digesting)
        if weak:
            refuse_nested(spec.name, [*args, *kwargs.values()])
            if weak & Flag.TOO_LARGE:
                run.notices.too_large(spec, args, kwargs)
        plan = run.plans.get(spec)
        if plan is None or plan.holds is not None:
            plan = run.plan(spec)
        body = self.body or self.open_body()
        with body.lock:
            if seq is None:
                seq = body.next_seq
                body.next_seq = seq + 1
            row = again = None
            if body.matcher is not None:
                try:
                    row, changed = body.matcher.match(seq, Kind.FUNCTION, plan.name, digest)
                except (WrongMatch, Divergence) as found:
                    row, changed = mismatched(self, found)
                if row is not None and plan.durable and reusable(row):
                    why = 0 if run.options.reuse_changed else refused(run, row, plan, changed)
                    if not why:
                        if weak:
                            run.unread.served(plan.name, spec.params, (args, kwargs))
                        return self.serve(body, row, seq, plan, changed and drift_of(row, weak))
                    again = row.identity if changed else None
                    row = row._replace(flags=row.flags | why)
                elif row is None:
                    again = body.matcher.stands_at(seq, Kind.FUNCTION, plan.name)
                # What was served so far is known at the latest with the outcome of what executes after it: a wrong
                # match of a pass that is killed is found through these.
                run.later_all(run.sealer.placed(body.matcher.take_reached()))
        if weak:
            run.unread.refuse(plan.name, spec.params, (args, kwargs))
        if again is not None:
            run.notices.ran_again(self, again, spec, (args, kwargs), sure=row is not None)
        call = ActiveCall(self, run, spec, Kind.FUNCTION, plan, (body.pass_no, seq, digest, plan.flags | weak))
        call.enter(row, args, kwargs)
        return call

    def serve(self, body: Body, row: CallRow, seq: int, plan: Plan, drift: int, *, opened: bool = True) -> Served:
        """The recorded outcome of a call at `seq`, its value only if `opened`; `drift`: its marks. The lock is held."""
        run, flags = self.run, drift
        value = (run.open_value if opened else run.sealer.check)(row)
        if row.code != plan.code or (row.below is not None and drifted(run, row, plan)):
            flags |= Flag.CODE_CHANGED
        if row.files and changed_file(row.files, below=True) is not None:
            flags |= Flag.FILE_CHANGED
        body.matcher.reuse(seq, row, flags)  # type: ignore[union-attr]
        self._called(row)
        if run.in_hand is not None and opened and row.codec == PICKLE:
            run.in_hand(row, value)
        run.count_reused(row, flags)
        if row.writes is not None:
            run.apply_writes(self, row)
        for listener in run.listeners:
            listener.reused(row, seq, body.pass_no, flags)
        return Served(value)

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
        if parent is not None and not parent.marked:
            parent.mark()
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
        self.files = run.files.begun(args, kwargs)

    def open_body(self) -> Body:
        """Begin a pass through the code of this call."""
        run = self.run
        again = self.row is not None and self.row.pass_no >> 16 == run.number
        if self.body is None and (self.bodies or again):
            run.flush()  # what the passes before left is read back; not under the lock, which the store may wait for
        with run.lock:
            if self.body is None:
                recorded = self.row is not None or self.bodies > 0
                if again and not self.bodies:
                    self.bodies = bodies_before(self)
                self.body = new_body(self, self.bodies, recorded)
                self.bodies += 1
            return self.body

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

    # what user code begins

    def reserve(self) -> int:
        """Keep a place in this body."""
        self.check()
        body = self.body or self.open_body()
        with body.lock:
            seq = body.next_seq
            body.next_seq = seq + 1
        return seq

    def map(self, spec: Spec, items: Iterable[Any], options: MapOptions, seq: int | None = None) -> list[Any]:
        """Call `spec` for each item."""
        return mapping.run_map(self, spec, items, options, seq)

    def map_async(
        self, spec: Spec, items: Iterable[Any], options: MapOptions, seq: int | None = None
    ) -> Coroutine[Any, Any, list[Any]]:
        """As `map`, for async functions, in the running loop."""
        return DurableCoroutine(f"{spec.name}.map", mapping.run_map_async(self, spec, items, options, seq), self.run.id)

    def reduce(self, spec: Spec, items: Iterable[Any], initial: tuple[Any, ...], seq: int | None = None) -> Any:
        """Fold the items."""
        return reducing.run_reduce(self, spec, items, initial, seq)

    def reduce_async(
        self, spec: Spec, items: Iterable[Any], initial: tuple[Any, ...], seq: int | None = None
    ) -> Coroutine[Any, Any, Any]:
        """As `reduce`, for async functions."""
        return DurableCoroutine(
            f"{spec.name}.reduce", reducing.run_reduce_async(self, spec, items, initial, seq), self.run.id
        )

    def recorded(self, name: str, make: Callable[[], Any]) -> Any:
        """A value that is made once and recorded: the time, a random number."""
        return nodes.recorded_value(self, name, make)

    def spawn(
        self, body: Callable[[], Any], is_async: bool, *, blocking: bool = False
    ) -> concurrent.futures.Future[Any]:
        """Run `body` beside this one; this call ends only when it has ended."""
        self.check()
        own = self.body or self.open_body()
        future = waiting.start(self, in_copied_context(body) if not is_async else body, is_async, blocking=blocking)
        own.spawned.append(future)
        return future

    # driving

    def attempt(self) -> contextvars.Token[Scope | None]:
        """Start an attempt."""
        run = self.run
        self.attempts += 1
        self.turn_started = run.monotonic()
        first = not self.started_at
        if first:
            self.started_at = run.now()
            self.started = self.turn_started
        self.thread_id = threading.get_ident()
        plan = self.plan
        if plan.is_async:
            self.task = asyncio.current_task()
            close_here()
        elif self.thread_id != run.main_id and self.invoke is plan.fn:
            self.visit = Visit()
            self.invoke = partial(self.visit.run, plan.fn)
        retries = plan.retries
        if retries:
            self.marked = True  # before the pulse sees the call: this mark is committed here
        if first:
            run.open[self.identity] = self
        parent = self.parent
        # Asked once the call is in `open`: who stops the run, or ends an attempt, says so first and looks there then.
        if run.stopped is not None or run.closed:
            self._refuse(first)
        if parent is not None:
            body = parent.body
            # Over is also the pass through the caller's code that began this call, or this call was given up.
            if parent.fenced or body is None or body.pass_no != self.pass_no or run.open.get(self.identity) is not self:
                self._refuse(first)
        if retries:
            self._mark_durably()  # the budget must survive a kill
        if parent is not None and (clock := parent.deadline) is not None and self.paused is None:
            self.paused = clock
            clock.pause()
        for listener in run.listeners:
            if listener.hears_starts:  # making the row costs as much as the rest of a call
                listener.started(self.row_of(Status.RUNNING))
        return current.set(self)

    def _refuse(self, first: bool) -> NoReturn:
        """Nothing begins any more. A call that has never begun leaves no trace."""
        run = self.run
        if first and self.parent is not None:
            run.open.pop(self.identity, None)
        if run.stopped is not None:
            raise RunStopped(run.stopped)
        self.check()
        raise Cancelled(f"{self.text()}: the attempt that began it is over; it is not executed")

    def resolve(self, value: Any) -> Any:
        """The result of a tail call."""
        if isinstance(value, Future) and value.started:
            raise SDKUsageError(f"{self.name} returned a running Future; return its .result(), or do not start it")
        self.tail = True
        return settled([value], self)[0]

    async def resolve_async(self, value: Any) -> Any:
        """As `resolve`, in the running loop."""
        if isinstance(value, Future) and value.started:
            raise SDKUsageError(f"{self.name} returned a Future that is running; await it, or do not start it")
        self.tail = True
        return (await settled_async([value]))[0]

    def succeed(self, value: Any) -> Any:
        """Settle as succeeded; returns the value once it is durable (for map items: once it is handed over)."""
        if self.start_over is not None:
            self.fail(StartOver())
            return drive(self)
        if self.body is not None:
            waiting.for_children(self)
        row, writes = self.completed(value)
        run = self.run
        if self.parent is None:
            run.finish(row, Status.SUCCEEDED, None, writes)
        elif self.handoff is not None:
            self.handoff(row, writes)
        else:
            run.record(row, writes)
        self.ended(row)
        return value

    async def succeed_async(self, value: Any) -> Any:
        """As `succeed`; while a group commits the loop goes on."""
        if self.start_over is not None:
            self.fail(StartOver())
            return await drive_async(self)
        await waiting.for_children_async(self)
        row, writes = self.completed(value)
        run = self.run
        if self.parent is None:
            run.finish(row, Status.SUCCEEDED, None, writes)
        elif run.journal.alone():
            run.record(row, writes)
        else:
            loop = asyncio.get_running_loop()
            durable: asyncio.Future[BaseException | None] = loop.create_future()
            run.post(row, lambda error: _set_soon(loop, durable, error), writes)
            error = await durable
            if error is not None:
                run.stop(error)
                raise RunStopped(error)
        self.ended(row)
        return value

    def pause(self, delay: float) -> None:
        """Wait for the next attempt."""
        if delay > 0:
            with self.blocked():
                self.run.sleep(delay)
        self._still_open()

    async def pause_async(self, delay: float) -> None:
        """As `pause`, in the running loop."""
        await self.run.sleep_async(delay)
        self._still_open()

    def _still_open(self) -> None:
        """Raises when there is to be no further attempt. Not `check`: an attempt that was given up may have another."""
        if self.run.stopped is not None or self.run.open.get(self.identity) is not self:
            self._refuse(first=False)


def _set_soon(
    loop: asyncio.AbstractEventLoop, durable: asyncio.Future[BaseException | None], error: BaseException | None
) -> None:
    def settle() -> None:
        if not durable.done():
            durable.set_result(error)

    loop.call_soon_threadsafe(settle)


__all__ = ["ActiveCall", "Served"]
