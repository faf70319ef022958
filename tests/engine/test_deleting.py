"""What is deleted is not left in the files of the store."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from contextlib import closing

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


@pytest.mark.parametrize("size", [100, 3_000, 6_000])
def test_nor_does_what_it_had_before_it_ran_again(notebook, size):
    """Accumulated values of a reduce, results and states that another run replaced: in pages that nobody needs."""
    word = f"word-{secrets.token_hex(8)}"
    notebook.cell(
        f"LONG = {word!r} + 'q' * {size}\nruns = []\n"
        "@function()\ndef part(n): return LONG + str(len(runs))\n"
        "@function()\ndef add(a, b): return a + LONG\n"
        "@application()\n"
        "def app(n):\n"
        "    runs.append(1); [part(i) for i in range(10)]; add.reduce([str(i) for i in range(10)], '')\n"
        "run_local_application(app, 1)",
        key=None,
    )
    doomed = notebook.last()
    for _ in range(3):
        doomed.replay(rerun=["part", "add"])
    doomed.delete()
    assert held(notebook.path.parent, [word]) == []


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


APP = "@function()\ndef part(i): return SECRET + 'x' * 9_000\n@application()\ndef app(i): [part(n) for n in range(9)]\n"
CHANCES = {
    "200 commits later": lambda notebook: notebook.cell(
        "@application()\ndef later(n): return [jd.now() for i in range(n)] and n\nrun_local_application(later, 250)",
        key=None,
    ),
    "another one is deleted": lambda notebook: notebook.last().delete(),
    "a sweep": lambda notebook: notebook.engine.store.gc(older_than=1e6, now=time.time(), dry_run=False),
    "the store is closed": lambda notebook: notebook.engine.store.close(),
}


@pytest.mark.parametrize("chance", CHANCES)
def test_what_others_read_while_it_was_deleted_is_gone_at_the_next_chance(notebook, chance):
    """The log cannot be emptied while they read; who deleted does it when it next can."""
    secret = f"secret-{secrets.token_hex(8)}"
    notebook.namespace["SECRET"] = secret
    notebook.cell(APP + "run_local_application(app, 1)", key=None)
    doomed = notebook.last()
    notebook.namespace["SECRET"] = "harmless"
    notebook.cell(APP + "run_local_application(app, 2)", key=None)
    with closing(sqlite3.connect(notebook.path)) as other, closing(sqlite3.connect(notebook.path)) as idle:
        other.execute("BEGIN")
        for each in (other, idle):  # the second keeps the store open, so that nobody's end removes the log
            assert each.execute("SELECT count(*) FROM call").fetchone() is not None
        doomed.delete()
        assert held(notebook.path.parent, [secret]) == [secret]
        other.execute("COMMIT")
        CHANCES[chance](notebook)
        assert held(notebook.path.parent, [secret]) == []


def test_a_kept_log_that_may_hold_what_was_deleted_is_named(notebook, caplog):
    """It is not deleted with it: it may be all that is left of other requests."""
    notebook.cell(APP.replace("SECRET", "'word'") + "run_local_application(app, 1)", key=None)
    kept = [notebook.path.with_name(f"store.db-wal.damaged-{n}") for n in range(2)]
    for path in kept:
        path.write_bytes(b"word")
    notebook.last().delete()
    told = " ".join([*notebook.warnings, caplog.text])
    assert all(f"{path}, a damaged log that was kept, may still hold what was deleted" in told for path in kept)
    assert all(path.exists() for path in kept)
