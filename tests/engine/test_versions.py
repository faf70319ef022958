"""Code versions: what a fresh kernel replays, and what it says when it cannot."""

from __future__ import annotations

import pytest

from jupyter_durable import ReplayError, SDKUsageError


def test_a_replay_runs_the_recorded_code_whatever_is_defined_now(notebook):
    """Without the upgrade, an edited function does not change what a replay runs."""
    notebook.cell("%%durable\ndef f(x): ran('old'); return 'old'\n", key="f")
    with pytest.raises(ZeroDivisionError):
        notebook.cell("a = f(1)\nif BROKEN: 1/0\nb = f(2)" if False else "BROKEN = 1\na = f(1)\n1/0\nb = f(2)")
    notebook.executed()
    notebook.cell("%%durable\ndef f(x): ran('new'); return 'new'\n", key="f")
    notebook.last().replay()
    assert notebook.executed() == []


def test_a_missing_client_is_named_with_its_statement_before_any_call_runs(notebook):
    """A replay that needs a live object says so, and how to make it."""
    notebook.cell(
        "class Client:\n    def __init__(self): self.lock = __import__('threading').Lock()\n"
        "    def ask(self, q):\n        ran(q)\n        return q.upper()",
        key="class",
    )
    notebook.cell("client = Client()", key="client")
    notebook.cell(
        "@application()\n@function()\ndef ask(q: str) -> str:\n    first = one(q)\n    return two(first)\n"
        "@function()\ndef one(q): ran('one'); return q\n"
        "@function()\ndef two(q):\n    if FAIL: raise RuntimeError('down')\n    return client.ask(q)\nFAIL = True",
        key="app",
    )
    with pytest.raises(RuntimeError):
        notebook.cell("ask('hello')")
    notebook.executed()
    notebook.restart()
    request = notebook.last()
    with pytest.raises(ReplayError, match=r"`client` is not stored; run `client = Client\(\)`, then replay"):
        request.replay()
    assert notebook.executed() == []
    assert request.status == "failed"
    notebook.cell("FAIL = False", key="fail")
    notebook.cell(
        "class Client:\n    def __init__(self): self.lock = __import__('threading').Lock()\n"
        "    def ask(self, q):\n        ran(q)\n        return q.upper()",
        key="class",
    )
    notebook.cell("client = Client()", key="client")
    request.replay()
    assert notebook.executed() == ["hello"]
    assert request.output() == "HELLO"


def test_the_statement_that_ran_last_is_named_where_its_cell_ran_before(notebook):
    """A text that runs again keeps its name, and its place among the texts of a kernel."""
    for lock in ("Lock", "RLock", "Lock"):
        notebook.cell(f"import threading\nlock = threading.{lock}()", key="lock")
    notebook.cell("@application()\n@function()\ndef ask():\n    with lock: 1/0", key="app")
    with pytest.raises(ZeroDivisionError):
        notebook.cell("ask()")
    notebook.restart()
    with pytest.raises(ReplayError, match=r"run `lock = threading\.Lock\(\)`, then replay"):
        notebook.last().replay()


def test_a_class_of_a_cell_comes_back_as_the_live_one(notebook):
    """After a restart and a re-run of the unchanged cell, `isinstance` holds for restored values."""
    define = "class Doc:\n    def __init__(self, text): self.text = text"
    notebook.cell(define, key="class")
    notebook.cell("%%durable\ndef load(): ran('load'); return Doc('x')\n", key="load")
    with pytest.raises(ZeroDivisionError):
        notebook.cell("doc = load()\n1/0")
    notebook.executed()
    notebook.restart()
    notebook.cell(define, key="class")
    notebook.cell("%%durable\ndef load(): ran('load'); return Doc('x')\n", key="load")
    notebook.cell("doc = load()\nassert isinstance(doc, Doc) and doc.text == 'x'")
    assert notebook.executed() == []


def test_a_durable_class_replays_in_a_fresh_kernel(notebook):
    """Methods of a restored class belong to it, and its init runs once."""
    notebook.cell(
        "@cls()\nclass Model:\n    def __init__(self):\n        ran('init')\n        self.k = 10\n"
        "    @function()\n    def predict(self, x):\n        ran(('predict', x))\n        return self.k * x\n"
        "@application()\n@function()\ndef app() -> list:\n    m = Model()\n    out = [m.predict(1), m.predict(2)]\n"
        "    if stop(): raise RuntimeError\n    return [*out, m.predict(3)]\n",
        key="app",
    )
    notebook.namespace["stop"] = Stop(True)
    with pytest.raises(RuntimeError):
        notebook.cell("app()")
    assert notebook.executed() == ["init", ("predict", 1), ("predict", 2)]
    notebook.restart()
    notebook.namespace["stop"] = Stop(False)
    request = notebook.last().replay()
    assert notebook.executed() == ["init", ("predict", 3)]
    assert request.output() == [10, 20, 30]


def test_a_global_that_the_code_changes_is_its_memory_not_its_code(notebook):
    """A cache that a function fills does not mark its calls as changed."""
    notebook.cell("cache = {}\nseen = []", key="globals")
    notebook.cell("%%durable\ndef f(x):\n    seen.append(x)\n    cache[x] = x\n    return x\n", key="f")
    with pytest.raises(ZeroDivisionError):
        notebook.cell("a = [f(1), f(2)]\n1/0")
    request = notebook.cell("a = [f(1), f(2)]")
    assert not any(call.code_changed for call in request.calls())


def test_a_request_that_is_not_there_is_named(notebook):
    """Unknown ids say what to do."""
    with pytest.raises(SDKUsageError, match="no request"):
        notebook.engine.store.request("req_nowhere")


class Stop:
    """A switch outside of the store."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __call__(self) -> bool:
        return self._on

    def __reduce__(self) -> tuple:
        raise TypeError("not to be stored")


def test_a_silently_wrong_function_of_a_finished_application_is_said_by_an_upgraded_replay(notebook):
    """The output of a success is served, unless its code or the code below it has changed: then the replay says so."""
    functions = "@function()\ndef inner(x): ran('inner'); return x + {n}\n"
    functions += "@function()\ndef outer(x): ran('outer'); return inner(x)\n"
    notebook.cell(functions.format(n=100), key="f")
    notebook.cell("@application()\n@function()\ndef app() -> int: return outer(1) + 1", key="app")
    notebook.cell("app()")
    request = notebook.last()
    notebook.executed()
    request.replay(upgrade_to_latest_version=True)
    assert request.root_call().source == "checkpoint"
    notebook.cell(functions.format(n=1), key="f")
    request.replay(upgrade_to_latest_version=True)
    assert notebook.executed() == []
    assert [call.name for call in request.calls() if call.code_changed] == ["outer"]
    assert "1 reused with changed code" in str(request)
    request.replay(rerun="changed")
    assert notebook.executed() == ["outer", "inner"]
    assert request.output() == 3
