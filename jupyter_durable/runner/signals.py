"""Interrupts of the main thread (■, Ctrl-C, a cancel): they come up in user code, or where the engine waits for it.

Rules of this file
- Anywhere else in the engine an interrupt would leave a lock taken, a slot lost or an outcome untold. There it is sent
  again a little later, until the engine has come back to user code or waits; what lasts too long is interrupted anyway.
- Where the interrupt comes up is read from the frames when it arrives: calls pay nothing for it.
- Only Python's own handler is replaced: whoever has put another one there knows what an interrupt is to do.
- Which code of the engine is not interrupted even where it waits (`whole`) is told by who puts the handler there.
"""

from __future__ import annotations

import os
import site
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Final

from jupyter_durable.context import drive, drive_async
from jupyter_durable.executor.visit import WAIT, Visit
from jupyter_durable.queues import Empty, SimpleQueue

if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # that of Python makes enums of all signals; no call needs them

AGAIN_SECONDS: Final = 0.003
"""After this time an interrupt that came at a bad moment is sent again."""
LONGEST_SECONDS: Final = 1.0
"""The engine is nowhere for longer than this, but where a disk or another process hangs."""
MOST_OFTEN: Final = int(LONGEST_SECONDS / AGAIN_SECONDS)
"""An interrupt is put off so often in that time. On a busy machine it is asked less often, and is no sooner late: a
second may pass there in which the engine has executed ten lines."""
IDLE_SECONDS: Final = 10.0
"""How often a handler asks whether it is still the one: a kernel has had one for each of its cells."""
PACKAGES: Final = ("jupyter_durable", "jupyter_durable_kernel", "jupyter_durable_server")
CALLERS: Final = frozenset(fn.__code__ for fn in (drive, drive_async, Visit.run))
"""What calls user code directly: what stands above it is that code."""
LIBRARIES: Final = ("<frozen ", os.path.dirname(os.__file__), *site.getsitepackages())


def handle(whole: frozenset[CodeType]) -> None:
    """Let no interrupt cut the engine off from now on, nor `whole` where it waits. Other threads than the main one
    change nothing."""
    main = threading.main_thread()
    if threading.current_thread() is main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _Handler(main.ident or 0, whole))


def send(main_id: int, wanted: Callable[[], bool]) -> None:
    """Interrupt the main thread for a call. It is forgotten, on its way too, once it is not `wanted` any more."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, _Handler):
        handler.wanted = wanted
    elif not wanted():  # that of the next cell asks nobody
        return
    signal.pthread_kill(main_id, signal.SIGINT)


def comes_up(frame: FrameType | None, whole: frozenset[CodeType]) -> bool:
    """Whether an interrupt may come up in a frame of the main thread."""
    waits = frame is not None and frame.f_code is WAIT
    above = False
    """Whether frames that are not ours stand above the one that is looked at."""
    while frame is not None:
        code = frame.f_code
        if code in whole:
            return False
        if str(frame.f_globals.get("__name__")).partition(".")[0] in PACKAGES:
            return waits or (above and code in CALLERS)
        if not waits and not code.co_filename.startswith(LIBRARIES):
            return True
        above = True
        frame = frame.f_back
    return True


class _Handler:
    """Handles SIGINT in place of `signal.default_int_handler`."""

    def __init__(self, main_id: int, whole: frozenset[CodeType]) -> None:
        self._main_id = main_id
        self._whole = whole
        self._asked: SimpleQueue[None] = SimpleQueue()  # its put is one C call, which a signal handler may do
        self._first, self._often = 0.0, 0
        """When the interrupt that is put off came, and how often it was put off."""
        self.is_put_off = False
        self.wanted: Callable[[], bool] = _always
        """Whether what the interrupt is for is still there; that of a user always is."""
        self._sender = threading.Thread(target=self._send, name="durable-interrupt", daemon=True)
        self._sender.start()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.wanted():  # the call has been left since it was sent: what comes next is not to be interrupted
            self.is_put_off, self.wanted = False, _always
            return
        now = time.monotonic()
        if not self.is_put_off:
            self._first, self._often = now, 0
        self._often += 1
        late = (now - self._first > LONGEST_SECONDS and self._often > MOST_OFTEN) or not self._sender.is_alive()
        if late or comes_up(frame, self._whole):
            self.is_put_off, self.wanted = False, _always
            signal.default_int_handler(number, frame)
        self.is_put_off = True
        self._asked.put(None)

    def _send(self) -> None:
        while True:
            try:
                self._asked.get(timeout=IDLE_SECONDS)
            except Empty:
                if signal.getsignal(signal.SIGINT) is not self:  # ipykernel puts Python's own there for each cell
                    return
                continue
            time.sleep(AGAIN_SECONDS)
            if self.wanted():
                signal.pthread_kill(self._main_id, signal.SIGINT)
            else:
                self.is_put_off, self.wanted = False, _always


def _always() -> bool:
    return True
