"""Cells: which request is theirs, and what `%%durable` makes of their source.

Rules of this file
- Text and tree are changed at two places of one execution, so that there is one execution: the first line becomes a
  comment before parsing, the decorator is added to the tree after it.
- A cell that cannot be right (an unknown option, a name that is not there) is rejected before anything of it runs.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from IPython.core.error import InputRejected

from jupyter_durable.client.cell_options import CellOptions
from jupyter_durable.client.durable_source import Verdict, decorate, is_durable_cell, verdicts
from jupyter_durable.client.session import Cell
from jupyter_durable.code.sources import parsed
from jupyter_durable.errors import SDKUsageError
from jupyter_durable_kernel.reach import Reached, reached

NOT_FIRST: Final = "%%durable must be the first line of the cell, with no other cell magic above or below it"


class CellRejected(InputRejected):
    """The cell does not run; shown as one line."""

    def _render_traceback_(self) -> list[str]:
        return [f"UsageError: {self}"]


def notebook_path(namespace: Mapping[str, Any], directory: str) -> str:
    """Path of the notebook; where no front end tells it, the directory the kernel started in."""
    named = os.environ.get("JPY_SESSION_NAME") or namespace.get("__vsc_ipynb_file__")
    return str(Path(directory, str(named))) if named else directory


def cell_key(options: CellOptions, cell_id: str | None, source: str) -> str:
    """What finds the request of a cell again: its NAME, its id, or its text without comments and spacing."""
    if options.name is not None:
        return f"name:{options.name}"
    if cell_id:
        return f"cell:{cell_id}"
    try:
        text = ast.dump(ast.parse(source), include_attributes=False)
    except (SyntaxError, ValueError):
        text = source
    return f"text:{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"


def python_source(raw: str, transformed: str) -> str:
    """The Python of a cell with the first line of a `%%durable` cell as written: what is kept with its request."""
    if not is_durable_cell(raw):
        return transformed
    first = next(line for line in raw.split("\n") if line.strip()).strip()
    return "\n".join([first, *transformed.split("\n")[1:]])


def made_cell(options: CellOptions | None, place: tuple[str, str, int | None], cell_id: str | None, once: bool) -> Cell:
    """A cell that begins to execute; `place` is notebook, source and execution count, `once` that of the notebook."""
    notebook, source, number = place
    said = options or CellOptions()
    title = said.name or (f"cell {number}" if number else "cell")
    return Cell(
        notebook,
        cell_key(said, cell_id, source),
        title,
        source,
        durable_body=options is not None,
        once=(once or said.once) and not said.fresh,
        fresh=said.fresh,
    )


def first_line_as_comment(lines: list[str]) -> list[str]:
    """A `%%durable` line as a comment, so that every other line keeps its number."""
    if lines and is_durable_cell(lines[0]):
        return ["#" + lines[0], *lines[1:]]
    return lines


def _is_cell_magic(statement: ast.stmt) -> bool:
    """What IPython makes of a `%%durable` line that is not the first of its cell."""
    match statement:
        case ast.Expr(
            ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), "run_line_magic"), [ast.Constant("%durable"), *_])
        ):
            return True
    return False


class Decorating:
    """The AST transformer: adds the decorator to what becomes durable, in the cell it was switched on for."""

    def __init__(self, told: Callable[[Sequence[Verdict]], None]) -> None:
        self._told = told
        self._options: CellOptions | SDKUsageError | None = None

    def switch(self, options: CellOptions | SDKUsageError | None) -> None:
        """What holds for the tree that comes next; an error rejects it, None leaves it alone."""
        self._options = options

    def visit(self, node: ast.Module) -> ast.Module:
        """IPython gives the tree of a cell, and those of magics such as `%time`."""
        options, self._options = self._options, None
        if any(_is_cell_magic(statement) for statement in node.body):
            raise CellRejected(NOT_FIRST)
        if options is None:
            return node
        if isinstance(options, SDKUsageError):
            raise CellRejected(str(options))
        found = verdicts(node, options.plain)
        missing = sorted(set(options.plain) - {verdict.name for verdict in found})
        if missing:
            names = ", ".join(verdict.name for verdict in found) or "no function"
            raise CellRejected(f"%%durable: --plain {', '.join(missing)}: this cell defines {names}")
        self._told(found)
        return decorate(node, options.plain)


def reach_of(source: str, options: CellOptions | None, namespace: Mapping[str, Any]) -> Reached | None:
    """What a cell may call; None for one that is not Python."""
    tree = parsed(source)
    if tree is None:
        return None
    becoming = [] if options is None else [each.name for each in verdicts(tree, options.plain) if each.durable]
    return reached(tree, namespace, becoming)


def verdict_lines(found: Sequence[Verdict]) -> list[str]:
    """What became durable, and what did not and why: a line each."""
    durable = [verdict.name for verdict in found if verdict.durable]
    plain = [f"{verdict.name} ({verdict.why})" for verdict in found if not verdict.durable]
    lines = [f"durable: {', '.join(durable)}"] if durable else []
    return lines + ([f"left as they are: {', '.join(plain)}"] if plain else [])
