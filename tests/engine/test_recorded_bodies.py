"""Replays of a cell that defines and calls its functions itself: the definitions are executed with the body."""

from __future__ import annotations

import asyncio

import pytest

CELL = """
%%durable
def ask(question):
    ran(question)
    return question.upper()
ask("a"); ask("b")
""".strip()


def test_an_unchanged_function_of_the_cell_itself_is_not_marked(notebook):
    """Here and in a fresh kernel, by replay and by fork."""
    notebook.cell(CELL)
    request = notebook.last()
    request.replay(rerun=["ask[1]"])
    assert [(call.source, call.code_changed) for call in request.calls()] == [("checkpoint", False), ("ran", False)]
    fork = request.fork(from_call="ask[1]")
    assert [(call.source, call.code_changed) for call in fork.calls()] == [("checkpoint", False), ("ran", False)]
    assert notebook.executed() == ["a", "b", "b", "b"]
    notebook.restart()
    again = notebook.last()
    again.replay(rerun=["ask[0]"])
    assert [(call.source, call.code_changed) for call in again.calls()] == [("ran", False), ("checkpoint", False)]
    assert notebook.executed() == ["a"]


@pytest.mark.parametrize("left", [asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit])
def test_a_cell_and_its_replay_end_their_request_whatever_leaves_the_body(notebook, left):
    """As in an application, what is no failure of the code cancels the request."""
    notebook.namespace["left"] = []
    with pytest.raises(ZeroDivisionError):
        notebook.cell(f"{CELL}\nif left: raise left[0]\n1 / 0")
    notebook.namespace["left"] = [left]
    with pytest.raises(left):
        notebook.cell(f"{CELL}\nif left: raise left[0]\n1 / 0")
    assert notebook.last().status == "cancelled"
    notebook.last().replay()
    assert notebook.last().status == "cancelled"
    assert notebook.executed() == ["a", "b"]
