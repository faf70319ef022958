"""Which request is a cell's: what finds it again, and what is said of the cell when it begins.

Rules of this file
- NAME of `%%durable` comes first, then the id that the front end gave, then the text without comments and spacing.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_durable.client.session import Cell
from jupyter_durable.code.texts import tree_of
from jupyter_durable.durable_cell.line import CellOptions


def told(shell: Any) -> tuple[str, str | None]:
    """What the front end said of the cell that executes: its text, and its id where it has one."""
    kernel = getattr(shell, "kernel", None)
    message = kernel.get_parent("shell") if kernel is not None else {}
    id = message.get("metadata", {}).get("cellId")
    return message.get("content", {}).get("code", ""), str(id) if id else None


def notebook_path(namespace: Mapping[str, Any], directory: str) -> str:
    """Path of the notebook; where no front end tells it, the directory the kernel started in."""
    named = os.environ.get("JPY_SESSION_NAME") or namespace.get("__vsc_ipynb_file__")
    return str(Path(directory, str(named))) if named else directory


def cell_key(name: str | None, cell_id: str | None, source: str) -> str:
    """What finds the request of a cell again: its NAME, its id, or its text without comments and spacing."""
    if name is not None:
        return f"name:{name}"
    if cell_id:
        return f"cell:{cell_id}"
    try:
        text = ast.dump(tree_of(source), include_attributes=False)
    except (SyntaxError, ValueError):
        text = source
    return f"text:{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"


def made_cell(options: CellOptions | None, key: str, place: tuple[str, str, str], once: bool) -> Cell:
    """A cell that begins to execute; `place` is notebook, name and source, `once` what holds for the notebook."""
    notebook, title, source = place
    said = options or CellOptions()
    return Cell(
        notebook,
        key,
        title,
        source,
        durable_body=options is not None,
        once=(once or said.once) and not said.fresh,
        fresh=said.fresh,
    )
