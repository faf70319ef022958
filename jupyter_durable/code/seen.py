"""What a walk has looked at, and whether it would see the same again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CellType, FunctionType
from typing import Final

from jupyter_durable.code.canonical import render_data
from jupyter_durable.code.constants import render_again
from jupyter_durable.code.contents import code_in
from jupyter_durable.code.names import cell_value
from jupyter_durable.records import NamedTuple

DATA_LIMIT: Final = 64 * 1024
"""Plain-data globals up to this many bytes belong to the code that reads them."""
WATCHED_BYTES: Final = 1024
"""Data up to this many bytes is looked into at each call; of larger data only that it is the same object."""
ABSENT: Final = object()


class Seen(NamedTuple):
    """What a walk has looked at."""

    bound: list[tuple[Mapping[str, object], str, object]]
    """Names and what they were bound to."""
    cells: list[tuple[CellType, object]]
    codes: list[tuple[FunctionType, object]]
    contents: list[tuple[object, bytes | None]]
    """Data that can change in place, and its bytes."""
    tables: list[tuple[object, list[tuple[str, object]]]]
    """Containers, and the callables in them."""


def seen_alike(seen: Seen) -> bool:
    """Whether a walk would see the same again."""
    return (
        all(names.get(name, ABSENT) is value for names, name, value in seen.bound)
        and all(fn.__code__ is code for fn, code in seen.codes)
        and all(cell_value(cell) is value for cell, value in seen.cells)
        and all(render_data(value, DATA_LIMIT) == data for value, data in seen.contents)
        and all(_same_rows(list(code_in(value)), rows) for value, rows in seen.tables)
    )


def _same_rows(one: list[tuple[str, object]], other: list[tuple[str, object]]) -> bool:
    return len(one) == len(other) and all(a[0] == b[0] and a[1] is b[1] for a, b in zip(one, other, strict=True))


class Watched(NamedTuple):
    """A name under which code reads plain data."""

    names: Mapping[str, object]
    name: str
    value: object
    rendered: bytes | None
    """Its bytes, where it is small and can change in place."""


def holds(watched: Sequence[Watched]) -> bool:
    """Whether the data is as it was: bound to the same objects, which have not changed."""
    for names, name, value, rendered in watched:
        if names.get(name, ABSENT) is not value:
            return False
        if rendered is not None and render_again(value, WATCHED_BYTES) != rendered:
            return False
    return True
