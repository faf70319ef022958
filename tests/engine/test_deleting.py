"""What is deleted is not left in the files of the store."""

from __future__ import annotations

import os
import secrets

import pytest

from jupyter_durable.client import Request


def held(folder, words: list[str]) -> list[str]:
    """Which words stand in any file below a folder."""
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return [word for word in words if any(word.encode() in text for text in texts)]


@pytest.mark.parametrize("other", [False, True], ids=["alone", "beside others"])
def test_a_deleted_request_leaves_nothing_in_any_file(notebook, other):
    """Input, arguments, values, state, what was printed, failures: gone from file, log and folder of large values."""
    words = {name: f"{name}-{secrets.token_hex(8)}" for name in ("input", "value", "large", "state", "failure", "log")}
    notebook.namespace["words"] = words
    notebook.cell(
        "@function(retries=1)\n"
        "def part(given, i):\n"
        "    context = RequestContext.get()\n"
        "    context.state.set('s', words['state']); context.progress.update(1, 2, words['log'])\n"
        "    if context.attempt == 1 and i == 0: raise OSError(words['failure'])\n"
        "    return words['value'] + given\n"
        "@function()\n"
        "def large(given): return words['large'] * 10_000\n"
        "@application()\n"
        "def doomed(given, i):\n"
        "    for n in range(3): part(given, n)\n"
        "    large(given)\n"
        "    raise ValueError(words['failure'])\n",
        key=None,
    )
    notebook.cell(f"run_local_application(doomed, {words['input']!r} * 20, 1)", key=None)
    doomed = notebook.last()
    if other:
        notebook.namespace["words"] = dict.fromkeys(words, "harmless")
        for n in range(3):
            notebook.cell(f"run_local_application(doomed, 'harmless', {n})", key=None)
    doomed.replay()
    engine = notebook.engine
    assert set(held(notebook.path.parent, list(words.values()))) >= {words["input"], words["value"], words["large"]}
    Request(engine, engine.store.request(doomed.id)).delete()
    assert held(notebook.path.parent, list(words.values())) == []
    assert os.path.getsize(f"{notebook.path}-wal") == 0


def test_a_large_value_that_another_request_has_stays(notebook):
    """Only what nobody else names goes."""
    notebook.cell(
        "@function()\ndef large(i): return 'x' * 100_000\n@application()\ndef app(i): large(i); return 1\n", key=None
    )
    notebook.cell("run_local_application(app, 1)", key=None)
    first = notebook.last()
    notebook.cell("run_local_application(app, 1)", key=None)
    first.delete()
    assert notebook.last().call("large").output() == "x" * 100_000
    notebook.last().delete()
    assert [path for path in notebook.path.with_name("store.db.blobs").rglob("*") if path.is_file()] == []
