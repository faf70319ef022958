"""`rerun`, `from_call`, `fork` and `preview`: what is chosen runs again, the rest does not."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_durable import ReplayMode, SDKUsageError

APP = """
@function()
def f(x): ran(f"f{x}"); return x + 1
@function()
def g(x):
    ran(f"g{x}")
    return f(x) + f(x * 10)
@application()
@function()
def app(n: int) -> list:
    a = f(n)
    b = g(a)
    c = list(f.map([1, 2, 3]))
    d = g(5)
    return [a, b, c, d]
"""
ALL = ["f0", "g1", "f1", "f10", "f1", "f2", "f3", "g5", "f5", "f50"]


@pytest.fixture
def request_of_app(notebook):
    notebook.cell(APP, key="app")
    notebook.cell("app(0)")
    assert sorted(notebook.executed()) == sorted(ALL)
    return notebook.last()


def test_a_replay_of_a_success_executes_nothing(notebook, request_of_app):
    """The root is served."""
    output = request_of_app.output()
    request_of_app.replay()
    assert notebook.executed() == []
    assert request_of_app.output() == output
    assert [run.status for run in request_of_app.runs] == ["succeeded", "succeeded"]


def test_rerun_by_name_executes_all_calls_of_that_function_and_their_callers(notebook, request_of_app):
    """`rerun="g"`: both calls of g with their subtrees; f outside of them is served, unless it depends on them."""
    request_of_app.replay(rerun="g")
    assert notebook.executed() == ["g1", "f1", "f10", "g5", "f5", "f50"]


def test_rerun_of_one_call_executes_its_callers_and_its_subtree(notebook, request_of_app):
    """`rerun=["f[1]"]` is the first f inside g: g runs again, its other f is served."""
    call = request_of_app.call("f", 1)
    assert call.parent.name == "g"
    request_of_app.replay(rerun=[call])
    assert notebook.executed() == ["g1", "f1"]


def test_from_call_executes_it_and_everything_later(notebook, request_of_app):
    """What comes before in program order is served; items of one map are not later than each other."""
    request_of_app.replay(from_call="f[4]")
    assert request_of_app.call("f", 4).inputs() == ((2,), {})
    assert notebook.executed() == ["f2", "g5", "f5", "f50"]


def test_a_preview_says_what_the_replay_then_does(notebook, request_of_app):
    """Same arguments, same verdicts, and nothing runs."""
    seen = request_of_app.preview(from_call="g[1]")
    assert notebook.executed() == []
    executed = [call.call for call in seen.calls if call.verdict == "executed"]
    request_of_app.replay(from_call="g[1]")
    assert notebook.executed() == ["g5", "f5", "f50"]
    assert [name for name in executed if not name.startswith("app")] == ["g[1]", "f[6]", "f[7]"]


def test_a_fork_leaves_the_request_alone(notebook, request_of_app):
    """A fork is a request of its own with the same checkpoints."""
    before = request_of_app.tree()
    forked = request_of_app.fork(from_call="g[1]")
    assert notebook.executed() == ["g5", "f5", "f50"]
    assert forked.id != request_of_app.id
    assert forked.output() == request_of_app.output()
    assert request_of_app.tree() == before
    assert len(request_of_app.runs) == 1


def test_a_fork_with_another_input_reuses_what_has_the_same_arguments(notebook, request_of_app):
    """Rule (2) is off: nothing is served for other arguments."""
    forked = request_of_app.fork(input=100)
    assert notebook.executed() == ["f100", "g101", "f101", "f1010"]
    assert forked.output()[0] == 101
    assert not any(call.args_changed for call in forked.calls())


def test_a_choice_that_is_not_there_names_what_is(notebook, request_of_app):
    """The message lists calls."""
    with pytest.raises(SDKUsageError, match=r"no call 'nothing'.*f\[0\]"):
        request_of_app.replay(rerun="nothing")
    with pytest.raises(SDKUsageError, match="mode must be"):
        request_of_app.replay(mode="sideways")


def test_a_set_aside_survives_a_kill_of_its_replay(notebook):
    """Set-asides commit with the start of the run: the next replay executes what is left of them."""
    notebook.cell(APP.replace('ran(f"g{x}")', 'ran(f"g{x}"); die(x)'), key="app")
    notebook.namespace["die"] = Die()
    notebook.cell("app(0)")
    notebook.executed()
    notebook.namespace["die"].at = 5
    with pytest.raises(BaseException, match="die"):
        notebook.last().replay(rerun="g")
    assert notebook.executed() == ["g1", "f1", "f10", "g5"]
    notebook.namespace["die"].at = None
    notebook.last().replay()
    assert notebook.executed() == ["g5", "f5", "f50"]


def test_strict_executes_the_root_and_serves_its_calls(notebook, request_of_app):
    """A strict replay of a success compares: the body runs, the calls are served."""
    request_of_app.replay(mode=ReplayMode.STRICT)
    assert notebook.executed() == []
    assert request_of_app.runs[-1].reused == 6


class Die:
    """Ends the process of the test, so to say, at one argument."""

    at: object = None

    def __call__(self, x: object) -> None:
        if x == self.at:
            raise KeyboardInterrupt("die")

    def __reduce__(self) -> tuple:
        raise TypeError("not to be stored")


def test_rerun_changed_executes_what_was_reused_with_other_arguments(notebook):
    """A mark is an offer: `rerun="changed"` takes it, for arguments as for code."""
    notebook.cell(
        "@function()\ndef f(x): ran('f'); return 1\n@function()\ndef g(x): ran('g'); return x\n"
        "@application()\n@function()\ndef app() -> int:\n    a = f(time.time())\n    maybe()\n    return g(a)",
        key="app",
    )
    notebook.namespace["maybe"] = Maybe()
    with pytest.raises(ZeroDivisionError):
        notebook.cell("app()")
    request = notebook.last()
    notebook.namespace["maybe"].fails = False
    request.replay()
    assert notebook.executed() == ["f", "g"]
    assert [call.name for call in request.calls() if call.args_changed] == ["f"]
    request.replay(rerun="changed")
    assert notebook.executed() == ["f"]


def test_once_executes_a_call_whose_parameter_was_edited(notebook):
    """`--once` serves what is unchanged: an edited parameter is a change, whatever stood at its place."""
    notebook.cell("%%durable\ndef f(x): ran(x); return x\ndef g(x): ran(x); return x\n", key="f")
    notebook.cell("a = f(1)\nb = g(2)", once=True)
    notebook.executed()
    notebook.cell("a = f(1)\nb = g(2)", once=True)
    assert notebook.executed() == []
    notebook.cell("a = f(1)\nb = g(3)", once=True)
    assert notebook.executed() == [3]
    assert notebook.namespace["b"] == 3


class Maybe:
    """Fails until it is told not to; outside of the store."""

    fails = True

    def __call__(self) -> None:
        if self.fails:
            raise ZeroDivisionError

    def __reduce__(self) -> tuple:
        raise TypeError("not to be stored")


@pytest.mark.parametrize("wanted", [3, 1.0, True, b"f[1]", [3], [None]])
@pytest.mark.parametrize("option", ["rerun", "from_call"])
def test_what_names_no_call_is_refused_and_nothing_runs(notebook, request_of_app, option: str, wanted: Any) -> None:
    """A number is no name, though calls have numbers inside."""
    for act in (request_of_app.replay, request_of_app.preview, request_of_app.fork):
        with pytest.raises(SDKUsageError, match=r"a call is named by a text such as 'f\[1\]', or is a Call, not "):
            act(**{option: wanted})
    assert notebook.executed() == []
    assert len(request_of_app.runs) == 1
