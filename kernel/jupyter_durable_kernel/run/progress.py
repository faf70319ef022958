"""What one sees while a notebook is executed: the cells, and the requests as they go.

Rules of this file
- The kernel is not asked: the store is read, seldom enough to cost a twentieth of the time at most.
- On a terminal a bar and the last requests are drawn in place; without one, each cell and each request has a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from jupyter_durable.cli.drawing import terminal
from jupyter_durable.client import verbs
from jupyter_durable.client.engine import Engine
from jupyter_durable.client.render import MARKS
from jupyter_durable.client.verbs import Info
from jupyter_durable.core.calltree import count, summary
from jupyter_durable.core.escaping import escaped
from jupyter_durable.core.model import ENDED
from jupyter_durable.errors import StoreError
from jupyter_durable.store.base import Filter
from jupyter_durable_kernel.run.in_kernel import Execution, belongs

POLL_SECONDS: Final = 0.5
SHARE: Final = 20
"""Reading takes at most one part in so many of the time."""
SHOWN: Final = 6
"""Requests that are drawn."""
LOOKED_AT: Final = 200
"""Newest requests of the notebook among which those of this execution are."""


class RunView:
    """The cells of a notebook and the requests they make."""

    def __init__(self, engine: Engine, execution: Execution, cells: int) -> None:
        self._engine = engine
        self._execution = execution
        self._began = engine.clock.now()
        self._ended: set[str] = set()
        self._live: Any = None
        self._bar: Any = None
        self._task: Any = None
        self._cells = cells

    @contextlib.contextmanager
    def drawn(self) -> Iterator[None]:
        """Draw while the notebook is executed."""
        if not sys.stderr.isatty():
            yield
            return
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns)
        self._task = self._bar.add_task("starting the kernel", total=self._cells)
        with Live(console=terminal(stderr=True), refresh_per_second=8) as self._live:
            self._draw([])
            yield

    def cell(self, number: int) -> None:
        """A cell begins; numbers count from 1."""
        if self._bar is not None:
            self._bar.update(self._task, completed=number - 1, description=f"cell {number}")
        else:
            print(f"cell {number} of {self._cells}", file=sys.stderr, flush=True)

    def done(self, succeeded: bool) -> None:
        """Nothing runs any more; look a last time."""
        if self._bar is not None and succeeded:
            self._bar.update(self._task, completed=self._cells, description="done")
        self.look()

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            before = time.monotonic()
            self.look()
            await asyncio.sleep(max(POLL_SECONDS, SHARE * (time.monotonic() - before)))

    def look(self) -> None:
        """Read the requests and draw them."""
        with contextlib.suppress(StoreError):  # busy or gone: whoever writes there will say so
            found = self.requests()
            if self._live is not None:
                self._draw(found)
            for info in found:
                if self._live is None and info.status in ENDED and info.id not in self._ended:
                    self._ended.add(info.id)
                    print(f"  {self._line(info)}", file=sys.stderr, flush=True)

    def requests(self) -> list[Info]:
        """Requests that this execution began or went on with, oldest first."""
        rows = self._engine.store.requests(Filter(notebook=self._execution.notebook, limit=LOOKED_AT))
        mine = [row for row in rows if belongs(row.cell, self._execution.variant)]
        runs = {row.id: self._engine.store.runs(row.serial) for row in mine}
        here = [row for row in mine if runs[row.id] and runs[row.id][-1].started_at >= self._began]
        return [verbs.info(self._engine, row) for row in sorted(here, key=lambda row: runs[row.id][-1].started_at)]

    def _line(self, info: Info) -> str:
        error = f" · {escaped(info.error)}" if info.error else ""
        return f"{MARKS.get(info.status, '?')} {info.id} {escaped(info.application)} · {self._counts(info)}{error}"

    def _counts(self, info: Info) -> str:
        root = verbs.show(self._engine, info.id).root
        return summary(count(root)) if root is not None else info.status

    def _draw(self, found: list[Info]) -> None:
        from rich.console import Group
        from rich.text import Text

        lines = [Text(self._line(info), no_wrap=True, overflow="ellipsis") for info in found[-SHOWN:]]
        self._live.update(Group(self._bar, *lines))
