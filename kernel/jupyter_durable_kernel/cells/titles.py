"""The name of a cell's request: what a reader of the notebook would call the cell.

Rules of this file
- NAME of `%%durable` comes first, then the comment that the cell begins with, then the durable function that it calls,
  where it is one, then the statement that calls one, then the first statement. A function stands with `(…)`, so that
  the cell is told from the calls in it.
- A name finds nothing again: it may change with the text, and requests keep the one that they were made with.
- Names are shown in lists and pictures, so credentials are masked in them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from jupyter_durable.code.credentials import masked
from jupyter_durable.code.texts import parsed
from jupyter_durable_kernel.cells.callees import Reached, executed
from jupyter_durable_kernel.view.short_values import shortened

LENGTH: Final = 48
"""Characters of a name at most."""
NAMELESS: Final = "cell"
_FOR_TOOLS: Final = re.compile(r"%%\w|\s*(\||!|noqa|type:|fmt:|ruff:|pylint:|pyright:|mypy:|isort:|%load\b)")


def title_of(name: str | None, source: str, reach: Reached | None) -> str:
    """The name of a cell that begins, at most `LENGTH` characters on one line."""
    return name if name is not None else next(_titles(source, reach), NAMELESS)


def _titles(source: str, reach: Reached | None) -> Iterator[str]:
    lines = source.split("\n")
    if reach is not None:
        yield from filter(None, [_comment(lines)])
        if len(reach.called) == 1:
            yield f"{shortened(reach.called[0], LENGTH - 3)}(…)"
    tree = parsed(source)
    body = list(executed(tree)) if tree is not None else []
    first = [node for node in body if reach is not None and node is reach.first]
    for node in [*first, *(each for each in body if not isinstance(each, ast.Import | ast.ImportFrom)), *body]:
        line = _one_line(lines[getattr(node, "lineno", 1) - 1])
        if line:
            yield line


def _comment(lines: list[str]) -> str:
    """The words of the comment that a cell begins with; one that speaks to a program is none."""
    for line in lines:
        text = line.strip()
        if not text or text.startswith("%%"):
            continue
        if not text.startswith("#"):
            return ""
        words = text.lstrip("#")
        if not _FOR_TOOLS.match(words):
            told = _one_line(words.replace("%%", "").strip(" -=~#"))
            if told:
                return told
    return ""


def _one_line(text: str) -> str:
    return shortened(masked(" ".join(text.split())), LENGTH)
