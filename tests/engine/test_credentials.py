"""Credentials in texts: neither kept in the store nor shown."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from jupyter_durable.cli.app import app
from jupyter_durable.client import verbs

CANARY = "tok-77c1d9canary"
CODE = """
class Client:
    def __repr__(self): return f"Client({said()})"
    def __reduce__(self): raise TypeError("not to be stored")
@function(retries=1)
def leaks(client):
    context = RequestContext.get()
    context.progress.update(1, 2, said(), {"said": said()})
    context.metrics.counter(said(), 1)
    error = ValueError("cannot connect with " + said(), client)  # not to be stored, so only its text is
    error.add_note("was " + said())
    raise error
@application(input_deserializer="pickle")
def fails():
    leaks(Client())
"""


class Said:
    """Says a credential; like a client, it is not stored."""

    def __call__(self) -> str:
        return f"token={CANARY}"

    def __reduce__(self) -> str:
        raise TypeError("not to be stored")


def test_a_canary_in_texts_stands_in_no_file_and_is_shown_nowhere(notebook):
    """Errors, notes, tracebacks, attempts, progress, metrics, previews of arguments; list, show, tree, logs."""
    notebook.namespace["said"] = Said()
    notebook.cell(CODE, key=None)
    notebook.cell("run_local_application(fails)", key=None)
    request = notebook.last()
    assert request.status == "failed"
    notebook.engine.store.close()
    for path in notebook.path.parent.glob("store.db*"):
        if path.is_file():
            at = path.read_bytes().find(CANARY.encode())
            assert at < 0, path.read_bytes()[at - 100 : at + 40]
    notebook.restart()
    request = notebook.last()
    shown = [str(request), request.tree(), str(request.error), request.call("leaks").error_text]
    shown += [repr(verbs.listing(notebook.engine)), repr(request.metrics), repr(request.progress)]
    shown.append(repr(request.call("leaks").inputs()))
    assert CANARY not in json.dumps(shown)
    assert "***" in shown[3]
    notebook.engine.store.close()
    url = f"sqlite:///{notebook.path}"
    for words in (["list"], ["show", "last"], ["tree", "last"], ["logs", "last"], ["output", "last"]):
        for form in ([], ["--json"]):
            done = CliRunner().invoke(app, ["--store", url, *words, *form])
            assert CANARY not in done.output, words
