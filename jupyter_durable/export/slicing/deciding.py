"""The table of an export: what was kept and dropped of each cell, and why."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from jupyter_durable.code.credentials import masked
from jupyter_durable.export.selection import Decision
from jupyter_durable.export.slicing import problems
from jupyter_durable.export.slicing.cells import Split, Statement
from jupyter_durable.export.slicing.environment import keys_of_note, keys_set
from jupyter_durable.export.slicing.imports import Imports
from jupyter_durable.export.slicing.lines import Note
from jupyter_durable.export.slicing.reading import is_main_guard
from jupyter_durable.export.slicing.slicer import Kept

_PREFIX = {"?": "", "!": "!"}
_WHY = {
    "!": "a shell command runs in the notebook only",
    "?": "a question to the notebook",
    "%pip": "what it installs is among the requirements",
    "%conda": "what it installs is among the requirements",
    "%mamba": "what it installs is among the requirements",
    "%uv": "what it installs is among the requirements",
    "%matplotlib": "how plots are shown is the notebook's business",
    "%config": "how the notebook shows things is its own business",
    "%load_ext": "an extension of the notebook",
    "%reload_ext": "an extension of the notebook",
    "%autoreload": "an extension of the notebook",
    "%cd": "changes the folder of the notebook only",
    "%run": "runs a script in the notebook; what is needed of it is imported",
    "%durable": "a question to the notebook",
    "%timeit": "measures in the notebook only",
}


def decisions(split: Split, kept: Mapping[int, Kept], moved: Sequence[int], imports: Imports) -> Iterator[Decision]:
    """A line for each statement, in the order of the cells."""
    rows: list[tuple[int, int, Decision]] = []
    last = {name: each for each in split.statements for name in each.reading.binds if each.ruling != "exclude"}
    for statement in split.statements:
        found = kept.get(statement.place)
        if found is not None:
            why = _why_kept(found, above=statement.place in moved)
        else:
            why = _why_dropped(statement, last, imports)
        rows.append(
            (
                statement.number,
                statement.place,
                Decision(statement.number, _what(statement, found, imports), found is not None, why),
            )
        )
    for left in split.left:
        what = problems.shown(left.cell.source)
        rows.append((left.cell.number, 0, Decision(left.cell.number, what, False, left.why)))
    yield from (row[2] for row in sorted(rows, key=lambda row: row[:2]))


def _what(statement: Statement, kept: Kept | None, imports: Imports) -> str:
    if statement.notes and isinstance(statement.node, ast.Pass):
        note = statement.notes[0]
        return problems.shown(f"{_PREFIX.get(note.magic, f'{note.magic} ')}{_shown_of(note)}")
    if set_here := sorted(set(keys_set(statement.node, imports))):
        return problems.listed(f"{name}=…" for name in set_here)
    names = sorted(statement.reading.binds)
    if kept is not None and isinstance(statement.node, ast.Import | ast.ImportFrom):
        names = sorted(kept.names & statement.reading.binds)
    return problems.listed(names, 6) if names else problems.shown(statement.code)


def _shown_of(note: Note) -> str:
    """What a line says; the value of an environment variable is nobody's business."""
    names = list(keys_of_note(note))
    return f"{names[0]}=…" if names else masked(note.said)


def _why_kept(kept: Kept, *, above: bool) -> str:
    readers = list(kept.readers)
    why = kept.why or f"read by {problems.listed(readers)}"
    return f"{why}; moved above what reads it" if above else why


def _why_dropped(statement: Statement, last: Mapping[str, Statement], imports: Imports) -> str:
    if is_main_guard(statement.node):
        return "it runs where the notebook is the program"
    if statement.ruling == "exclude":
        return "marked to be excluded"
    if statement.notes and isinstance(statement.node, ast.Pass):
        return _why_note(statement.notes[0])
    set_here = sorted(set(keys_set(statement.node, imports)))
    if set_here:
        return f"{problems.listed(set_here)} is among the environment variables"
    names = statement.reading.binds
    anew = [last[name] for name in sorted(names) if name in last and last[name].place > statement.place]
    if anew:
        return f"bound anew in cell {anew[0].number}"
    if isinstance(statement.node, ast.Expr):
        return _why_expression(statement.node.value, imports)
    return "nothing that goes in reads it"


def _why_expression(node: ast.expr, imports: Imports) -> str:
    if not isinstance(node, ast.Call):
        return "it shows a value"
    dotted = imports.dotted(node.func) or ""
    if dotted.startswith("sys.path."):
        return "local modules are copied, wherever they lie"
    if isinstance(node.func, ast.Name) and node.func.id in ("print", "display"):
        return "it shows a value"
    return (
        "nobody takes its value" if not dotted else f"it calls {dotted.partition('.')[0]}, and nobody takes its value"
    )


def _why_note(note: Note) -> str:
    if list(keys_of_note(note)):
        return "its name is among the environment variables, its value stays here"
    if note.magic == "!" and " install " in f" {note.said} ":
        return _WHY["%pip"]
    return _WHY.get(note.magic, f"`{note.magic}` is a line of the notebook's")
