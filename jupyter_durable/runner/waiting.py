"""How a call waits: for its function on another thread, for the children it started, for time to pass.

Rules of this file
- Every wait wakes now and then and looks whether the run was stopped.
- A wait that is over its deadline settles the call and releases its caller, even where the thread cannot be stopped;
  such a thread is remembered, and the next attempt of that call waits for it.
- However a wait is left, nothing it waited for begins afterwards.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.errors import TimeoutError
from jupyter_durable.executor.thread import ThreadExecutor, begun_here, on_fresh_thread
from jupyter_durable.executor.visit import Visit, throw
from jupyter_durable.future import LONGEST_POLL_SECONDS, in_copied_context
from jupyter_durable.runner.countdown import Countdown
from jupyter_durable.runner.stop import AttemptGivenUp, RunStopped, cancel_task

if TYPE_CHECKING:
    from jupyter_durable.runner.scope import CallScope

POLL_SECONDS: Final = 0.1
WATCH_SECONDS: Final = 0.25
"""How long a watchdog sleeps at most: progress gives time back, and a test moves the clock."""
PERMIT_SECONDS: Final = 0.005
SETTLE_SECONDS: Final = 0.8
"""How long children that were told to stop may take before they are given up."""
SEEN_SECONDS: Final = 0.3
"""How long is waited until all threads were told, or were seen in their functions."""


def invoker(call: CallScope) -> Callable[..., Any]:
    """What runs the function of a call that has a timeout, or that asks for a thread."""
    plan = call.plan
    if plan.is_async:
        return lambda *args, **kwargs: _async_with_deadline(call, args, kwargs)
    if plan.inline:
        return lambda *args, **kwargs: _inline_with_deadline(call, args, kwargs)
    return lambda *args, **kwargs: _on_worker(call, args, kwargs)


def _over(call: CallScope) -> TimeoutError:
    return TimeoutError(
        f"{call.text()}, attempt {call.attempts}: no result and no progress for {call.plan.timeout:g} s (its timeout). "
        "Raise the timeout, report progress with RequestContext.get().progress, or pass timeout=None"
    )


def _on_worker(call: CallScope, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    __tracebackhide__ = True
    _wait_for_stuck(call)
    visit, clock = _begin_visit(call)
    done: concurrent.futures.Future[Any] | None = None

    def body() -> Any:
        __tracebackhide__ = True
        clock.resume()
        return visit.run(call.plan.fn, *args, **kwargs)

    try:
        # A function with `max_concurrency` has threads of its own, so the limit holds however it is called.
        done = call.run.threads_of(call.plan).submit(in_copied_context(body), first=True)
        with begun_here():
            try:
                _until(call, done, clock)
            except TimeoutError:
                fenced, call.fenced = call.fenced, True
                throw([visit], AttemptGivenUp)
                concurrent.futures.wait([done], POLL_SECONDS)  # as a rule it ends at once
                call.fenced = fenced
                raise
            finally:
                if not done.done() and not done.cancel():
                    ThreadExecutor.give_up(done)  # before this thread takes a slot again: it may be the only one
    except BaseException:  # the time is over, the run has stopped, or the user interrupts this thread
        _give_up(call, done, visit)
        raise
    finally:
        call.deadline = None
    return done.result()


def _begin_visit(call: CallScope) -> tuple[Visit, Countdown]:
    """What an attempt with a clock is watched by. Raises when nothing may begin any more."""
    visit = call.visit = Visit()
    clock = call.deadline = Countdown(call.plan.timeout, call.run.monotonic)
    _look(call)  # whoever stops the run from now on finds the visit
    return visit, clock


def _look(call: CallScope) -> None:
    """Raises when whoever waits for the function of `call` need not wait any longer."""
    if call.run.stopped is not None:
        raise RunStopped(call.run.stopped)
    if call.fenced or (call.parent is not None and call.parent.fenced):
        raise AttemptGivenUp


def _until(call: CallScope, done: concurrent.futures.Future[Any], clock: Countdown) -> None:
    """Wait for the function. Raises when its time is over, and when it was given up."""
    while not done.done():
        concurrent.futures.wait([done], POLL_SECONDS)
        if done.done():
            return
        _look(call)
        if (left := clock.remaining()) is not None and left <= 0:
            raise _over(call)


def _give_up(call: CallScope, done: concurrent.futures.Future[Any] | None, visit: Visit) -> None:
    """Nothing the thread still does counts; it is told to end, and remembered while it does not."""
    fenced, call.fenced = call.fenced, True
    throw([visit], AttemptGivenUp)  # a function that has not begun never does
    if done is None or done.cancel() or done.done():
        call.fenced = fenced
    else:
        ThreadExecutor.give_up(done)
        call.run.workers.stuck[call.run.id, call.identity] = done


def _wait_for_stuck(call: CallScope) -> None:
    """An earlier attempt of this call may still run: two at once would break `at most one attempt at a time`."""
    key = (call.run.id, call.identity)
    stuck = call.run.workers.stuck.get(key)
    if stuck is None:
        return
    told = False
    with begun_here():
        while not stuck.done():
            concurrent.futures.wait([stuck], POLL_SECONDS)
            if not told and not stuck.done():
                told = True
                _tell_of_stuck(call)
            if call.run.stopped is not None:
                raise RunStopped(call.run.stopped)
    call.run.workers.stuck.pop(key, None)
    call.fenced = False


def _tell_of_stuck(call: CallScope) -> None:
    call.run.warn(f"{call.text()}: an earlier attempt is still running; the next one waits for it")


def _inline_with_deadline(call: CallScope, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    __tracebackhide__ = True
    visit, clock = _begin_visit(call)
    over, late = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(max(0.0, min(_remaining(clock), WATCH_SECONDS))):
            if _remaining(clock) <= 0:
                late.set()
                throw([visit], AttemptGivenUp)
                return

    threading.Thread(target=watch, name="durable-watchdog", daemon=True).start()
    try:
        clock.resume()
        value = visit.run(call.plan.fn, *args, **kwargs)
    except AttemptGivenUp:
        if not late.is_set():
            raise
    finally:
        over.set()
        call.deadline = None
    if late.is_set():
        raise _over(call)
    return value


def _remaining(clock: Countdown) -> float:
    left = clock.remaining()
    return 1.0 if left is None else left


async def _async_with_deadline(call: CallScope, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    await _wait_for_stuck_async(call)
    async with _permit(call):
        call.check()
        return await _under_deadline(call, args, kwargs)


@contextlib.asynccontextmanager
async def _permit(call: CallScope) -> AsyncIterator[None]:
    """One of the function's `max_concurrency` permits. A call inside another call of the function shares its permit,
    so that recursion cannot wait for itself."""
    limit = call.plan.max_concurrency
    above = call.parent
    while above is not None and above.name != call.name:
        above = above.parent
    if limit is None or above is not None:
        yield
        return
    permits = call.run.workers.permits(call.name, limit)
    while not permits.acquire(blocking=False):  # callers may be on several loops, so no loop's own semaphore will do
        await asyncio.sleep(PERMIT_SECONDS)
        call.check()
    try:
        yield
    finally:
        permits.release()


async def _under_deadline(call: CallScope, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    clock = call.deadline = Countdown(call.plan.timeout, call.run.monotonic)

    async def timed() -> Any:
        __tracebackhide__ = True
        clock.resume()
        return await call.plan.fn(*args, **kwargs)

    body = asyncio.ensure_future(timed())
    try:
        while not body.done():
            await asyncio.wait({body}, timeout=POLL_SECONDS)
            if not body.done() and _remaining(clock) <= 0:
                fenced, call.fenced = call.fenced, True
                body.cancel()
                await asyncio.wait({body}, timeout=SETTLE_SECONDS)
                if body.done():
                    call.fenced = fenced
                else:
                    call.run.workers.stuck[call.run.id, call.identity] = _end_of(body)
                raise _over(call)
        return body.result()
    finally:
        call.deadline = None
        if not body.done():
            body.cancel()


def _end_of(task: asyncio.Task[Any]) -> concurrent.futures.Future[None]:
    """Is done when the task is; any thread may look."""
    ended: concurrent.futures.Future[None] = concurrent.futures.Future()
    task.add_done_callback(lambda _: ended.set_result(None))
    return ended


async def _wait_for_stuck_async(call: CallScope) -> None:
    """As `_wait_for_stuck`, in the running loop."""
    key = (call.run.id, call.identity)
    stuck = call.run.workers.stuck.get(key)
    if stuck is None:
        return
    if not stuck.done():
        _tell_of_stuck(call)
    while not stuck.done():
        await asyncio.sleep(PERMIT_SECONDS)
        if call.run.stopped is not None:
            raise RunStopped(call.run.stopped)
    call.run.workers.stuck.pop(key, None)
    call.fenced = False


def on_fresh_stack(call: CallScope, body: Callable[[], Any]) -> Any:
    """Run `body` on a new thread and wait for it."""
    __tracebackhide__ = True
    visit = call.visit = Visit()
    _look(call)
    done = on_fresh_thread(in_copied_context(partial(visit.run, body)))
    patience = POLL_SECONDS
    try:
        with call.run.blocked():
            while not done.done():
                concurrent.futures.wait([done], patience)
                patience = min(2 * patience, LONGEST_POLL_SECONDS)
                if not done.done():
                    _look(call)
    except BaseException:  # the run has stopped, or the user interrupts this thread
        call.fenced = True
        throw([visit], AttemptGivenUp)
        raise
    return done.result()


def start(
    call: CallScope, body: Callable[[], Any], is_async: bool, *, blocking: bool = False
) -> concurrent.futures.Future[Any]:
    """Run a child of `call` beside it: on a worker thread, or as a coroutine on the right loop.

    `blocking`: the caller waits for it, so this thread's loop stands still meanwhile.
    """
    run = call.run
    if not is_async:
        return run.workers.threads.submit(body)
    if call.spec is not None and call.spec.is_async and not blocking:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            pass  # the async call spawned from a thread of its own: one of our loops takes the child
        else:
            return _on_this_loop(loop, body)
    return run.workers.loops.submit(call.async_depth, body)


def _on_this_loop(loop: asyncio.AbstractEventLoop, body: Callable[[], Any]) -> concurrent.futures.Future[Any]:
    done: concurrent.futures.Future[Any] = concurrent.futures.Future()

    async def run() -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(await body())
        except BaseException as error:  # noqa: BLE001 - a user's function was called; the Future carries the error
            done.set_exception(error)

    done.task = loop.create_task(run())  # type: ignore[attr-defined]  # the loop keeps weak references only
    done.loop = loop  # type: ignore[attr-defined]
    return done


def for_children(call: CallScope) -> None:
    """A call ends when all children it started have ended; what they raised is for whoever asks them."""
    body = call.body
    if body is None or not body.spawned:
        return
    with call.blocked():
        while not all(child.done() for child in body.spawned):
            concurrent.futures.wait(body.spawned, POLL_SECONDS)
            call.check()


async def for_children_async(call: CallScope) -> None:
    """As `for_children`, in the running loop."""
    body = call.body
    while body is not None and not all(child.done() for child in body.spawned):
        await asyncio.sleep(0.001)
        call.check()


def settle_children(call: CallScope) -> None:
    """A failing attempt stops its children first: those that have not begun never do, the others are told."""
    body = call.body
    if body is None:
        return
    pending = [child for child in body.spawned if not child.done() and not child.cancel()]
    if not pending and not call.run.open_below(call):
        return
    fenced, call.fenced = call.fenced, True
    for child in call.run.open_below(call):
        child.fenced = True
    if pending:
        with call.blocked():
            concurrent.futures.wait(pending, SETTLE_SECONDS)
    give_up_below(call)
    call.fenced = fenced  # as it was: the thread of an attempt that was given up may go on for long


def abandon_children(call: CallScope) -> None:
    """The call was cut off: nothing that goes on below it counts."""
    body = call.body
    if body is not None:
        for child in body.spawned:
            child.cancel()
    give_up_below(call)


def give_up_below(call: CallScope) -> None:
    """Settle what is still open below a call as cancelled, and leave its functions."""
    visits = []
    for child in reversed(call.run.open_below(call)):
        child.fenced = True
        if call.run.settle_cancelled(child):
            if child.visit is not None:
                visits.append(child.visit)
            if child.task is not None and child.task is not call.task:
                cancel_task(child.task)
    throw(visits, AttemptGivenUp).wait(SEEN_SECONDS)  # what has not begun by now never does
