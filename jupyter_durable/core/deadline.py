"""How much of its time a call has left.

Rules of this file
- Values in, values out: `now` is always an argument, in seconds of one monotonic clock.
- The time limit begins anew with each report of progress. It stands still while the call waits for durable children.
- Waits may overlap (several threads of one call): the clock runs again when the last of them has ended.
"""

from __future__ import annotations

from jupyter_durable.records import NamedTuple

__all__ = ["Deadline"]


class Deadline(NamedTuple):
    """The clock of one attempt."""

    limit: float | None
    """Seconds allowed without progress; None: no limit."""
    since: float
    """When the limit began, moved on by the time spent waiting."""
    waits: int = 0
    """Waits for durable children that are open."""
    paused_at: float = 0.0
    """When the first open wait began; without meaning when none is open."""

    @classmethod
    def started(cls, limit: float | None, now: float) -> Deadline:
        """An attempt begins."""
        return cls(limit, now)

    def progressed(self, now: float) -> Deadline:
        """The call reported progress: all of its time is there again."""
        return self._replace(since=now, paused_at=now)

    def paused(self, now: float) -> Deadline:
        """The call begins to wait for a durable child."""
        return self._replace(waits=self.waits + 1, paused_at=self.paused_at if self.waits else now)

    def resumed(self, now: float) -> Deadline:
        """One wait has ended."""
        if self.waits != 1:
            return self._replace(waits=max(0, self.waits - 1))
        return self._replace(waits=0, since=self.since + now - self.paused_at)

    def remaining(self, now: float) -> float | None:
        """Seconds left, zero or less when it has run out; None without a limit."""
        if self.limit is None:
            return None
        used = (self.paused_at if self.waits else now) - self.since
        return self.limit - used
