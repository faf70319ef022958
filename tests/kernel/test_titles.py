"""A cell's request is named as a reader would name the cell, never by its execution count."""

from __future__ import annotations

import pytest

from jupyter_durable import function
from jupyter_durable.durable_cell.line import CellOptions
from jupyter_durable_kernel.cells.decorating import reach_of
from jupyter_durable_kernel.cells.titles import LENGTH, title_of
from tests.kernel.conftest import Kernel


@function()
def fetch(page: int) -> int:
    """Durable."""
    return page


@function()
def parse(page: int) -> int:
    """Durable, too."""
    return page


def load_all() -> list[int]:
    """Plain; calls a durable function."""
    return [fetch(1)]


NAMES = {"fetch": fetch, "parse": parse, "load_all": load_all}
TITLES = {
    "# Fetch the pages\nfetch(1)": "Fetch the pages",
    "%%durable\n\n## --- Fetch the pages ---\nfetch(1)": "Fetch the pages",
    "# %% Fetch\nfetch(1)": "Fetch",
    "# noqa: E501\n# ruff: noqa\nfetch(1)": "fetch(…)",
    "#%%time\nfetch(1)": "fetch(…)",
    "#| label: fig\nfetch(1)": "fetch(…)",
    "import os\n# not at the top\npages = [fetch(n) for n in range(3)]": "fetch(…)",
    "x = 1\nfor n in range(3):\n    fetch(n)\nfetch.map([1])": "fetch(…)",
    "load_all()": "fetch(…)",
    "import os\nx = 1\npages = parse(fetch(1))\nparse(2)": "pages = parse(fetch(1))",
    "import os\nx = 1": "x = 1",
    "import os": "import os",
    "": "cell",
    "# ---\n": "cell",
    "def f():\n    return 1": "cell",
    "%%durable\ndef f():\n    return fetch(1)\nf()": "f(…)",
    "parse(fetch('sk-ant-1234567890abcdef1234567890'))": "parse(fetch('***'))",
    "x = (\n  ": "cell",
    f"result = parse(fetch({'1 + ' * 40}1))": None,
}


@pytest.mark.parametrize("source", TITLES)
def test_a_name_is_that_of_the_comment_the_function_or_the_first_line(source: str) -> None:
    """On one line, at most so long, with credentials masked."""
    options = CellOptions() if source.startswith("%%durable") else None
    title = title_of(None, source, reach_of(source, options, NAMES))
    assert title == TITLES[source] or TITLES[source] is None
    assert 0 < len(title) <= LENGTH
    assert "\n" not in title


def test_a_name_given_comes_first() -> None:
    """NAME of the first line is the name, whatever the cell says."""
    assert title_of("nightly", "# Fetch\nfetch(1)", reach_of("fetch(1)", None, NAMES)) == "nightly"


def test_the_request_of_a_cell_bears_it_and_calls_are_numbered_apart(kernel: Kernel) -> None:
    """`fetch[0]` is the first call, though the cell is named from the function."""
    kernel.run("%%durable\ndef fetch(x):\n    return x\nfor n in range(3): fetch(n)")
    last = "__import__('jupyter_durable').get_request('last')"
    assert kernel.value(f"{last}.application") == "fetch(…)"
    assert kernel.value(f"[c._node.label for c in {last}.calls()]") == ["fetch[0]", "fetch[1]", "fetch[2]"]


def test_another_name_finds_the_same_request(kernel: Kernel) -> None:
    """A comment added above a cell that failed changes its name, and it goes on all the same."""
    kernel.run("stop = True")
    kernel.run("%%durable\ndef one(x):\n    return x")
    kernel.run("one(1)\nassert not stop", "renamed")
    first = kernel.value("__import__('jupyter_durable').get_request('last').id")
    ran = kernel.run("# A better name\none(1)\nassert not stop", "renamed")
    assert f"resumed {first}" in ran.text
    assert kernel.value("__import__('jupyter_durable').get_request('last').application") == "one(…)"
