"""What `%%durable` makes of the source of a cell.

Rules of this file
- Text and tree are changed at two places of one execution, so that there is one execution: the head becomes comments
  before parsing, the decorator is added to the tree after it.
- A cell that cannot be right (an unknown option, a name that is not there) is rejected before anything of it runs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from IPython.core.error import InputRejected

from jupyter_durable.code.texts import parsed
from jupyter_durable.durable_cell.definitions import Verdict, decorate, is_durable_cell, verdicts
from jupyter_durable.durable_cell.line import CellOptions, parsed_options
from jupyter_durable.errors import SDKUsageError
from jupyter_durable_kernel.cells.callees import Reached, reached
from jupyter_durable_kernel.cells.head import DURABLE, Head, head_of, wrapped

NOT_FIRST: Final = (
    "%%durable must be the first line of the cell; only comments, empty lines, %%time and %%capture may stand above it"
)


class CellRejected(InputRejected):
    """The cell does not run; shown as one line."""

    def _render_traceback_(self) -> list[str]:
        return [f"UsageError: {self}"]


class Text(NamedTuple):
    """The text of a cell that begins."""

    head: Head | None
    """Of a `%%durable` cell."""
    source: str
    """Python, after the line of `%%durable` as written where there is one: what is kept with its request."""
    key: str
    """What finds its request where nothing better does."""


def text_of(raw: str, transformed: str, transform: Callable[[str], str]) -> Text:
    """A cell `raw` as written, which is `transformed` to what executes; `transform` does so with a text."""
    lines = raw.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    head = head_of(lines)
    if head is None:
        return Text(None, _unwrapped(lines, transform) or transformed, transformed)
    made = transformed.split("\n")
    del made[head.durable.at : head.durable.at + 1]
    written = lines[head.durable.at].strip()
    first = written if is_durable_cell(written) else f"%%durable {head.durable.line}".rstrip()
    source = "\n".join([first, *made])
    return Text(head, source, source)


def _unwrapped(lines: list[str], transform: Callable[[str], str]) -> str:
    """The Python below `%%time` and `%%capture`, which stand above it as comments; empty where there are none."""
    above = wrapped(lines)
    try:
        below = transform("\n".join(lines[above:])) if above else ""
    except SyntaxError:
        return ""
    return "\n".join([*("#" + line for line in lines[:above]), below]) if above else ""


def options_of(head: Head | None) -> CellOptions | SDKUsageError | None:
    """What the head of a cell says; why it cannot be; None where the cell is not durable."""
    if head is None:
        return None
    try:
        return head.trouble or parsed_options(f"%%durable {head.durable.line}")
    except SDKUsageError as error:
        return error


def _cell_magic(statement: ast.stmt) -> str | None:
    """The name of a cell magic that is not the first line of its cell, as IPython reads it; None for all else."""
    match statement:
        case ast.Expr(
            ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), "run_line_magic"), [ast.Constant(str(name)), *_])
        ) if name.startswith("%"):
            return name[1:]
    return None


class Decorating:
    """The AST transformer: adds the decorator to what becomes durable, in the cell it was switched on for."""

    def __init__(self, begins: Callable[[Sequence[Verdict]], None]) -> None:
        self._begins = begins
        """Called with what becomes durable when nothing stands in the way of the cell any more."""
        self._options: CellOptions | SDKUsageError | None = None

    def switch(self, options: CellOptions | SDKUsageError | None) -> None:
        """What holds for the tree that comes next; an error rejects it, None leaves it alone."""
        self._options = options

    def visit(self, node: ast.Module) -> ast.Module:
        """IPython gives the tree of a cell, and those of magics such as `%time`."""
        options, self._options = self._options, None
        magics = [name for name in map(_cell_magic, node.body) if name is not None]
        if DURABLE in magics:
            raise CellRejected(NOT_FIRST)
        if options is None:
            return node
        if isinstance(options, SDKUsageError):
            raise CellRejected(str(options))
        if magics:
            raise CellRejected(f"%%{magics[0]} stands in the middle of a %%durable cell; give it a cell of its own")
        found = verdicts(node, options.plain)
        missing = sorted(set(options.plain) - {verdict.name for verdict in found})
        if missing:
            names = ", ".join(verdict.name for verdict in found) or "no function"
            raise CellRejected(f"%%durable: --plain {', '.join(missing)}: this cell defines {names}")
        self._begins(found)
        return decorate(node, options.plain)


def reach_of(source: str, options: CellOptions | None, namespace: Mapping[str, Any]) -> Reached | None:
    """What a cell may call; None for one that is not Python."""
    tree = parsed(source)
    if tree is None:
        return None
    judged = [] if options is None else verdicts(tree, options.plain)
    reach = reached(tree, namespace, [each.name for each in judged if each.durable])
    told = {each.name for each in judged}  # why they are not durable the cell says itself
    return reach._replace(plain=tuple(each for each in reach.plain if each.name not in told))
