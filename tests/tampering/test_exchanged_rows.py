"""A row that was made to look like another one serves nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing

import pytest

from jupyter_durable import DeserializationError

FUNCTIONS = "%%durable\ndef f(x): ran(x); return f'value of {x}'\ndef g(x): ran(x); return f'other {x}'\n"
BODY = "a = f(1)\nb = g(2)\nc = f(3)"


def exchange(notebook, column: str, first: int, second: int) -> None:
    """Exchange a column of two calls of the cell, as somebody with a SQLite shell would."""
    notebook.engine.store.close()
    with closing(sqlite3.connect(notebook.path)) as connection:
        values = dict(connection.execute(f"SELECT identity, {column} FROM call WHERE parent = 1"))
        change = f"UPDATE call SET {column} = ? WHERE identity = ?"
        connection.executemany(change, [(values[second], first), (values[first], second)])
        connection.commit()
    notebook.restart()
    notebook.cell(FUNCTIONS, key="f")


@pytest.mark.parametrize("column", ["digest", "mac", "value"])
def test_two_rows_whose_columns_were_exchanged_are_a_typed_error(notebook, column):
    """What a call is matched by is bound to its value: exchanging it does not serve another call's result."""
    notebook.cell(FUNCTIONS, key="f")
    with pytest.raises(ZeroDivisionError):
        notebook.cell(BODY + "\n1/0")
    exchange(notebook, column, 2, 4)
    with pytest.raises(DeserializationError, match="does not match its signature"):
        notebook.cell(BODY)


def test_calls_whose_names_were_exchanged_execute_again(notebook):
    """They are not found under what they are called now."""
    notebook.cell(FUNCTIONS, key="f")
    with pytest.raises(ZeroDivisionError):
        notebook.cell(BODY + "\n1/0")
    notebook.executed()
    exchange(notebook, "name", 2, 3)
    notebook.cell(BODY)
    assert notebook.executed() == [1, 2]
    assert [notebook.namespace[name] for name in "abc"] == ["value of 1", "other 2", "value of 3"]


def test_a_failure_that_was_made_to_look_like_a_success_is_not_served(notebook):
    """The outcome is bound to the value as well."""
    notebook.cell("%%durable\ndef f(x): ran(x); raise ValueError('no')\n", key="f")
    with pytest.raises(ValueError, match="no"):
        notebook.cell("f(1)")
    notebook.engine.store.close()
    with closing(sqlite3.connect(notebook.path)) as connection:
        connection.execute("UPDATE call SET status = 'succeeded' WHERE identity = 2")
        connection.commit()
    notebook.restart()
    notebook.cell("%%durable\ndef f(x): ran(x); raise ValueError('no')\n", key="f")
    with pytest.raises(DeserializationError, match="does not match its signature"):
        notebook.cell("f(1)")


WRITES = """
@function()
def f(x):
    ran(x)
    RequestContext.get().state.set("kept", [x] * 10)
    return f"value of {x}"
@application()
def app(i):
    f(1), f(2), f(3)
    RequestContext.get().state.set("kept", "of the application")
    if not MENDED:
        raise ZeroDivisionError
    return 1
"""
HELD = "inputs, writes, value"
SWAPPED: dict[str, Callable[..., Iterable[tuple[bytes, ...]]]] = {
    "arguments of two calls": lambda a, b, c: ((c[0], *a[1:]), b, (a[0], *c[1:])),
    "states of two calls": lambda a, b, c: ((a[0], c[1], a[2]), b, (c[0], a[1], c[2])),
    "arguments and states": lambda *rows: [(writes, inputs, value) for inputs, writes, value in rows],
    "arguments and results": lambda *rows: [(value, writes, inputs) for inputs, writes, value in rows],
    "states and results": lambda *rows: [(inputs, value, writes) for inputs, writes, value in rows],
}
"""What becomes of these columns of the three calls of `f`."""


@pytest.mark.parametrize("what", SWAPPED)
def test_arguments_states_and_results_that_were_exchanged_are_a_typed_error_wherever_they_are_read(notebook, what):
    """Each is of its call and of its kind: neither looking nor a replay takes one for another."""
    notebook.namespace["MENDED"] = False
    notebook.cell(WRITES, key=None)
    notebook.cell("run_local_application(app, 1)", key=None)
    calls = [call for call in notebook.last().calls() if call.name == "f"]
    assert [call.inputs()[0] for call in calls] == [(1,), (2,), (3,)]
    notebook.executed()
    notebook.engine.store.close()
    with closing(sqlite3.connect(notebook.path)) as connection:
        before = connection.execute(f"SELECT {HELD} FROM call WHERE name = 'f' ORDER BY seq").fetchall()
        after = [*SWAPPED[what](*before)]
        changed = [n for n in range(3) if before[n] != after[n]]
        assert changed in ([0, 2], [0, 1, 2])
        change = f"UPDATE call SET ({HELD}) = (?, ?, ?) WHERE name = 'f' AND seq = ?"
        connection.executemany(change, [(*row, n) for n, row in enumerate(after)])
        connection.commit()
    notebook.restart()
    notebook.namespace["MENDED"] = True
    request = notebook.last()
    calls = [call for call in request.calls() if call.name == "f"]
    for n in changed:
        for look in (calls[n].inputs, calls[n].output):
            with pytest.raises(DeserializationError, match="does not match its signature"):
                look()
    error = request.replay().error
    assert isinstance(error, DeserializationError)
    assert "does not match its signature" in str(error)
    assert notebook.executed() == []


@pytest.mark.parametrize("column", ["inputs", "value", "(SELECT writes FROM call WHERE name = 'f' AND seq = 1)"])
def test_the_state_of_a_request_is_that_of_its_root_and_nothing_else(notebook, column):
    """Neither its arguments, nor its result, nor what a call of it wrote pass for it."""
    notebook.namespace["MENDED"] = True
    notebook.cell(WRITES, key=None)
    notebook.cell("run_local_application(app, 1)", key=None)
    assert notebook.last().state == {"kept": "of the application"}
    notebook.engine.store.close()
    with closing(sqlite3.connect(notebook.path)) as connection:
        connection.execute(f"UPDATE call SET writes = {column} WHERE identity = 1")
        connection.commit()
    notebook.restart()
    request = notebook.last()
    for look in (lambda: request.state, request.output):
        with pytest.raises(DeserializationError, match="does not match its signature"):
            look()
