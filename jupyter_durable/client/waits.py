"""Waiting for a request, in a durable call or outside.

Rules of this file
- A call that waits for a request is as one that waits for a call: its slot and its permit are free, its clock stands
  still, and it is left when its own request ends.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from jupyter_durable.context import current, in_turn
from jupyter_durable.executor.visit import left
from jupyter_durable.protocols import Scope

POLL_SECONDS: Final = 0.02


@contextlib.contextmanager
def waiting(scope: Scope | None) -> Iterator[Callable[[], None]]:
    """While the calling code waits, in the call of `scope`, if in one; what is given raises when it has to end."""
    if scope is None:
        yield lambda: None
        return
    with left(scope.visit), scope.blocked():  # what ends it comes once: raised here, and not thrown in as well
        yield scope.check


def until(ended: Callable[[], bool], timeout: float | None) -> bool:
    """Wait; whether it ended within `timeout` seconds."""
    end = None if timeout is None else time.monotonic() + timeout
    with waiting(current.get()) as check:
        while not ended():
            check()
            if end is not None and time.monotonic() > end:
                return False
            time.sleep(POLL_SECONDS)
    return True


async def until_async(ended: Callable[[], bool]) -> None:
    """As `until`, in the running loop."""
    import asyncio

    try:
        with waiting(current.get()) as check:
            while not ended():
                check()
                await asyncio.sleep(POLL_SECONDS)
    except BaseException as error:
        await in_turn(error)
        raise
    await in_turn()
