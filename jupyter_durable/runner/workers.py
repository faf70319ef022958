"""Threads and loops that the runs of a process share."""

from __future__ import annotations

import threading
from typing import Any

from jupyter_durable.executor.loop import LoopThreads
from jupyter_durable.executor.permits import Permits
from jupyter_durable.executor.thread import ThreadExecutor


class Workers:
    """Threads and loops that the runs of a process share."""

    def __init__(self, slots: int) -> None:
        self.threads = ThreadExecutor(slots)
        self.loops = LoopThreads()
        self._limited: dict[str, ThreadExecutor] = {}
        self.stuck: dict[tuple[str, int], Any] = {}
        """Attempts that were given up and whose thread still runs, by request and identity."""
        self._permits: dict[tuple[str, int], Permits] = {}
        self._lock = threading.Lock()

    def limited_to(self, name: str, slots: int) -> ThreadExecutor:
        """The threads of a function with `max_concurrency`, which all its calls in this process share."""
        with self._lock:
            known = self._limited.get(name)
            if known is None or known.slots != slots:
                known = self._limited[name] = ThreadExecutor(slots)
            return known

    def permits(self, name: str, limit: int) -> Permits:
        """The permits of an async function with `max_concurrency`."""
        with self._lock:
            return self._permits.setdefault((name, limit), Permits(limit))
