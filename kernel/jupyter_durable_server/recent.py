"""What was answered lately: pages ask again and again, and a large request takes seconds to read.

Rules of this file
- What is kept is answers, which are small, never trees: those would cost memory, and time of every garbage collection.
- An answer of a request that has ended holds for as long as its row is the same; of one that runs, for `RATIO` times as
  long as it took, so that reading never takes more than a fifth of the time.
"""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from jupyter_durable.core.model import RequestRow, Status

RATIO: Final = 4
QUICK: Final = 0.05
"""Seconds; what is read in less is read each time while it runs."""
KEPT: Final = 64
_MOVING: Final = (Status.QUEUED, Status.RUNNING, Status.WAITING)
Answer = dict[str, Any]


@dataclass(slots=True)
class _Known:
    """One question and its last answer."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    of: tuple[RequestRow, str] | None = None
    answer: Answer | None = None
    until: float = 0.0

    def holds(self, of: tuple[RequestRow, str]) -> bool:
        return self.of == of and (of[1] not in _MOVING or monotonic() < self.until)


class Recent:
    """The last answers. For several threads at once: who asks what is being read already waits for it."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, question: Hashable, row: RequestRow, status: str, make: Callable[[], Answer]) -> Answer:
        """The answer to a question about a request, made anew when what is known no longer holds."""
        known = self._slot((row.id, question))
        # A lease that was renewed changes nothing that is shown.
        of = (row._replace(lease_until=0.0, lease_boot=None), status)
        with known.lock:
            if known.answer is None or not known.holds(of):
                began = monotonic()
                known.answer = make()
                ended = monotonic()
                known.of, known.until = of, ended + (RATIO * (ended - began) if ended - began > QUICK else 0.0)
            return known.answer

    def _slot(self, key: Hashable) -> _Known:
        with self._lock:
            known = self._known.setdefault(key, _Known())
            self._known.move_to_end(key)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
            return known


class Uncollected:
    """Time in which no garbage is collected, of several threads at once.

    A full collection looks at every object while it holds the interpreter. While 100,000 calls are read there are
    several, of up to 160 ms each, in which the server answers nobody; and what is read has no cycles.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._was_on = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._inside == 0:
                self._was_on = gc.isenabled()
                gc.disable()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0 and self._was_on:
                    gc.enable()
