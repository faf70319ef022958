"""The head of a cell: `%%durable`, and the cell magics that stand beside it.

Rules of this file
- `%%durable` may stand below comments and empty lines, above or below `%%time` and `%%capture`; their order says
  nothing.
- Every other cell magic treats the text of its cell in its own way, and beside it `%%durable` is an error: a cell that
  is not durable without a word would be paid for again.
- A cell whose magic takes it as a text (`%%writefile`) is that text, whatever stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from jupyter_durable.durable_cell.line import line_said
from jupyter_durable.errors import SDKUsageError

DURABLE: Final = "durable"
BESIDE: Final = frozenset({"time", "capture"})
"""Cell magics that `%%durable` works with."""
TEXTS: Final = frozenset(
    {"writefile", "file", "html", "HTML", "markdown", "latex", "svg", "SVG", "javascript", "js", "Javascript"}
)
"""Cell magics whose cell is no program."""
_MAGIC: Final = re.compile(r"\s*%%(\w+)(.*?)(?<!\?)\s*")
"""A line of one; with a question mark at its end it asks for help."""


class Magic(NamedTuple):
    """One cell magic of the head."""

    at: int
    """Number of its line, from 0."""
    name: str
    line: str
    """What stands behind its name."""


class Head(NamedTuple):
    """The head of a `%%durable` cell."""

    durable: Magic
    others: tuple[Magic, ...]
    trouble: SDKUsageError | None
    """Why the cell does not run."""

    @property
    def lines(self) -> frozenset[int]:
        """Numbers of the lines that are magics."""
        return frozenset(magic.at for magic in (self.durable, *self.others))


def head_of(lines: Sequence[str]) -> Head | None:
    """The head of a cell, which begins with its first line that is not empty; None for one without `%%durable`."""
    found = _magics(lines)
    durable = [magic for magic in found if magic.name == DURABLE]
    if not durable or found[0].name in TEXTS:
        return None
    others = tuple(magic for magic in found if magic.name != DURABLE)
    return Head(durable[0], others, _trouble(durable, others))


def wrapped(lines: Sequence[str]) -> int:
    """Lines of `%%time` and `%%capture` above the Python of a cell without `%%durable`; 0: all of it is as written."""
    if not lines or not _MAGIC.fullmatch(lines[0]):
        return 0
    found = _magics(lines)
    return found[-1].at + 1 if all(magic.name in BESIDE for magic in found) else 0


def _magics(lines: Sequence[str]) -> list[Magic]:
    found = []
    for at, line in enumerate(lines):
        magic = _MAGIC.fullmatch(line)
        if magic is not None:
            found.append(Magic(at, magic[1], line_said(magic[2])))
        elif line.strip() and not line.lstrip().startswith("#"):
            break
    return found


def _trouble(durable: list[Magic], others: tuple[Magic, ...]) -> SDKUsageError | None:
    if len(durable) > 1:
        return SDKUsageError("%%durable stands twice in this cell; write its options in one line")
    names = [magic.name for magic in others]
    foreign = [name for name in names if name not in BESIDE]
    if foreign:
        return SDKUsageError(
            f"%%{foreign[0]} and %%durable cannot share a cell: %%{foreign[0]} treats its text in its own way. Define "
            f"the functions in a %%durable cell, and call them in one with %%{foreign[0]}"
        )
    if len(set(names)) < len(names):
        return SDKUsageError(f"%%{names[0]} stands twice in this cell")
    timed = next((magic for magic in others if magic.name == "time" and magic.line), None)
    if timed is not None:
        return SDKUsageError(f"%%time beside %%durable stands alone in its line, not with {timed.line!r}")
    return None


def as_comments(lines: list[str]) -> list[str]:
    """The lines of a cell with the magics of its head as comments: every line keeps its number.

    Of a cell that does not run every line is one, since what stands there may be no Python.
    """
    head = head_of(lines)
    if head is None:
        return lines
    every = head.trouble is not None
    return ["#" + line if every or at in head.lines else line for at, line in enumerate(lines)]
