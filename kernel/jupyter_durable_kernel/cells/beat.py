"""A beat in the loop of a cell that runs: an interrupt is seen during `await` when the loop wakes, and not before."""

from __future__ import annotations

import asyncio
from typing import Final

SECONDS: Final = 0.15


class Beat:
    """Wakes the loop of one kernel, from the begin of a cell to its end."""

    def __init__(self) -> None:
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """A cell begins."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # a terminal: an interrupt wakes its loop by itself

        def beat() -> None:
            self._next = loop.call_later(SECONDS, beat)

        self.stop()
        beat()

    def stop(self) -> None:
        """It has ended."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
