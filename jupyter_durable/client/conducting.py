"""Driving the root call of an application to its end.

Rules of this file
- A run is over when these return or raise, whatever the application did: its end is in the store.
- What interrupts a run leaves as what it is: the reason the run was stopped for, or the user's interrupt.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from jupyter_durable.client.waits import waiting
from jupyter_durable.context import current, drive, drive_async
from jupyter_durable.core.model import ROOT, CallRow, Flag, Reached, Status
from jupyter_durable.core.replay import reusable
from jupyter_durable.errors import DeserializationError, StoreError
from jupyter_durable.executor.loop import above
from jupyter_durable.executor.outcomes import wait_for
from jupyter_durable.loops import cancellation
from jupyter_durable.protocols import Scope
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.ending import end_served, end_stopped
from jupyter_durable.runner.matching import drifted
from jupyter_durable.runner.opened import changed_file
from jupyter_durable.runner.pulse import GRACE_SECONDS
from jupyter_durable.runner.run import Run
from jupyter_durable.runner.stop import RunStopped
from jupyter_durable.serializer.base import PICKLE

LOOK_SECONDS: Final = 0.1
"""How soon who waits for another request sees that its own has ended."""


def leaving() -> tuple[type[BaseException], ...]:
    """What is no failure of the code that it leaves, be it raised there or thrown in: the run ends as stopped."""
    return RunStopped, KeyboardInterrupt, SystemExit, GeneratorExit, *cancellation()


def served(run: Run, root: ActiveCall) -> CallRow | None:
    """The root's recorded success, when this run may serve it; then the run is over."""
    row = root.row
    if row is None or run.options.strict or not reusable(row) or root.plan.flags & Flag.VOLATILE:
        return None
    if drifted(run, row, root.plan):
        return None  # the code was upgraded: the body runs, so that what is served says what has changed
    try:
        run.sealer.check(row)
    except DeserializationError as error:
        line = f"{type(error).__name__}: {error}"[:300]
        end_served(run, Status.FAILED, line)
        raise
    if row.files and changed_file(row.files, below=True) is not None:
        run.counts.file_changed += 1
        run.later_all(run.sealer.placed([Reached(0, run.number << 16, 0, ROOT, 1, Flag.FILE_CHANGED)]))
    end_served(run, Status.SUCCEEDED)
    return row


def _opened(run: Run, row: CallRow) -> Any:
    value = run.open_value(row)
    if run.in_hand is not None and row.codec == PICKLE:
        run.in_hand(row, value)
    return value


def conduct(run: Run, root: ActiveCall, asker: Scope | None = None) -> Any:
    """Drive the root of an application to its end; its output. Raises what the application raised.

    `asker`: the call that waits for it, if one does.
    """
    __tracebackhide__ = True
    row = served(run, root)
    if row is not None:
        return _opened(run, row)
    root.thread_id = run.thread_id = threading.get_ident()
    if root.plan.is_async:
        return _on_a_loop(run, root, asker)
    try:
        return drive(root)
    except leaving() as left:
        raise end_stopped(run, root, None if isinstance(left, RunStopped) else left) from None


def _on_a_loop(run: Run, root: ActiveCall, asker: Scope | None) -> Any:
    """An async application that synchronous code waits for: what ends the wait cancels it.

    Where it blocks its loop, it is left soon after its run has ended.
    """
    __tracebackhide__ = True
    try:
        with waiting(asker if asker is not None else current.get()) as check:
            done = run.workers.loops.begun(lambda: conduct_async(run, root))
            while not done.done():
                wait_for([done], LOOK_SECONDS)
                check()
                if run.ended and run.stopped is not None and not wait_for([done], GRACE_SECONDS)[0]:
                    raise run.stopped
    except BaseException:
        run.cancel()
        run.over.wait(GRACE_SECONDS)
        raise
    return done.result()


async def conduct_async(run: Run, root: ActiveCall) -> Any:
    """As `conduct`, for an async application in the running loop."""
    __tracebackhide__ = True
    row = served(run, root)
    if row is not None:
        return _opened(run, row)
    root.thread_id = run.thread_id = run.thread_id or threading.get_ident()
    try:
        return await drive_async(root)
    except leaving() as left:
        raise end_stopped(run, root, None if isinstance(left, RunStopped) else left) from None


def in_background(run: Run, root: ActiveCall) -> None:
    """Drive the root on a thread of its own."""
    around = above.get()

    def body() -> None:
        above.set(around)
        try:
            conduct(run, root)
        except BaseException as error:  # noqa: BLE001 - the request holds it; `output()` raises it
            if not run.ended:
                end_stopped(run, root, error)

    threading.Thread(target=body, name=f"durable-{run.id}", daemon=True).start()


def quietly(run: Run, root: ActiveCall, asker: Scope | None = None) -> None:
    """Drive the root; a failure is kept in the request.

    An interrupt by the user is raised all the same, and so is what the store said when it stopped the run: it
    could not be kept.
    """
    try:
        conduct(run, root, asker)
    except Exception:
        if not run.ended or isinstance(run.stopped, StoreError):
            raise
