"""What runs in the calling thread as asyncio sees it, asked by code that synchronous functions reach, too.

Rules of this file
- asyncio would be half of what an import costs. Code that only coroutines reach imports it in the function, all other
  code asks here: where nobody has imported it no loop runs, there is no task, and nothing is cancelled.
- Where it is there, it is imported all the same before it is asked: another thread may not be done with that.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread."""
    if "asyncio" not in sys.modules:
        return None
    import asyncio

    return asyncio._get_running_loop()


def running_task() -> asyncio.Task[Any] | None:
    """The task that runs here."""
    if "asyncio" not in sys.modules:
        return None
    import asyncio

    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs
        return None


def tasks_here() -> set[asyncio.Task[Any]]:
    """The tasks of this thread's loop that have not ended; none without a loop."""
    loop = running_loop()
    if loop is None:
        return set()
    import asyncio

    return asyncio.all_tasks(loop)


def cancellation() -> tuple[type[BaseException], ...]:
    """What a cancelled task is left with, for `except` and `isinstance`; nothing where there can be no task."""
    if "asyncio" not in sys.modules:
        return ()
    import asyncio

    return (asyncio.CancelledError,)
