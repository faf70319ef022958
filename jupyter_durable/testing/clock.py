"""A clock that obeys.

Rules of this file
- It never reads the real time; only waiting by hand sleeps, in very short turns, until somebody has advanced it.
"""

from __future__ import annotations

import asyncio
import threading

from jupyter_durable.errors import SDKUsageError


class FakeClock:
    """Time that passes when it is waited for, or, with `by_hand=True`, only when `advance` is called.

    Retries, `run_later` and the timestamps of requests follow it. A function that blocks in `time.sleep` does not.
    """

    def __init__(self, start: float = 1_000_000_000.0, *, by_hand: bool = False) -> None:
        self._start = start
        self._by_hand = by_hand
        self._passed = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Unix time in seconds."""
        return self._start + self._passed

    def monotonic(self) -> float:
        """Seconds that have passed on this clock."""
        return self._passed

    def advance(self, seconds: float) -> None:
        """Let `seconds` (>= 0) pass."""
        if not seconds >= 0:
            raise SDKUsageError(f"FakeClock.advance takes seconds >= 0, not {seconds!r}")
        with self._lock:
            self._passed += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set or the seconds are over, on this clock; whether it is set."""
        if event.is_set():
            return True
        if not self._by_hand:
            self.advance(seconds)
            return event.is_set()
        end = self.monotonic() + seconds
        while self.monotonic() < end and not event.wait(0.001):
            pass
        return event.is_set()

    async def sleep(self, seconds: float) -> None:
        """As `wait`, in the running loop."""
        if not self._by_hand:
            self.advance(seconds)
            await asyncio.sleep(0)
            return
        end = self.monotonic() + seconds
        while self.monotonic() < end:
            await asyncio.sleep(0.001)
