"""Threads and loops that the runs of a process share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from jupyter_durable.executor.loop import LoopThreads
from jupyter_durable.executor.outcomes import new_outcome
from jupyter_durable.executor.permits import Permits
from jupyter_durable.executor.thread import ThreadExecutor

if TYPE_CHECKING:
    import asyncio


class Workers:
    """Threads and loops that the runs of a process share."""

    def __init__(self, slots: int) -> None:
        self.threads = ThreadExecutor(slots)
        self.loops = LoopThreads()
        self._limited: dict[str, ThreadExecutor] = {}
        self.stuck: dict[tuple[str, int], list[Any]] = {}
        """What still runs of calls and attempts that were given up, by request and identity."""
        self._permits: dict[tuple[str, int], Permits] = {}
        self._lock = threading.Lock()

    def limited_to(self, name: str, slots: int) -> ThreadExecutor:
        """The threads of a function with `max_concurrency`, which all its calls in this process share."""
        with self._lock:
            known = self._limited.get(name)
            if known is None or known.slots != slots:
                known = self._limited[name] = ThreadExecutor(slots)
            return known

    def remember(self, key: tuple[str, int], body: Any, task: asyncio.Task[Any] | None = None) -> Any:
        """Remember a body that was given up until it is done, so that no other attempt of its call begins before.

        None: one that is to be made, of a call that runs in `task`, if in any.
        """
        if body is None:
            body = new_outcome()
            body.loop = task.get_loop() if task is not None else None
        with self._lock:
            self.stuck.setdefault(key, []).append(body)
        body.add_done_callback(lambda _: self._forget(key, body))
        return body

    def _forget(self, key: tuple[str, int], body: Any) -> None:
        with self._lock:
            bodies = self.stuck[key]
            bodies.remove(body)
            if not bodies:
                del self.stuck[key]

    def running(self, key: tuple[str, int]) -> list[Any]:
        """What still runs of a call. A coroutine whose loop stands still does not run, and may never again."""
        with self._lock:
            bodies = list(self.stuck.get(key, ()))
        return [body for body in bodies if (loop := getattr(body, "loop", None)) is None or loop.is_running()]

    def permits(self, name: str, limit: int) -> Permits:
        """The permits of an async function with `max_concurrency`."""
        with self._lock:
            return self._permits.setdefault((name, limit), Permits(limit))
