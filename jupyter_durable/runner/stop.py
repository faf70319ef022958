"""How user code is left when it must not go on.

These pass through `except Exception` in user code: what they say is not the user's to handle. They never leave the
runner, but for the body of a cell or of a script: the run turns them into the error it stopped for.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

SIGNALS: Final = 4
SIGNAL_SECONDS: Final = 0.2
"""How often, and at what distance, the main thread is interrupted until it is out of a call: within a second."""


class RunStopped(BaseException):
    """The run has ended under the call: cancelled, lost to another process, or the store failed.

    Its argument is that reason: the body of a cell or of a script is left with this.
    """


class StartOver(BaseException):
    """The body of a call begins again: a match by place was wrong."""


class AttemptGivenUp(BaseException):
    """Thrown into a thread whose attempt has run out of time."""


def throw_into(thread_id: int, error: type[BaseException]) -> None:
    """Raise `error` in another thread at its next bytecode; it cannot reach into C code that blocks."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(error))


def interrupt_main(runs_on: Callable[[], bool]) -> None:
    """SIGINT for the main thread, and again while `runs_on` says that what it was for is still there.

    One that comes at the moment at which `time.sleep` begins is seen only when the sleep is over.
    """
    main = threading.main_thread().ident
    assert main is not None

    def body() -> None:
        for _ in range(SIGNALS):
            if not runs_on():
                return
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(SIGNAL_SECONDS)

    threading.Thread(target=body, name="durable-cancel", daemon=True).start()


def take_back(thread_id: int) -> None:
    """Forget an error thrown into a thread that has not been raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), None)


class Watchdog:
    """Raises `AttemptGivenUp` in the calling thread when its time is over (`executor="inline"` with a timeout)."""

    def __init__(self, remaining: object) -> None:
        self._remaining = remaining
        self._thread_id = threading.get_ident()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.fired = False

    def watch(self) -> None:
        """Body of the watching thread."""
        while True:
            left = self._remaining()  # type: ignore[operator]
            if left > 0:
                if self._over.wait(min(left, 0.25)):
                    return
                continue
            with self._lock:
                if not self._over.is_set():
                    self.fired = True
                    throw_into(self._thread_id, AttemptGivenUp)
            return

    def end(self) -> None:
        """The function has returned: nothing may be thrown any more, and what is under way is taken back."""
        with self._lock:
            self._over.set()
            if self.fired:
                take_back(self._thread_id)
