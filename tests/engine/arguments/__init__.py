"""Values of the types that people pass to functions, each with a near twin: the least difference a reader can see.

Rules of this folder
- Both sides are made anew each time, so that nothing is equal because it is one object.
- torch is looked at where it is installed; a class that keeps its content out of sight stands in for it everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.engine.arguments.arrays import ARROW, NUMPY, SCIENCE, torch_rows
from tests.engine.arguments.frames import PANDAS, POLARS
from tests.engine.arguments.objects import CALLABLES, RECORDS
from tests.engine.arguments.plain import BUILTINS, CONTAINERS, ERRORS

__all__ = ["Row", "table"]


class Row(NamedTuple):
    """Two values that differ in as little as can be."""

    kind: str
    what: str
    one: Callable[[], Any]
    twin: Callable[[], Any]


def table(*, torch: bool) -> Iterator[Row]:
    """All rows. `torch`: with its own, where it is installed."""
    kinds = {
        "builtin": BUILTINS,
        "container": CONTAINERS,
        "record": RECORDS,
        "error": ERRORS,
        "callable": CALLABLES,
        "numpy": NUMPY,
        "pandas": PANDAS,
        "polars": POLARS,
        "arrow": ARROW,
        "science": SCIENCE,
        "torch": torch_rows() if torch else [],
    }
    for kind, rows in kinds.items():
        for what, one, twin in rows:
            yield Row(kind, what, one, twin)
