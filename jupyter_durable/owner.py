"""Classes with durable methods: one instance a process, made on first use."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from functools import partial

from jupyter_durable.errors import TimeoutError
from jupyter_durable.executor.outcomes import wait_for
from jupyter_durable.executor.thread import on_fresh_thread


class Owner:
    """The class of a durable method: `__init__` runs once per process, on first use."""

    __slots__ = ("_instance", "_lock", "_timeout", "cls", "init")

    def __init__(self, cls: type, init: Callable[..., None], timeout: float | None = None) -> None:
        self.cls = cls
        self.init = init
        self._timeout = timeout
        self._instance: object | None = None
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[type[Owner], tuple[type, Callable[..., None], float | None]]:
        return Owner, (self.cls, self.init, self._timeout)  # another process makes its own instance

    def instance(self) -> object:
        """The one instance of this process. Raises `TimeoutError` when `init_timeout` is over; the next call tries
        again."""
        if self._instance is None:
            with self._lock:
                if self._instance is None:
                    made: object = object.__new__(self.cls)
                    self._initialise(made)
                    self._instance = made
        return self._instance

    def _initialise(self, made: object) -> None:
        if self._timeout is None:
            self.init(made)
            return
        done = on_fresh_thread(partial(contextvars.copy_context().run, self.init, made))
        wait_for([done], self._timeout)
        if not done.done():
            raise TimeoutError(
                f"{self.cls.__name__}.__init__ has not ended within {self._timeout:g} s (its init_timeout); it goes on "
                "in its thread, and its instance is not used"
            )
        done.result()
