"""A row that was made to look like another one serves nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from jupyter_durable import DeserializationError

TWO = "%%durable\ndef f(x): ran(x); return f'value of {x}'\n"


@pytest.mark.parametrize("column", ["digest", "name", "mac", "value"])
def test_two_rows_whose_columns_were_exchanged_are_a_typed_error(notebook, column):
    """What a call is matched by is bound to its value: exchanging it does not serve another call's result."""
    notebook.cell(TWO + "def g(x): ran(x); return f'other {x}'\n", key="f")
    with pytest.raises(ZeroDivisionError):
        notebook.cell("a = f(1)\nb = g(2)\nc = f(3)\n1/0")
    notebook.executed()
    notebook.engine.store.close()
    with closing(sqlite3.connect(notebook.path)) as connection:
        rows = connection.execute(f"SELECT identity, {column} FROM call WHERE parent = 1").fetchall()
        first, second = (rows[0], rows[1]) if column == "name" else (rows[0], rows[2])
        change = f"UPDATE call SET {column} = ? WHERE identity = ?"
        connection.execute(change, (second[1], first[0]))
        connection.execute(change, (first[1], second[0]))
        connection.commit()
    notebook.restart()
    notebook.cell(TWO + "def g(x): ran(x); return f'other {x}'\n", key="f")
    try:
        notebook.cell("a = f(1)\nb = g(2)\nc = f(3)")
    except DeserializationError as error:
        assert "does not match its signature" in str(error)
    else:
        got = [notebook.namespace[name] for name in "abc"]
        assert got == ["value of 1", "other 2", "value of 3"]


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
