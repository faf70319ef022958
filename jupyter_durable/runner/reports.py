"""What calls say while they run: kept until the pulse takes it to the store."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from jupyter_durable.core.model import Logged, Progressed, Write
from jupyter_durable.runner.printed import Printing


class Reports:
    """Logs and progress of the calls of a run. Any thread may add to them."""

    __slots__ = ("_later", "_now", "_tell", "logs", "over", "printing", "progress")

    def __init__(
        self, later: Callable[[Write], None], tell: Callable[[Logged], None], now: Callable[[], float]
    ) -> None:
        """`tell` is told of what was printed, `now` is Unix seconds."""
        self._later = later
        self._tell = tell
        self._now = now
        self.logs: deque[Logged] = deque()
        self.printing = Printing(self._printed)
        self.progress: dict[int, Progressed] = {}
        """The newest one of each call."""
        self.over = threading.Event()
        """Set when the run ends: the pulse ends with it."""

    def _printed(self, log: Logged) -> None:
        self.logs.append(log)
        self._tell(log)

    def write(self) -> None:
        """Queue logs and progress for the next commit."""
        self.printing.keep_old(self._now())
        while self.logs:
            self._later(self.logs.popleft())
        for identity in list(self.progress):
            latest = self.progress.pop(identity, None)
            if latest is not None:
                self._later(latest)

    def end(self) -> None:
        """Write what is left, and let the pulse end. The lease is let go by the end of the run."""
        self.over.set()
        self.printing.end()
        self.write()
