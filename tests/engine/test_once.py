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


MEMORY = {
    "a global": "n = 0\ndef low(x):\n    global n\n    n = n + x\n    return x",
    "a closure": """
def make():
    cache = {}
    def low(x):
        if x not in cache:
            cache[x] = x
        return cache[x]
    return low
low = make()
""",
    "a default": "def low(x, _seen={}):\n    _seen[x] = x\n    return x",
    "a parameter of a class beside it": (
        "n = 5\nclass A:\n    def __init__(self, n):\n        self.n = n\ndef low(x):\n    return A(x).n"
    ),
}


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("once", [True, False])
def test_what_code_remembers_makes_no_call_execute_again(notebook, memory, once):
    """A kernel dies in a loop; all cells run again."""
    main = "from jupyter_durable import *\n@function()\ndef main(x):\n    ran(x)\n    return low(x)"
    loop = "out = []\nfor n_ in range(4):\n    n = n_\n    out.append(main(n_))\n    if n_ == 2 and not ALIVE: die()"
    for alive, expected in ((False, [0, 1, 2]), (True, [3])):
        notebook.namespace["ALIVE"] = alive
        notebook.cell(MEMORY[memory], key=None)
        notebook.cell(main, key=None)
        notebook.cell(loop, once=once)
        assert notebook.executed() == expected
        if not alive:
            notebook.restart()
    assert notebook.last().counts().code_changed == 0
    assert notebook.namespace["out"] == [0, 1, 2, 3]
