"""What calls print, put together again: `print` writes each of its parts by itself, and what a credential is told by
stands in the part before it.

Rules of this file
- A line is kept when it has ended, or has waited too long: a view shows it while it grows, and a process that is killed
  loses little. A private key is kept when it has ended.
- What is kept of a line that goes on is masked together with what was kept of it before.
- What one thread of a call writes is one text: threads that print at once do not tear each other's lines.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from jupyter_durable.code.credentials import ends_openly, masked
from jupyter_durable.core.model import Logged

WAIT_SECONDS: Final = 0.25
"""A line that has not ended is kept after this long."""
LONGEST: Final = 16_384
"""Characters that wait at most, and that are looked at again with what follows them."""

LINES: Final = 1_000
"""Ends of lines that are remembered after they were kept."""


class Printing:
    """What the calls of a run print. Any thread may add to it; `tell` takes what is to be kept."""

    __slots__ = ("_lines", "_lock", "_tell")

    def __init__(self, tell: Callable[[Logged], None]) -> None:
        self._tell = tell
        self._lines: dict[tuple[int, int, int], _Line] = {}
        self._lock = threading.RLock()

    def add(self, place: tuple[int, int], stream: str, text: str, now: float) -> None:
        """A call wrote; `place` is its identity and the pass it is in."""
        key = (*place, threading.get_ident())
        with self._lock:
            line = self._lines.get(key)
            if line is not None and line.stream != stream:
                self._keep(key, line, len(line.waiting))
                line = None
            if line is None:
                line = self._lines[key] = _Line(stream, now)
            elif not line.waiting:
                line.since = now
            line.waiting += text
            self._keep(key, line, line.whole())
            if not line.waiting and not line.before:
                del self._lines[key]

    def keep_old(self, now: float) -> None:
        """Keep what has waited long enough."""
        if self._lines:
            self._keep_all(lambda line: now - line.since >= WAIT_SECONDS)

    def end(self) -> None:
        """Keep all that was printed: nothing follows."""
        self._keep_all(lambda _: True)

    def _keep_all(self, wanted: Callable[[_Line], bool]) -> None:
        with self._lock:
            for key, line in list(self._lines.items()):
                if line.waiting and wanted(line):
                    self._keep(key, line, len(line.waiting))
            if len(self._lines) > LINES:  # most are of calls that have ended
                self._lines = {key: line for key, line in self._lines.items() if line.waiting}

    def _keep(self, key: tuple[int, int, int], line: _Line, length: int) -> None:
        text = line.taken(length) if length else ""
        if text:
            self._tell(Logged(key[0], key[1], line.since, line.stream, text))


class _Line:
    """The end of what a thread of a call has written to a stream."""

    __slots__ = ("before", "since", "stream", "waiting")

    def __init__(self, stream: str, since: float) -> None:
        self.stream = stream
        self.since = since
        """When what waits began to."""
        self.waiting = ""
        self.before = ""
        """What was kept already and may go on."""

    def whole(self) -> int:
        """How many of the waiting characters nothing needs to be waited for."""
        text = self.waiting
        if len(text) >= LONGEST:
            return len(text)
        ended = max(text.rfind("\n"), text.rfind("\r")) + 1
        key = text.rfind("-----BEGIN ", 0, ended)
        is_open = key >= 0 and "PRIVATE KEY" in text[key : key + 60] and "-----END " not in text[key:ended]
        return key if is_open else ended

    def taken(self, length: int) -> str:
        """The first so many waiting characters, masked."""
        had, text = self.before, self.before + self.waiting[:length]
        self.waiting = self.waiting[length:]
        self.before = text[-LONGEST:] if ends_openly(text) else ""
        said = masked(text)
        return said[_common(masked(had), said) :] if had else said


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    if other.startswith(one):
        return len(one)
    return next((n for n, (mine, its) in enumerate(zip(one, other, strict=False)) if mine != its), len(other))
