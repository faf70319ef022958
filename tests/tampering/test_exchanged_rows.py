"""A row that was made to look like another one serves nothing."""

from __future__ import annotations

import sqlite3
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
