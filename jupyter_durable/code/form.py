"""What a code snapshot is as bytes, and the records on both sides.

Rules of this file
- The outer form is plain data. `definitions` and `data` hold pickles, which run code when they are loaded: whoever
  stores snapshots signs them, and verifies the signature before `restore`.
- Equal code and data give equal bytes in every process: no file names of cells, no process ids, no hash order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from jupyter_durable.records import NamedTuple

FORMAT: Final = 1
BODY: Final = "the text of the cell"
"""Stands for a name in `Missing` when the cell itself was not stored, because a credential is written into it."""


class Code(TypedDict):
    """One code object: marshalled for the Python that wrote it, with its source for any other."""

    marshalled: bytes
    source: str
    """The top-level statement it stands in, at its line; "" when that is not known."""
    filename: str
    first: int
    qualname: str


class Snapshot(TypedDict):
    """The outer form."""

    format: int
    python: tuple[int, int]
    definitions: bytes
    """Pickle: name to function, class or wrapper."""
    codes: list[Code]
    data: dict[str, bytes]
    """Pickle of each plain-data global."""
    imports: dict[str, tuple[str, str | None]]
    """Name to (module, attribute), attribute None for the module itself."""
    submodules: list[str]
    others: dict[str, str]
    """Name to the statement that bound it, for what is not stored; "" when that is not known."""
    classes: dict[str, bytes]
    """Qualified name to class hash."""
    sources: dict[str, str]
    files: dict[str, str]
    """File name in tracebacks to text."""
    body: str | None


class Missing(NamedTuple):
    """A global that code needs and that is neither stored, importable nor there."""

    name: str
    statement: str
    """Source that binds it, "" when unknown."""


class Version(NamedTuple):
    """A restored snapshot."""

    namespace: dict[str, Any]
    """The globals of the restored functions."""
    body: str | None
    """Source of the cell, None when the request is no cell's."""
    sources: Mapping[str, str]
    """Name to source of its definition."""
    missing: tuple[Missing, ...]
    classes: Mapping[str, bytes]
    """Hashes of the version's classes by qualified name."""
