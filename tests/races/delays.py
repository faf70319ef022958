"""Seeded delays at the lines and returns of the engine's own files, in every thread.

Races show when one thread stands still between two lines while others go on. Which lines are slow follows from the
seed alone, a few in a hundred, other ones for each seed; besides, any line may be slow now and then.

Only threads that start inside are traced, and the one that begins. Nothing is delayed while the interpreter ends.
"""

from __future__ import annotations

import random
import sys
import threading
import time
import zlib
from pathlib import Path
from types import FrameType
from typing import Any, Final

import jupyter_durable

ENGINE: Final = str(Path(jupyter_durable.__file__).parent)
PARTS: Final = tuple(f"{ENGINE}/{part}" for part in ("runner/", "executor/", "store/", "future.py", "context.py"))
"""Where threads meet. What only computes (digests, code versions, serializers) is not slowed."""
SLOW_LINES: Final = 0.03
"""Share of the lines that are slow under one seed."""
SLOW_OFTEN: Final = 0.25
"""How often such a line is."""
ANY_LINE: Final = 0.0005
LONGEST_SECONDS: Final = 0.004


class Delays:
    """`with Delays(seed):` — what runs inside is delayed."""

    def __init__(self, seed: int, parts: tuple[str, ...] = PARTS) -> None:
        self._seed = seed
        self._parts = parts
        self._draws = threading.local()
        self._lines: dict[tuple[str, int], bool] = {}
        self._files: dict[str, bool] = {}
        self._over = False

    def __enter__(self) -> Delays:
        threading.settrace(self._called)
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        sys.settrace(None)
        threading.settrace(None)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Any:
        """A function begins: it is looked at when it is the engine's."""
        name = frame.f_code.co_filename
        known = self._files.get(name)
        if known is None:
            known = self._files[name] = name.startswith(self._parts)
        return self._at if known and not self._over else None

    def _at(self, frame: FrameType, event: str, arg: Any) -> Any:
        """A line, a return, an exception."""
        if self._over:
            return None
        draw = self._draw()
        often = SLOW_OFTEN if self._is_slow(frame) else ANY_LINE
        if draw.random() < often:
            time.sleep(draw.random() * LONGEST_SECONDS)
        return self._at

    def _is_slow(self, frame: FrameType) -> bool:
        place = (frame.f_code.co_filename, frame.f_lineno)
        known = self._lines.get(place)
        if known is None:
            mixed = zlib.crc32(f"{self._seed} {place[0].removeprefix(ENGINE)} {place[1]}".encode())
            known = self._lines[place] = mixed < SLOW_LINES * 2**32
        return known

    def _draw(self) -> random.Random:
        try:
            return self._draws.random
        except AttributeError:
            self._draws.random = random.Random(f"{self._seed} {threading.current_thread().name}")
            return self._draws.random


def _as_library() -> None:
    """What traces is no code of the user: an interrupt does not come up in it, as it does not in a debugger."""
    for traces in (Delays._called, Delays._at, Delays._is_slow, Delays._draw):
        traces.__code__ = traces.__code__.replace(co_filename="<frozen delays>")


_as_library()
