"""The clock of one attempt, which several threads stop and start: its own, and those of the calls below it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jupyter_durable.core.deadline import Deadline


class Countdown:
    """`core.deadline.Deadline` for several threads. Who has paused it resumes it, not a newer one.

    It stands still until `resume` is called where the function begins: that a call waits for its turn is no fault of
    its own.
    """

    __slots__ = ("_deadline", "_lock", "_monotonic")

    def __init__(self, limit: float | None, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        now = monotonic()
        self._deadline = Deadline.started(limit, now).paused(now)

    def begin(self) -> None:
        """The function begins."""
        self.resume()

    def end(self) -> None:
        """The function has ended: `remaining` says how long it took, however late it is asked."""
        self.pause()

    def pause(self) -> None:
        """A wait for a durable call begins."""
        with self._lock:
            self._deadline = self._deadline.paused(self._monotonic())

    def resume(self) -> None:
        """It has ended."""
        with self._lock:
            self._deadline = self._deadline.resumed(self._monotonic())

    def progressed(self) -> None:
        """The call reported progress: all of its time is there again."""
        with self._lock:
            self._deadline = self._deadline.progressed(self._monotonic())

    def remaining(self) -> float | None:
        """Seconds left, zero or less when it has run out; None without a limit."""
        return self._deadline.remaining(self._monotonic())
