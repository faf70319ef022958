"""Requests of cells that have ended, kept open for what the cell left running: tasks, and calls in threads.

Rules of this file
- What counts is a durable call that has begun and not ended, and a task that is to await one. Other tasks of the user
  do not: a server that runs for ever keeps no request open.
- The cell's thread does other things by now: nothing that is thrown because this run is stopped may arrive there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.coroutine import DurableCoroutine
from jupyter_durable.loops import tasks_here
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.run import Run

if TYPE_CHECKING:
    import asyncio

LOOK_SECONDS: Final = 0.05
QUIET_SECONDS: Final = 0.5
"""How long nothing must run before the request ends: a task that goes from one call to the next ends it not."""


def busy(run: Run) -> bool:
    """Whether calls of a run have not ended, or are about to begin in tasks of this thread's loop."""
    return any(call.parent is not None for call in list(run.open)) or bool(_awaiting(run))


def _awaiting(run: Run) -> list[asyncio.Task[Any]]:
    """Tasks of this thread's loop that were made of a call of this run and have not ended."""
    coroutines = ((task, task.get_coro()) for task in tasks_here())
    return [task for task, made in coroutines if isinstance(made, DurableCoroutine) and made.request == run.id]


def linger(run: Run, root: ActiveCall, end: Callable[[], None]) -> None:
    """Call `end` in a thread of its own once nothing of the run has been running for a while."""
    run.leave_thread()
    tasks = _awaiting(run)

    def watch() -> None:
        quiet, seen = 0.0, -1
        while quiet < QUIET_SECONDS and not run.ended and run.stopped is None:
            begun = root.body.next_seq if root.body is not None else 0
            active = any(call.parent is not None for call in list(run.open)) or not all(task.done() for task in tasks)
            quiet = 0.0 if active or begun != seen else quiet + LOOK_SECONDS
            seen = begun
            threading.Event().wait(LOOK_SECONDS)
        if not run.ended:
            end()

    threading.Thread(target=watch, name=f"durable-{run.id}-open", daemon=True).start()
