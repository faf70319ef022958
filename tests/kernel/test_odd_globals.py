"""A durable call runs whatever else stands in the notebook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.code.zoo import PRELUDE, READERS, ZOO
from tests.kernel.conftest import Kernel

CELL = (
    "%%durable\nfrom jupyter_durable import function\n{reader}durable = function()(_look)\n"
    "got = durable(7)\nhere = thing is thing\n"
)
FAILING = CELL + "assert ready"


COMMON = (
    "a dict of classes",
    "a sparse matrix",
    "a length that raises",
    "mock.call",
    "a server proxy",
    "a proxy of a context that is not there",
)
"""What stands in real notebooks; the rest, and everything in closures, classes and tables, is for the long tier."""


def cases() -> Iterator[Any]:
    for where in READERS:
        for name in ZOO:
            often = where == "by name" and name in COMMON
            yield pytest.param(name, where, id=f"{name} {where}", marks=() if often else pytest.mark.full)


@pytest.mark.parametrize(("name", "where"), [*cases()])
def test_a_durable_call_runs_beside_any_global(kernel: Kernel, name: str, where: str) -> None:
    """The call executes, its failed cell is resumed, and its request is replayed, with an odd object in reach of it."""
    ran = kernel.run(f"{PRELUDE}\n{ZOO[name]}\nready = False", "odd")
    assert not ran.error, ran.error
    cell, id = FAILING.format(reader=READERS[where]), f"{name} {where}"
    assert "AssertionError" in kernel.run(cell, id).error
    ran = kernel.run(cell.replace("assert ready", "pass"), id)
    assert not ran.error, ran.error
    assert "1 from checkpoint" in ran.text
    assert kernel.value("got") == 7
    assert kernel.run("%durable replay last").stderr == ""
