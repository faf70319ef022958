"""`--once`: an application called again after a success goes on with its request, and executes what changed."""

from __future__ import annotations

import pytest

DEFINE = """
from jupyter_durable import *
@function()
def part(x):
    ran("part")
    return x + PART
@application()
@function()
def total(x):
    ran("total")
    return part(x) * TOTAL
"""


def define(notebook, part, total):
    notebook.cell(DEFINE.replace("PART", str(part)).replace("TOTAL", str(total)), key="define")


@pytest.mark.parametrize(
    ("part", "total", "executed", "output"),
    [(1, 10, [], 20), (2, 10, ["total", "part"], 30), (1, 100, ["total"], 200)],
)
def test_only_what_changed_executes(notebook, part, total, executed, output):
    """Nothing, the call that changed with its caller, or the application alone; and the next time nothing."""
    define(notebook, 1, 10)
    notebook.cell("out = total(1)", once=True)
    notebook.executed()
    request = notebook.last()
    for expected in (executed, list[str]()):
        define(notebook, part, total)
        notebook.cell("out = total(1)", once=True)
        assert notebook.executed() == expected
        assert notebook.namespace["out"] == output
        assert notebook.last().id == request.id
    assert notebook.last().counts().code_changed == 0


def test_rerun_changed_executes_an_application_that_changed(notebook):
    """Its calls are served."""
    define(notebook, 1, 10)
    notebook.cell("out = total(1)")
    notebook.executed()
    define(notebook, 1, 100)
    request = notebook.last().replay(rerun="changed")
    assert notebook.executed() == ["total"]
    assert request.output() == 200
