"""Permits for bodies that run in loops, on whichever of them.

Rules of this file
- Permits go to who asked first; before all others to who has begun already.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from jupyter_durable.executor.outcomes import new_outcome

if TYPE_CHECKING:
    import concurrent.futures

PERMIT_SECONDS: Final = 0.005
"""How often who waits for a permit looks: callers may be on several loops, so no loop's own semaphore will do."""


class Permits:
    """The permits of one function."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._begun: deque[concurrent.futures.Future[None]] = deque()
        self._new: deque[concurrent.futures.Future[None]] = deque()
        self._lock = threading.Lock()

    async def take(self, check: Callable[[], None], *, again: bool = False) -> None:
        """Wait for a permit; `again`: for a body that has begun. Raises what `check` raises meanwhile."""
        turn = new_outcome()
        with self._lock:
            (self._begun if again else self._new).append(turn)
            self._hand_on()
        if turn.done():
            return
        import asyncio

        try:
            while not turn.done():
                await asyncio.sleep(PERMIT_SECONDS)
                check()
        except BaseException:
            if not turn.cancel():
                self.give_back()
            raise

    def give_back(self) -> None:
        """One more is free."""
        with self._lock:
            self._free += 1
            self._hand_on()

    def _hand_on(self) -> None:
        while self._free and (waiting := self._begun or self._new):
            turn = waiting.popleft()
            if turn.set_running_or_notify_cancel():  # else nobody waits for it any more
                self._free -= 1
                turn.set_result(None)
