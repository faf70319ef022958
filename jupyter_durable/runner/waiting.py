"""How a call waits: for its function on another thread, for a turn, for time to pass.

Rules of this file
- Every wait wakes now and then and looks whether the run was stopped.
- A wait that is over its deadline settles the call and releases its caller, even where the thread cannot be stopped;
  such a thread is remembered, and the next attempt of that call waits for it.
- However a wait is left, nothing it waited for begins afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.errors import TimeoutError
from jupyter_durable.executor.loop import Contained, contained
from jupyter_durable.executor.outcomes import new_outcome, wait_for
from jupyter_durable.executor.permits import PERMIT_SECONDS
from jupyter_durable.executor.thread import ThreadExecutor, begun_here, blocked, on_fresh_thread
from jupyter_durable.executor.visit import Visit, throw
from jupyter_durable.future import LONGEST_POLL_SECONDS, in_copied_context
from jupyter_durable.runner.countdown import Countdown
from jupyter_durable.runner.lending import Holder, lending, permitted
from jupyter_durable.runner.run import CallRecord
from jupyter_durable.runner.stop import AttemptGivenUp, RunStopped

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

POLL_SECONDS: Final = 0.1
WATCH_SECONDS: Final = 0.25
"""How long a watchdog sleeps at most: progress gives time back, and a test moves the clock."""
TURNS: Final = 20
"""After so many turns in a loop that waits for an earlier attempt the user is told."""
SETTLE_SECONDS: Final = 0.8
"""How long a task that was told to stop may take before it is given up."""


def invoker(call: CallRecord) -> Callable[..., Any]:
    """What runs the function of a call that has a timeout, or that asks for a thread."""
    plan = call.plan
    if plan.is_async:
        return lambda *args, **kwargs: _async_with_deadline(call, args, kwargs)
    if plan.inline:
        return lambda *args, **kwargs: _inline_with_deadline(call, args, kwargs)
    return lambda *args, **kwargs: _on_worker(call, args, kwargs)


def _over(call: CallRecord) -> TimeoutError:
    return TimeoutError(
        f"{call.text()}, attempt {call.attempts}: no result and no progress for {call.plan.timeout:g} s (its timeout). "
        "Raise the timeout, report progress with RequestContext.get().progress, or pass timeout=None"
    )


def _on_worker(call: CallRecord, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    __tracebackhide__ = True
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
                wait_for([done], POLL_SECONDS)  # as a rule it ends at once
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


def _begin_visit(call: CallRecord) -> tuple[Visit, Countdown]:
    """What an attempt with a clock is watched by. Raises when nothing may begin any more."""
    visit = call.visit = Visit()
    clock = call.deadline = Countdown(call.plan.timeout, call.run.monotonic)
    _look(call)  # whoever stops the run from now on finds the visit
    return visit, clock


def _look(call: CallRecord) -> None:
    """Raises when whoever waits for the function of `call` need not wait any longer."""
    if call.run.stopped is not None:
        raise RunStopped(call.run.stopped)
    if call.fenced or (call.parent is not None and call.parent.fenced):
        raise AttemptGivenUp


def _until(call: CallRecord, done: concurrent.futures.Future[Any], clock: Countdown) -> None:
    """Wait for the function. Raises when its time is over, and when it was given up."""
    while not done.done():
        wait_for([done], POLL_SECONDS)
        if done.done():
            return
        _look(call)
        if (left := clock.remaining()) is not None and left <= 0:
            raise _over(call)


def _give_up(call: CallRecord, done: concurrent.futures.Future[Any] | None, visit: Visit) -> None:
    """Nothing the thread still does counts; it is told to end, and remembered while it does not."""
    fenced, call.fenced = call.fenced, True
    throw([visit], AttemptGivenUp)  # a function that has not begun never does
    if done is None or done.cancel() or done.done():
        call.fenced = fenced
    else:
        ThreadExecutor.give_up(done)
        call.run.workers.remember((call.run.id, call.identity), done)


def after_stuck(call: CallRecord, invoke: Callable[..., Any]) -> Callable[..., Any]:
    """`invoke`, once nothing of an earlier attempt runs: two at once would break `at most one attempt at a time`.

    What waits already is not wrapped again: a call may have a thousand attempts.
    """
    waits = _waits_async if call.plan.is_async else _waits
    return invoke if isinstance(invoke, partial) and invoke.func is waits else partial(waits, call, invoke)


def _waits(call: CallRecord, invoke: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    __tracebackhide__ = True
    _wait_for_stuck(call)
    return invoke(*args, **kwargs)


async def _waits_async(call: CallRecord, invoke: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    __tracebackhide__ = True
    await _wait_for_stuck_async(call)
    return await invoke(*args, **kwargs)


def _wait_for_stuck(call: CallRecord) -> None:
    workers, key, told = call.run.workers, (call.run.id, call.identity), False
    with begun_here():
        while stuck := workers.running(key):
            _, left = wait_for(stuck, POLL_SECONDS)
            if left and not told:
                told = True
                _tell_of_stuck(call)
            _still_open(call)
    _begin_unfenced(call)


def _tell_of_stuck(call: CallRecord) -> None:
    call.run.warn(f"{call.text()}: an earlier attempt is still running; the next one waits for it")


def _begin_unfenced(call: CallRecord) -> None:
    """An attempt that was over before it was out of its function had fenced its call; one that is given up is out."""
    with call.run.lock:
        _still_open(call)
        call.fenced = False


def _inline_with_deadline(call: CallRecord, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
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


async def _async_with_deadline(call: CallRecord, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    async with permitted(call) as clock:
        call.check()
        call.deadline = clock
        try:
            return await _under_deadline(call, clock, args, kwargs)
        finally:
            call.deadline = None


async def _under_deadline(call: CallRecord, clock: Countdown, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    __tracebackhide__ = True
    import asyncio

    async def timed() -> Any:
        __tracebackhide__ = True
        _look(call)  # a task of its own, which may have its first turn long after the call was told to end
        clock.begin()
        try:
            body = call.plan.fn(*args, **kwargs)
            return await (lending(body, clock) if isinstance(clock, Holder) else body)
        finally:
            clock.end()

    body = asyncio.ensure_future(contained(timed()))
    told = False

    async def end() -> None:
        """Told once, so that what the function does on its way out is not cut off; waited for, but not for ever."""
        nonlocal told
        if not told:
            told = True
            if isinstance(clock, Holder):
                clock.leaves = True
            body.cancel()
        await asyncio.wait({body}, timeout=SETTLE_SECONDS)

    try:
        while not body.done() and _remaining(clock) > 0:
            await asyncio.wait({body}, timeout=POLL_SECONDS)
        if not body.done():
            fenced, call.fenced = call.fenced, True
            await end()
            if not body.done():
                raise _over(call)
            call.fenced = fenced
    except asyncio.CancelledError:  # of this task, which the function gets, and may catch
        await end()
        if not body.done():
            raise
        return _outcome(body)
    finally:
        if not body.done():
            if not told:
                body.cancel()
            call.run.workers.remember((call.run.id, call.identity), _end_of(body))
    if _remaining(clock) <= 0 and (body.cancelled() or _is_own(body.exception())):
        raise _over(call)
    return _outcome(body)


def _is_own(error: BaseException | None) -> bool:
    """Whether it is the outcome of a function, and nothing that interrupts it."""
    return error is None or (isinstance(error, Exception) and not isinstance(error, Contained))


def _outcome(body: asyncio.Task[Any]) -> Any:
    __tracebackhide__ = True
    try:
        return body.result()
    except Contained as left:
        raise left.error from None


def _end_of(task: asyncio.Task[Any]) -> concurrent.futures.Future[None]:
    """Is done when the task is; any thread may look."""
    ended: concurrent.futures.Future[None] = new_outcome()
    task.add_done_callback(lambda _: ended.set_result(None))
    return ended


async def _wait_for_stuck_async(call: CallRecord) -> None:
    """As `_wait_for_stuck`, in the running loop."""
    import asyncio

    workers, key, turns = call.run.workers, (call.run.id, call.identity), 0
    while workers.running(key):
        await asyncio.sleep(PERMIT_SECONDS)
        turns += 1
        if turns == TURNS:
            _tell_of_stuck(call)
        _still_open(call)
    _begin_unfenced(call)


def on_fresh_stack(call: CallRecord, body: Callable[[], Any]) -> Any:
    """Run `body` on a new thread and wait for it."""
    __tracebackhide__ = True
    visit = call.visit = Visit()
    _look(call)
    done = on_fresh_thread(in_copied_context(partial(visit.run, body)))
    patience = POLL_SECONDS
    try:
        with blocked():
            while not done.done():
                wait_for([done], patience)
                patience = min(2 * patience, LONGEST_POLL_SECONDS)
                if not done.done():
                    _look(call)
    except BaseException:  # the run has stopped, or the user interrupts this thread
        call.fenced = True
        throw([visit], AttemptGivenUp)
        call.run.workers.remember((call.run.id, call.identity), done)
        raise
    return done.result()


def _sleep(call: CallRecord, seconds: float) -> None:
    """Let time pass; ends early when the run is stopped or the call is given up."""
    run = call.run
    end = run.monotonic() + seconds
    event = threading.Event()
    while run.stopped is None and call in run.open and (left := end - run.monotonic()) > 0:
        run.settings.clock.wait(event, min(left, 0.1))


async def _sleep_async(call: CallRecord, seconds: float) -> None:
    """As `_sleep`, in the running loop."""
    run = call.run
    end = run.monotonic() + seconds
    while run.stopped is None and call in run.open and (left := end - run.monotonic()) > 0:
        await run.settings.clock.sleep(min(left, 0.1))


def pause(call: CallRecord, delay: float) -> None:
    """Wait for the next attempt of a call, without a slot."""
    if delay > 0:
        with call.blocked():
            _sleep(call, delay)
    _still_open(call)


async def pause_async(call: CallRecord, delay: float) -> None:
    """As `pause`, in the running loop."""
    await _sleep_async(call, delay)
    _still_open(call)


def _still_open(call: CallRecord) -> None:
    """Raises when there is to be no further attempt. Not `check`: an attempt that was given up may have another."""
    if call.run.stopped is not None or call not in call.run.open:
        call.refuse()
