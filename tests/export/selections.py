"""Selections made by hand, as the slice makes them of a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_durable.export.selection import Piece, Root, Section, Selection

IMPORTS = """
from __future__ import annotations
import os
import json as js
from dataclasses import dataclass
from jupyter_durable import application, function
"""

DOC = '''
@dataclass
class Doc:
    """A document."""

    title: str
    text: str
'''

LOAD = """
# How much of it is read.
@function()
def load(n: int) -> Doc:
    note("load", n)
    return Doc(f"t{n}", "x" * n * RATE)
"""

NOTE = """
def note(what, n):
    log = os.environ.get("EXECUTION_LOG")
    if not log:
        return
    with open(log, "a") as file:
        file.write(f"{what} {n}\\n")
    if os.environ.get("DIE_AT") == f"{what} {n}":
        os.kill(os.getpid(), 9)
"""

SIZE = """
@function()
def size(doc: Doc) -> int:
    note("size", doc.title)
    return len(doc.text)
"""

MAIN = """
if __name__ == "__main__":
    import sys
    from jupyter_durable import run_local_application
    request = run_local_application(brief, int(sys.argv[1]))
    print(request.id, request.output())
"""
"""What makes a script of the selection, which runs as a notebook does: with its functions in `__main__`."""


BRIEF = '''
@application()
@function()
def brief(n: int) -> int:
    """How long n documents are together."""
    return sum(size(load(i)) for i in range(n))
'''


def as_script(selection: Selection) -> str:
    """A program that defines and calls what the notebook did."""
    return "\n".join(part.text for part in selection.pieces if isinstance(part, Piece)) + MAIN


def brief_selection(notebook: str = "Brief of documents", **more: Any) -> Selection:
    """Ten documents that are read and measured: an application of two functions and a class."""
    pieces: Sequence[Piece | Section] = (
        Section(1, "# Briefs\\n\\nHow long our documents are, and *why*.".replace("\\n", "\n")),
        *(Piece(2, "import", line, (line.split()[-1],)) for line in IMPORTS.strip().split("\n")),
        Section(3, "## What a document is"),
        Piece(4, "constant", "RATE = 3", ("RATE",)),
        Piece(4, "definition", DOC, ("Doc",), ("dataclass",)),
        Piece(5, "definition", NOTE, ("note",), ("os",)),
        Piece(5, "definition", LOAD, ("load",), ("Doc", "RATE", "note", "function")),
        Piece(6, "definition", SIZE, ("size",), ("Doc", "note", "function")),
        Piece(7, "definition", BRIEF, ("brief",), ("size", "load", "function", "application")),
    )
    root = Root("brief", "brief", True, False, "How long n documents are together.")
    return Selection(**{"notebook": notebook, "roots": (root,), "pieces": pieces, **more})
