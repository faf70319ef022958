"""Tables of edits: what executes and what is marked after a function body or a cell was changed."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from jupyter_durable import ReplayError, ReplayMode

FUNCTIONS = """
%%durable
def f(x): ran(f"f{x}"); return f"f{x}"
def g(x): ran(f"g{x}"); return f"g{x}"
def h(x): ran(f"h{x}"); return f"h{x}"
""".strip()
BODY = "f(1); g(2); f(3)"


class Edit(NamedTuple):
    """An edit of `f(1); g(2); f(3)` and what an adaptive replay does with it."""

    what: str
    body: str
    executed: list[str]
    marked: tuple[str, ...] = ()
    diverges: bool = False


IN_A_FUNCTION = [
    Edit("nothing", BODY, []),
    Edit("insert a new name first", "h(0); f(1); g(2); f(3)", ["h0"], (), True),
    Edit("insert a new name in the middle", "f(1); h(0); g(2); f(3)", ["h0"], (), True),
    Edit("insert a new name last", "f(1); g(2); f(3); h(0)", ["h0"]),
    Edit("insert a used name first", "f(9); f(1); g(2); f(3)", ["f9"], (), True),
    Edit("insert a used name in the middle", "f(1); f(9); g(2); f(3)", ["f9"], (), True),
    Edit("insert a used name last", "f(1); g(2); f(3); f(9)", ["f9"]),
    Edit("delete the first", "g(2); f(3)", [], (), True),
    Edit("delete the middle", "f(1); f(3)", [], (), True),
    Edit("delete the last", "f(1); g(2)", []),
    Edit("rename the first", "h(1); g(2); f(3)", ["h1"], (), True),
    Edit("rename the last", "f(1); g(2); h(3)", ["h3"], (), True),
    Edit("swap two of one name", "f(3); g(2); f(1)", [], (), True),
    Edit("swap two names", "g(2); f(1); f(3)", [], (), True),
    Edit("change a parameter of the first", "f(7); g(2); f(3)", [], ("f[0]",)),
    Edit("change a parameter of the last", "f(1); g(2); f(7)", [], ("f[1]",)),
]
"""Under a function body rule (2) holds, and a wrong match starts the body over."""


def application(body: str, tail: str = "pass") -> str:
    lines = ["@application()", "@function()", "def app() -> list:", f"    out = [{body.replace(';', ',')}]"]
    return "\n".join([*lines, f"    {tail}", "    return out"])


@pytest.mark.parametrize("edit", IN_A_FUNCTION, ids=lambda edit: edit.what)
def test_an_edit_of_a_function_body_in_adaptive_mode(notebook, edit):
    """What executes and what is marked; no call gets another call's result without a mark."""
    notebook.cell(FUNCTIONS, key="functions")
    notebook.cell(application(BODY, "raise ZeroDivisionError"), key="app")
    with pytest.raises(ZeroDivisionError):
        notebook.cell("app()")
    notebook.executed()
    notebook.cell(application(edit.body), key="app")
    request = notebook.last().replay(upgrade_to_latest_version=True)
    assert notebook.executed() == edit.executed
    marked = [call for call in request.calls() if call.args_changed]
    assert [call._node.label for call in marked] == list(edit.marked)
    wanted = [part.strip() for part in edit.body.replace("(", "").replace(")", "").split(";")]
    for call, given, expected in zip(request.calls(), request.output(), wanted, strict=True):
        assert given == expected or call.args_changed


@pytest.mark.parametrize("edit", IN_A_FUNCTION, ids=lambda edit: edit.what)
def test_an_edit_of_a_function_body_in_strict_mode(notebook, edit):
    """Strict raises exactly when the path diverges, and names the remedy; adaptive goes on afterwards."""
    notebook.cell(FUNCTIONS, key="functions")
    notebook.cell(application(BODY), key="app")
    notebook.cell("app()")
    notebook.executed()
    notebook.cell(application(edit.body), key="app")
    request = notebook.last()
    if edit.diverges:
        with pytest.raises(ReplayError, match="adaptive"):
            request.replay(mode=ReplayMode.STRICT, upgrade_to_latest_version=True)
        assert notebook.executed() == []
        assert request.runs[-1].status == "diverged"
        return
    request.replay(mode=ReplayMode.STRICT, upgrade_to_latest_version=True)
    assert notebook.executed() == edit.executed
    assert request.status == "succeeded"


