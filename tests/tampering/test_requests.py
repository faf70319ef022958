"""What a request is of, its code and its input are under its signature."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from jupyter_durable import DeserializationError
from jupyter_durable.client import left_over

CODE = """
@application()
def keep(i):
    ran("keep")
    die()
    return i
@application()
def remove(i):
    ran("remove")
    return "removed"
"""


@pytest.fixture
def died(notebook):
    """A request whose process died, and one of another application with code of its own."""
    notebook.cell(CODE, key=None)
    notebook.cell("run_local_application(keep, 1)", key=None)
    request = notebook.last()
    notebook.cell(CODE.replace("removed", "removed again"), key=None)
    notebook.cell("run_local_application(remove, 2)", key=None)
    left_over.settle_ownerless(notebook.engine, request.id)
    notebook.executed()
    return request


def change(notebook, sql: str) -> None:
    """Change the store as somebody with a SQLite shell would, and begin a fresh kernel."""
    notebook.engine.store.close()
    with closing(sqlite3.connect(notebook.path)) as connection:
        connection.execute(sql)
        connection.commit()
    notebook.restart()
    notebook.namespace["die"] = lambda: None


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE request SET application = 'remove' WHERE serial = 1",
        "UPDATE request SET code_key = (SELECT code_key FROM request WHERE serial = 2) WHERE serial = 1",
        "UPDATE request SET input = (SELECT input FROM request WHERE serial = 2) WHERE serial = 1",
        "UPDATE request SET input = NULL WHERE serial = 1",
        "UPDATE request SET mac = NULL WHERE serial = 1",
        "UPDATE request SET mac = NULL, input = NULL WHERE serial = 1",
        "UPDATE request SET application = 'remove', mac = NULL WHERE serial = 1",
        "UPDATE request SET kind = 'cell' WHERE serial = 1",
        "UPDATE request SET headers = '[]' WHERE serial = 1",
    ],
)
def test_a_request_that_was_changed_runs_nothing(notebook, died, sql):
    """Neither another function, nor other code, nor with another input: an error that names the request."""
    change(notebook, sql)
    request = type(died)(notebook.engine, notebook.engine.store.request(died.id))
    with pytest.raises(DeserializationError, match=died.id):
        request.replay()
    with pytest.raises(DeserializationError, match=died.id):
        request.fork()
    assert notebook.executed() == []


def test_an_id_of_the_old_form_frees_nothing_from_its_signature(notebook, died):
    """Without its signature a request has to have been signed by the format of its id."""
    change(notebook, "UPDATE request SET id = 'req_0123456789ab', mac = NULL, application = 'remove' WHERE serial = 1")
    request = type(died)(notebook.engine, notebook.engine.store.request("req_0123456789ab"))
    with pytest.raises(DeserializationError):
        request.replay()
    assert notebook.executed() == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE request SET status = 'succeeded' WHERE serial = 1",
        "UPDATE call SET status = 'succeeded' WHERE request = 1; ",
        "UPDATE request SET status = 'succeeded' WHERE serial = 1 AND (SELECT 1 FROM call)",
    ],
)
def test_a_request_that_only_reads_as_succeeded_has_no_output(notebook, died, sql):
    """Nothing is a value that no key vouches for; it was `None`."""
    change(notebook, sql)
    if "call SET" in sql:
        change(notebook, "UPDATE request SET status = 'succeeded' WHERE serial = 1")
    request = type(died)(notebook.engine, notebook.engine.store.request(died.id))
    with pytest.raises(DeserializationError):
        request.output()


def test_a_value_that_was_taken_out_is_none_of_any_kind(notebook):
    """`mac` and `value` emptied: an error, where `None` was served."""
    notebook.cell("@application()\ndef app(): return 5\n", key=None)
    notebook.cell("run_local_application(app)", key=None)
    request = notebook.last()
    for sql in ("UPDATE call SET value = NULL, mac = NULL", "UPDATE call SET codec = ''", "UPDATE call SET flags = 4"):
        change(notebook, sql)
        request = type(request)(notebook.engine, notebook.engine.store.request(request.id))
        for look in (request.output, request.call("app").output):
            with pytest.raises(DeserializationError, match=request.id):
                look()


@pytest.mark.parametrize("root", ["", "; UPDATE call SET status = 'succeeded' WHERE identity = 1"])
def test_a_cell_whose_request_only_reads_as_succeeded_executes_nothing_again(notebook, root):
    """It goes on with what it had, or says that it was changed; it does not begin anew."""
    code = "@function()\ndef f(x):\n    ran(x)\n    return x\n"
    notebook.cell(code, key=None)
    with pytest.raises(ZeroDivisionError):
        notebook.cell("a = f(1)\n1/0")
    notebook.executed()
    for sql in ("UPDATE request SET status = 'succeeded'", *filter(None, [root.removeprefix("; ")])):
        change(notebook, sql)
    notebook.cell(code, key=None)
    with pytest.raises(DeserializationError if root else ZeroDivisionError):
        notebook.cell("a = f(1)\n1/0")
    assert notebook.executed() == []
