"""Time as an argument: whoever needs it is given a `Clock`, so that tests own the hours."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for durations and deadlines."""

    def now(self) -> float:
        """Unix time in seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set or the seconds are over; whether it is set."""

    async def sleep(self, seconds: float) -> None:
        """Let the running loop go on for `seconds`."""


class SystemClock:
    """The clocks of this machine."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait on the operating system."""
        return event.wait(seconds)

    async def sleep(self, seconds: float) -> None:
        """Sleep in the running loop."""
        import asyncio

        await asyncio.sleep(seconds)


def boot_time() -> float | None:
    """Seconds since this machine started, asleep or not: the same in all its processes, and never set. None where
    there is no such clock."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def lease_end(now: float, seconds: float) -> tuple[float, float | None]:
    """When a lease of so many seconds runs out: Unix seconds, from `now`, and seconds since boot."""
    boot = boot_time()
    return now + seconds, None if boot is None else boot + seconds
