"""The cells of the notebook as they are now: those of its file, and those that ran since it was saved.

Rules of this file
- The file has the order and the cells that never ran; what ran after it was saved is newer than it.
- Without a file (nothing saved yet, or a front end that tells no path) the cells that ran are the notebook.
- Nothing runs: texts are read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_durable.export.notebook import read_notebook
from jupyter_durable.export.selection import Cell, Notebook

NAMELESS: Final = "notebook"
"""Name of a notebook of which no front end tells the path."""


class _Ran(NamedTuple):
    source: str
    at: float
    """Unix seconds; 0 for what ran before this package was loaded."""


class NotebookCells:
    """What ran in one shell, and what that says of its notebook."""

    def __init__(self, shell: Any, now: Callable[[], float] = time.time) -> None:
        self._now = now
        before = getattr(shell.history_manager, "input_hist_raw", ())
        self._ran = {source: _Ran(source, 0.0) for source in before if source.strip()}
        """What each cell was when it ran last, by its id, or its text: in the order in which they ran first."""

    def begins(self, cell_id: str | None, source: str) -> None:
        """A cell begins to execute."""
        if cell_id is not None:
            self._ran.pop(source, None)  # of the cell that loads this package the id comes second
        self._ran[cell_id or source] = _Ran(source, self._now())

    def notebook(self, path: str) -> Notebook:
        """The notebook at `path`, or of the directory that `path` is. Raises `ExportError` for a damaged file."""
        if not os.path.isfile(path):
            place = Path(path)
            known = place.suffix == ".ipynb"
            cells = [Cell(key, n, "code", each.source) for n, (key, each) in enumerate(self._ran.items(), 1)]
            return Notebook(place.stem if known else NAMELESS, place.parent if known else place, cells)
        saved = read_notebook(path)
        return replace(saved, cells=_newest(saved.cells, self._ran, os.stat(path).st_mtime))


def _newest(saved: Sequence[Cell], ran: dict[str, _Ran], saved_at: float) -> list[Cell]:
    newer = {id: each for id, each in ran.items() if each.at > saved_at}
    cells = [
        replace(cell, source=newer[cell.id].source) if cell.kind == "code" and cell.id in newer else cell
        for cell in saved
    ]
    known = {cell.id for cell in saved} | {cell.source.strip() for cell in saved}
    added = [(id, each) for id, each in newer.items() if id not in known and each.source.strip() not in known]
    return cells + [Cell(id, len(cells) + n, "code", each.source) for n, (id, each) in enumerate(added, 1)]
