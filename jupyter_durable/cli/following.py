"""One moving line on the terminal while a request runs in this process.

Rules of this file
- It counts what the run tells; it asks the store nothing, so that following costs the run nothing.
- Without a terminal there is no such line.
"""

# ruff: noqa: ARG002 - a listener takes what every listener gets
from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Final

from jupyter_durable.cli.drawing import terminal
from jupyter_durable.cli.verb import Asked
from jupyter_durable.core.escaping import escaped
from jupyter_durable.core.model import CallRow, Logged, Progressed, RequestRow
from jupyter_durable.runner.run import Run

WIDTH: Final = 20
"""Columns of a bar."""


class Following:
    """Counts the calls of a run; drawn anew some times a second by rich."""

    hears_starts = True

    def __init__(self) -> None:
        self._what = "getting ready"
        self._ran = self._reused = 0
        self._now = self._bar = ""

    def __call__(self, run: Run, row: RequestRow) -> Following:
        """A run begins; this is its listener."""
        self._what = f"{row.id} {escaped(row.application)}"
        self._ran = self._reused = 0
        return self

    def __str__(self) -> str:
        now = f" · {self._now}" if self._now else ""
        return f"{self._what} · {self._reused} from checkpoint · {self._ran} ran{now}{self._bar}"

    __rich__ = __str__

    def started(self, row: CallRow) -> None:
        """A call began to execute."""
        self._now = escaped(row.name)

    def settled(self, row: CallRow) -> None:
        """A call ended and is durable."""
        self._ran += 1

    def reused(self, row: CallRow, seq: int, pass_no: int, flags: int) -> None:
        """A call was served from its checkpoint."""
        self._reused += 1

    def progressed(self, progress: Progressed) -> None:
        """A call reported how far it is."""
        self._bar = f" {bar(progress.current, progress.total)}"
        if progress.message:
            self._bar += f" {escaped(progress.message)}"

    def logged(self, log: Logged) -> None:
        """A call printed; its text is on the terminal already."""


def bar(current: float, total: float) -> str:
    """How far something is, as a bar and a part in a hundred."""
    part = min(1.0, max(0.0, current / total)) if total > 0 else 0.0
    full = round(part * WIDTH)
    return f"{'━' * full}{'╌' * (WIDTH - full)} {part:.0%}"


@contextlib.contextmanager
def shown(asked: Asked) -> Iterator[None]:
    """Show what runs in this process, while it does."""
    if not sys.stderr.isatty():
        yield
        return
    following = Following()
    asked.engine.observers.append(following)
    try:
        with terminal(stderr=True).status(following):
            yield
    finally:
        asked.engine.observers.remove(following)
