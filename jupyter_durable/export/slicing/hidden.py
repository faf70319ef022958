"""What lines of a notebook bind without a statement that says so: `%run script.py`, `%store -r name`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from jupyter_durable.code.statements import top_level_bindings
from jupyter_durable.core.escaping import escaped
from jupyter_durable.export.selection import Cell
from jupyter_durable.export.slicing.cells import Left
from jupyter_durable.export.slicing.lines import Note


def hidden(notes: Sequence[tuple[Cell, Note]], directory: Path) -> Iterator[Left]:
    """Names that such lines bind, with what to write instead."""
    for cell, note in notes:
        words = [word for word in note.said.split() if not word.startswith("-")]
        if note.magic == "%run" and words:
            script = words[0].strip("'\"")
            name = Path(script).stem
            why = f"`%run {escaped(script)}` runs in a notebook only. Write `from {escaped(name)} import …`"
            yield Left(cell, why, _bound_by(directory / script))
        elif note.magic == "%store" and "-r" in note.said.split():
            why = "`%store -r` reads what this notebook's Jupyter keeps. Bind it in a cell, or bundle its value"
            yield Left(cell, why, frozenset(words))


def _bound_by(script: Path) -> frozenset[str]:
    file = script if script.suffix else script.with_suffix(".py")
    if file.suffix != ".py":
        return frozenset()
    try:
        return top_level_bindings(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return frozenset()  # it is not there: what it binds is found nowhere