IN_A_CELL = [
    Edit("nothing", BODY, []),
    Edit("insert a new name first", "h(0); f(1); g(2); f(3)", ["h0"]),
    Edit("insert a used name first", "f(9); f(1); g(2); f(3)", ["f9"]),
    Edit("insert a used name last", "f(1); g(2); f(3); f(9)", ["f9"]),
    Edit("delete the middle", "f(1); f(3)", []),
    Edit("rename the first", "h(1); g(2); f(3)", ["h1"]),
    Edit("swap two of one name", "f(3); g(2); f(1)", []),
    Edit("change a parameter of a function called twice", "f(7); g(2); f(3)", ["f7"]),
    Edit("change a parameter of a function called once", "f(1); g(8); f(3)", [], ("g[0]",)),
    Edit("a function called once is now called twice", "f(1); g(8); g(2); f(3)", ["g8"]),
]
"""The body of a cell cannot start over, so there rule (2) holds only for a function that is called once in it."""


@pytest.mark.parametrize("edit", IN_A_CELL, ids=lambda edit: edit.what)
def test_an_edit_of_a_cell(notebook, edit):
    """What executes and what is marked when an edited cell resumes."""
    notebook.cell(FUNCTIONS, key="functions")
    with pytest.raises(ZeroDivisionError):
        notebook.cell(f"out = [{BODY.replace(';', ',')}]\n1/0")
    notebook.executed()
    request = notebook.cell(f"out = [{edit.body.replace(';', ',')}]")
    assert notebook.executed() == edit.executed
    assert [call._node.label for call in request.calls() if call.args_changed] == list(edit.marked)


def test_a_set_in_another_order_costs_nothing(notebook):
    """Iteration order is not part of a call."""
    notebook.cell(FUNCTIONS, key="functions")
    with pytest.raises(ZeroDivisionError):
        notebook.cell("got = {x: f(x) for x in ['a', 'b', 'c', 'd']}\n1/0")
    notebook.executed()
    request = notebook.cell("got = {x: f(x) for x in ['d', 'b', 'a', 'c']}")
    assert notebook.executed() == []
    assert notebook.namespace["got"] == {x: f"f{x}" for x in "abcd"}
    assert not any(call.args_changed for call in request.calls())


MAPS = [
    Edit("nothing", "[1, 2, 3]", []),
    Edit("reordered", "[3, 1, 2]", []),
    Edit("one more", "[1, 2, 3, 4]", ["f4"]),
    Edit("one inserted first", "[0, 1, 2, 3]", ["f0"]),
    Edit("one fewer", "[1, 3]", []),
    Edit("one replaced", "[1, 9, 3]", [], ("f[1]",)),
]


@pytest.mark.parametrize("edit", MAPS, ids=lambda edit: edit.what)
def test_an_edit_of_the_items_of_a_map(notebook, edit):
    """Items are matched by their arguments before any is matched by its place."""
    notebook.cell(FUNCTIONS, key="functions")
    notebook.cell("@application()\n@function()\ndef app() -> list:\n    out = f.map([1, 2, 3])\n    1/0", key="app")
    with pytest.raises(ZeroDivisionError):
        notebook.cell("app()")
    notebook.executed()
    notebook.cell(f"@application()\n@function()\ndef app() -> list:\n    return f.map({edit.body})", key="app")
    request = notebook.last().replay(upgrade_to_latest_version=True)
    assert notebook.executed() == edit.executed
    assert [call._node.label for call in request.calls("f") if call.args_changed] == list(edit.marked)
    for call, item, got in zip(request.calls("f"), eval(edit.body), request.output(), strict=True):
        assert got == f"f{item}" or call.args_changed
