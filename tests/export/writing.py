"""Notebooks that are written down in tests, and modules that are made of what was selected."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_durable.export.selection import Cell, Notebook, Piece, Selection
from jupyter_durable.export.slice import select
from jupyter_durable.function import registry

HEAD = "from jupyter_durable import application, function"


def notebook(*cells: str | Cell, directory: Path = Path("/nowhere"), name: str = "written") -> Notebook:
    """A notebook of these cells: a text is a code cell, one that begins with `#md ` a markdown cell."""
    made = [cell if isinstance(cell, Cell) else _cell(cell, number) for number, cell in enumerate(cells, 1)]
    return Notebook(name, directory, made)


def _cell(source: str, number: int) -> Cell:
    if source.startswith("#md "):
        return Cell(f"cell-{number}", number, "markdown", source[4:])
    return Cell(f"cell-{number}", number, "code", source)


def app(body: str, name: str = "app", arguments: str = "x: int") -> str:
    """A cell that defines an application."""
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return f"@application()\n@function()\ndef {name}({arguments}):\n{lines}"


def selected(*cells: str | Cell, directory: Path = Path("/nowhere"), **asked: Any) -> Selection:
    """What of these cells goes in."""
    return select(notebook(*cells, directory=directory), **asked)


def text_of(selection: Selection) -> str:
    """The module that the pieces make."""
    return "\n\n".join(piece.text for piece in selection.pieces if isinstance(piece, Piece)) + "\n"


def texts(selection: Selection) -> list[str]:
    """The text of each piece."""
    return [piece.text for piece in selection.pieces if isinstance(piece, Piece)]


@contextmanager
def imported(selection: Selection, folder: Path | None = None) -> Iterator[types.ModuleType]:
    """The module of the pieces, executed, with the local modules written beside it."""
    module = types.ModuleType("exported")
    sys.modules[module.__name__] = module
    before = set(sys.modules)
    for local in selection.modules:
        assert folder is not None
        parts = local.dotted.split(".")
        file = (
            folder.joinpath(*parts, "__init__.py") if local.is_package else folder.joinpath(*parts).with_suffix(".py")
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(local.source, "utf-8")
    if folder is not None:
        sys.path.insert(0, str(folder))
    try:
        with registry.as_it_was():
            exec(compile(text_of(selection), module.__name__, "exec"), vars(module))
            yield module
    finally:
        if folder is not None:
            sys.path.remove(str(folder))
        forget([module.__name__, *(local.dotted for local in selection.modules if local.dotted not in before)])


def forget(names: Iterable[str]) -> None:
    """Modules that were made by a test."""
    for name in names:
        sys.modules.pop(name, None)
