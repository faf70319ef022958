"""Writing what a command says: tables and colours on a terminal, plain text without one, JSON for programs.

Rules of this file
- Names, errors and notebooks are foreign text: control and direction characters are escaped, and nothing is read as
  markup.
- Without a terminal nothing is coloured, cut or wrapped: lines are there to be read by `grep`.
- State is never told by colour alone: the word stands beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.cli.said import Grid, Part, Said, Tree, Value
from jupyter_durable.client.render import MARKS, tree_text
from jupyter_durable.core.escaping import escaped, finite, json_escaped, lines_escaped
from jupyter_durable.core.model import Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES: Final = {
    Status.SUCCEEDED: "green",
    Status.FAILED: "bold red",
    Status.RUNNING: "cyan",
    Status.WAITING: "cyan",
    Status.QUEUED: "cyan",
    Status.CANCELLED: "yellow",
    Status.INTERRUPTED: "yellow",
    "reused": "green",
    "executed": "cyan",
    "depends on arguments": "yellow",
    "ok": "green",
    "warning": "yellow",
    "error": "bold red",
}
WIDE: Final = 120
"""Columns of a terminal that holds whole tables."""
LEFT_OUT: Final = frozenset({"notebook", "accepted", "mode"})
"""Columns that a narrower one does without."""
WHOLE: Final = frozenset({"request", "status", "accepted", "state"})
_BY_MARK: Final = {MARKS[status]: style for status, style in STYLES.items() if status in MARKS}


def write(said: Said, *, as_json: bool) -> None:
    """Write it to stdout."""
    if as_json:
        print(json_escaped(json.dumps(finite(said.document), ensure_ascii=False, allow_nan=False, default=repr)))
    elif sys.stdout.isatty():
        console = terminal()
        for part in said.parts:
            _draw(console, part)
    else:
        for part in said.parts:
            for line in plain(part):
                print(line)


def terminal(*, stderr: bool = False) -> Console:
    """A console that reads no markup and paints no numbers or paths."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def complain(text: str) -> None:
    """Say what went wrong, on stderr."""
    text = lines_escaped(text)
    if sys.stderr.isatty():
        terminal(stderr=True).print(f"Error: {text}", style="red", soft_wrap=True)
    else:
        print(f"Error: {text}", file=sys.stderr)


def plain(part: Part) -> Iterator[str]:
    """Lines of a part without a terminal."""
    match part:
        case Grid(heads, rows):
            cells = [heads, *([escaped(cell) for cell in row] for row in rows)]
            widths = [max(len(row[at]) for row in cells) for at in range(len(heads))]
            for row in cells:
                yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        case Tree(root):
            yield tree_text(root)
        case Value():
            yield lines_escaped(part.text)
        case _:
            yield lines_escaped(part)


def _draw(console: Console, part: Part) -> None:
    match part:
        case Grid():
            console.print(_table(part, console.width))
        case Tree(root):
            for line in tree_text(root).split("\n"):
                console.print(_tree_line(line), soft_wrap=True)
        case Value():
            _draw_value(console, part)
        case _:
            console.print(lines_escaped(part), soft_wrap=True)


def _draw_value(console: Console, part: Value) -> None:
    from rich.pretty import Pretty

    if isinstance(part.value, str) or part.text != part._replace(raw=True).text:
        console.print(lines_escaped(part.text), soft_wrap=True)
    else:
        console.print(Pretty(part.value, max_length=200, max_string=10_000))


def _table(grid: Grid, width: int) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    shown = [at for at, head in enumerate(grid.heads) if width >= WIDE or head not in LEFT_OUT]
    for at in shown:
        table.add_column(grid.heads[at], overflow="fold", no_wrap=grid.heads[at] in WHOLE)
    for row in grid.rows:
        cells = [row[at] for at in shown]
        table.add_row(*(Text(escaped(cell), style=STYLES.get(cell.partition(" ")[2] or cell, "")) for cell in cells))
    return table


def _tree_line(line: str) -> Text:
    from rich.text import Text

    body = line.lstrip(" ")
    indent = len(line) - len(body)
    text = Text(" " * indent)
    text.append(body[:1], style=_BY_MARK.get(body[:1], ""))
    label, dot, rest = body[1:].partition(" · ")
    text.append(label, style="bold")
    text.append(dot + rest, style="dim")
    return text


def status_cell(status: str) -> str:
    """A state as a mark and a word."""
    return f"{MARKS.get(status, '?')} {status}"
