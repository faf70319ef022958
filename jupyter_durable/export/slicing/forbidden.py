"""What must not stand in an export: credentials, and absolute paths of somebody's home.

Rules of this file
- Code that holds one is refused, and the text is shown nowhere: the cell is named, and how to do without.
- Markdown is prose: there it is masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from jupyter_durable.code.credentials import holds_credential, looks_secret, masked
from jupyter_durable.export.selection import LocalModule, Piece, Section
from jupyter_durable.export.slicing.problems import Problem, listed, shown

HOME: Final = re.compile(
    r"(?<![\w.~-])(?:/home/[\w.-]+|/Users/[\w.-]+|/root|[A-Za-z]:\\{1,2}Users\\{1,2}[\w.-]+)(?![\w.-])"
)


def in_selection(
    pieces: Sequence[Piece | Section], modules: Iterable[LocalModule], requirements: Sequence[str]
) -> Iterator[Problem]:
    """What must not stand in the code of an export, nor in what it installs."""
    for piece in pieces:
        if isinstance(piece, Piece):
            what = listed(piece.binds) if piece.binds else f"`{shown(piece.text)}`"
            yield from forbidden(piece.text, f"cell {piece.cell} ({what})", piece.cell)
    for module in modules:
        yield from forbidden(module.source, f"the local module {module.dotted}")
    for requirement in requirements:
        if looks_secret(requirement) or masked(requirement) != requirement:
            yield Problem(f"`{masked(requirement)}` is installed with a token in its address. Let git or pip know it.")


def harmless(piece: Piece | Section) -> Piece | Section:
    """The same without what must not stand in prose."""
    return Section(piece.cell, HOME.sub("~", masked(piece.text))) if isinstance(piece, Section) else piece


def forbidden(text: str, where: str, cell: int = 0) -> Iterator[Problem]:
    """What must not stand in an export, in the text of a piece or of a local module."""
    if holds_credential(text):
        yield Problem(
            f"{where}: a text in it looks like a key, a token or a password, and an export must hold none. Read it "
            'from an environment variable: `os.environ["NAME"]`; the variable is then listed in `.env.example`.',
            cell=cell,
        )
    found = HOME.search(text)
    if found is not None:
        yield Problem(
            f"{where}: an absolute path of a home folder stands in it, which is nowhere else. Write a path relative to "
            'the notebook, or read it from an environment variable (`os.environ["NAME"]`).',
            cell=cell,
        )
