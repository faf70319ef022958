"""What of a notebook goes into an export: made by the slice, written out by the targets.

Rules of this file
- Records only, and text only: nothing here holds an object of the notebook, so that an open notebook and a file on
  disk are exported alike.
- A target needs nothing but these records; what it would have to ask the notebook for is missing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

PieceKind = Literal["import", "definition", "constant", "statement"]
"""`definition`: a function or class; `constant`: an assignment of a literal or of what only names literals;
`statement`: whatever else runs when the module is imported."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a notebook, as it stands in the file or was run in the kernel."""

    id: str
    number: int
    """Its place in the notebook, counted from 1 over all cells, as messages name it."""
    kind: Literal["code", "markdown", "raw"]
    source: str
    tags: tuple[str, ...] = ()
    execution_count: int | None = None


@dataclass(frozen=True, slots=True)
class Notebook:
    """What is exported from. `directory` is where its relative paths and local modules are looked for."""

    name: str
    """Its file name without the suffix."""
    directory: Path
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Piece:
    """One top-level statement that goes in, with the comments and decorators above it, as the notebook has it."""

    cell: int
    """The cell's number."""
    kind: PieceKind
    text: str
    """Source that compiles as it stands: `%%durable` is already the decorator it means, magics are translated."""
    binds: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    """Names of other pieces, builtins left out."""


@dataclass(frozen=True, slots=True)
class Root:
    """An application, durable function or class from which the slice began."""

    name: str
    function: str
    """The name of the durable function in requests: `name`, or `Class.method`."""
    is_application: bool
    is_async: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class LocalModule:
    """A module or package file beside the notebook that is imported, copied as it is."""

    dotted: str
    """`helpers` or `helpers.text`; `helpers/__init__.py` is `helpers`."""
    is_package: bool
    source: str


@dataclass(frozen=True, slots=True)
class EnvironmentKey:
    """An environment variable that the code reads, or that a notebook line set."""

    name: str
    cell: int
    has_default: bool = False


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file beside the notebook that the code opens by a literal relative path, copied into the package's data."""

    path: Path
    """As it is written in the code, relative to the notebook's directory."""
    cell: int


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the table that says what was kept and dropped, and why."""

    cell: int
    what: str
    """The names it binds, or its first line, shortened."""
    kept: bool
    why: str


@dataclass(frozen=True, slots=True)
class Section:
    """A markdown cell that stands above pieces: it becomes a comment there; the first one the module's docstring."""

    cell: int
    text: str


@dataclass(frozen=True, slots=True)
class Selection:
    """All that goes into an export. Pieces and sections are in the order in which they stand in the module."""

    notebook: str
    roots: Sequence[Root]
    pieces: Sequence[Piece | Section]
    modules: Sequence[LocalModule] = ()
    imports: Sequence[str] = ()
    """Top-level names of modules that pieces and local modules import, without the standard library and `modules`."""
    requirements: Sequence[str] = ()
    """What the notebook itself asked for by `%pip install` or `!pip install`: names, versions as written."""
    environment: Sequence[EnvironmentKey] = ()
    files: Sequence[DataFile] = ()
    decisions: Sequence[Decision] = ()
    bundled: Mapping[str, bytes] = field(default_factory=dict)
    """Values that were asked to go in as files, by the name that the module binds them to: JSON texts in UTF-8."""
