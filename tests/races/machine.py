"""What the machine itself held up: a thread that only sleeps, and how late it wakes.

It lives in the process of the races, so whatever keeps all threads from running (other processes, a machine that is
paused, one that swaps) keeps it from waking, too. What one lock or one loop of the engine holds up, it does not see.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

SLEEP_SECONDS: Final = 0.01
HELD_UP_SECONDS: Final = 0.05
"""Waking as late as this counts as being held up; less is how threads take turns."""
KEPT: Final = 10_000


class Control:
    """The thread that sleeps, and when it was held up."""

    def __init__(self) -> None:
        self._stalls: deque[tuple[float, float]] = deque(maxlen=KEPT)
        """When it should have woken, and when it did; on the monotonic clock."""
        self._woke = time.monotonic()
        threading.Thread(target=self._sleep, name="control", daemon=True).start()

    def _sleep(self) -> None:
        while True:
            due = time.monotonic() + SLEEP_SECONDS
            time.sleep(SLEEP_SECONDS)
            woke = time.monotonic()
            if woke - due > HELD_UP_SECONDS:
                self._stalls.append((due, woke))
            self._woke = woke

    def held_up(self, began: float, ended: float) -> float:
        """For how many of the seconds between two moments it was held up; returns when it has woken after them."""
        while self._woke < ended:
            time.sleep(SLEEP_SECONDS)
        return sum(max(0.0, min(woke, ended) - max(due, began)) for due, woke in list(self._stalls))
