"""What a call started: its children run beside it, are awaited when it ends, and given up when it fails.

Rules of this file
- A call ends when its function and all children it started have ended.
- A failing attempt stops its children first: nothing that goes on below it counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.core.model import Status
from jupyter_durable.executor.outcomes import new_outcome, wait_for
from jupyter_durable.executor.thread import ThreadExecutor
from jupyter_durable.loops import running_loop
from jupyter_durable.runner.ending import cut_off, tell_of_end
from jupyter_durable.runner.run import CallRecord
from jupyter_durable.runner.stop import AttemptGivenUp, Told
from jupyter_durable.runner.waiting import POLL_SECONDS

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

SETTLE_SECONDS: Final = 0.8
"""How long children that were told to stop may take before they are given up."""
SEEN_SECONDS: Final = 0.3
"""How long is waited until all threads were told, or were seen in their functions."""


def start(
    call: CallRecord, body: Callable[[], Any], is_async: bool, *, blocking: bool = False
) -> concurrent.futures.Future[Any]:
    """Run a child of `call` beside it: on a worker thread, or as a coroutine on the right loop.

    `blocking`: the caller waits for it, so this thread's loop stands still meanwhile.
    """
    run = call.run
    if not is_async:
        return run.workers.threads.submit(body)
    if call.spec is not None and call.spec.is_async and not blocking:
        loop = running_loop()
        if loop is not None:  # else the async call spawned from a thread of its own: one of our loops takes the child
            return _on_this_loop(loop, body)
    return run.workers.loops.submit(call.async_depth, body)


def _on_this_loop(loop: asyncio.AbstractEventLoop, body: Callable[[], Any]) -> concurrent.futures.Future[Any]:
    done: concurrent.futures.Future[Any] = new_outcome()

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


def for_children(call: CallRecord) -> None:
    """A call ends when all children it started have ended; what they raised is for whoever asks them."""
    body = call.body
    if body is None or not body.spawned:
        return
    with call.blocked():
        while not all(child.done() for child in body.spawned):
            wait_for(body.spawned, POLL_SECONDS)
            call.check()


async def for_children_async(call: CallRecord) -> None:
    """As `for_children`, in the running loop."""
    import asyncio

    body, run = call.body, call.run
    if body is None:
        return
    if not all(child.started_at for child in list(body.coroutines)):
        await asyncio.sleep(0)  # a task that was made of one is to begin
    while not all(child.done() for child in body.spawned) or any(child in run.open for child in list(body.coroutines)):
        await asyncio.sleep(0.001)
        call.check()


def settle_children(call: CallRecord) -> None:
    """A failing attempt stops its children first: those that have not begun never do, the others are told."""
    body = call.body
    if body is None:
        return
    pending = [child for child in body.spawned if not child.done() and not child.cancel()]
    if not pending and not open_below(call):
        return
    fenced, call.fenced = call.fenced, True
    for child in open_below(call):
        child.fenced = True
    if pending:
        with call.blocked():
            wait_for(pending, SETTLE_SECONDS)
    give_up_below(call)
    tell_of_end(call, pending)
    call.fenced = fenced  # as it was: the thread of an attempt that was given up may go on for long


def abandon_children(call: CallRecord) -> None:
    """The call was cut off: nothing that goes on below it counts."""
    spawned = [
        child for above in (call, *open_below(call)) if above.body is not None for child in list(above.body.spawned)
    ]
    for child in spawned:
        child.cancel()
    give_up_below(call)
    for child in spawned:  # nothing waits for what cannot be stopped: other requests need its slot
        if not child.done():
            ThreadExecutor.give_up(child)
    tell_of_end(call, spawned)


def give_up_below(call: CallRecord) -> None:
    """Settle what is still open below a call as cancelled, and leave its functions.

    Callers are taken out first: what a call raises because it was given up is no failure of its caller.
    """
    told, visits, taken = Told(), [], []
    for child in open_below(call):
        if child.give_up():
            taken.append(child)
    for child in reversed(taken):
        cut_off(child, Status.CANCELLED)
        if child.visit is not None:
            visits.append(child.visit)
        if child.task is not None and child.task is not call.task:
            told.cancel(child)
    told.throw(visits, AttemptGivenUp)
    told.wait(SEEN_SECONDS)  # what has not begun by now never does


def open_below(call: CallRecord) -> list[CallRecord]:
    """The calls below `call` that execute now."""
    below = []
    for other in list(call.run.open):
        above: CallRecord | None = other
        while above is not None and above.depth > call.depth:
            above = above.parent
        if above is call and other is not call:
            below.append(other)
    return below
