"""What a workload says of itself, in an append-only log outside of the store.

Rules of this file
- One `write` per event on an O_APPEND descriptor: a SIGKILL loses none that was written, and tears none.
- A value names the call that made it and is never made twice, so a value of another call, or of another execution, is
  seen. An event is (process of the case, kind, key, detail).
- Standard library only: workloads import it by name, and a replay without the defining cells finds it again.
"""

from __future__ import annotations

import ctypes
import json
import os
import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

STARTED: Final = "started"
ACKNOWLEDGED: Final = "acknowledged"
ACCEPTED: Final = "accepted"
KILLED: Final = "killed"


class Event(NamedTuple):
    """One line of the log."""

    process: int
    kind: str
    key: str
    detail: str


class Witness:
    """The log of this process."""

    def __init__(self, descriptor: int, process: int, point: Callable[[], object]) -> None:
        self.descriptor = descriptor
        self.process = process
        self.point = point
        self.gates: dict[str, Callable[[], object]] = {}
        """What to do when the function of a key executes."""

    def say(self, kind: str, key: str, detail: str = "") -> None:
        os.write(self.descriptor, line(Event(self.process, kind, key, detail)))


def line(event: Event) -> bytes:
    return json.dumps(event).encode() + b"\n"


def read_log(text: str) -> list[Event]:
    return [Event(*json.loads(each)) for each in text.splitlines()]


def _silent() -> Witness:
    return Witness(os.open(os.devnull, os.O_WRONLY), 0, lambda: None)


holder: Final[list[Witness]] = []
"""The witness of this process, put there by the harness before a workload runs."""


def witness() -> Witness:
    return holder[0] if holder else _silent()


def ran(key: str, size: int = 0) -> str:
    """The function of `key` executes: its value."""
    from jupyter_durable.context import current

    own = witness()
    scope = current.get()
    own.say(STARTED, key, str(scope.attempt_number if scope is not None else 0))
    own.point()
    gate = own.gates.get(key)
    if gate is not None:
        gate()
    return f"{key}:{os.urandom(8).hex()}" + "x" * size


def got(key: str, value: Any) -> Any:
    """The caller of `key` has its value."""
    witness().say(ACKNOWLEDGED, key, short(value))
    return value


def short(value: Any) -> str:
    """A value in a few bytes; equal only for equal values."""
    text = str(value)
    return f"{text[:40]}|{len(text)}|{zlib.crc32(text.encode()):08x}"


def shim() -> Any:
    """The preloaded shim; every function of it is there only under LD_PRELOAD."""
    return ctypes.CDLL(None)
