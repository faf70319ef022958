"""What is said of arguments that keep a call from being found again: once, with the path and the remedy."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace

import pytest

from jupyter_durable.serializer.differ import BUDGETS, Comparing, incomparable
from jupyter_durable.serializer.digest import Digesting

TRIAL = """
import datetime, threading
class Trial:
    def __init__(self, number):
        self.number, self.params, self._start = number, {"lr": [0.1]}, datetime.datetime.now()
class Client:
    def __init__(self, number):
        self.number, self._lock = number, threading.Lock()
"""
FUNCTIONS = """
%%durable
def objective(trial): ran(trial.number); return trial.number
def score(n, client): ran(n); return n
""".strip()
SWEEP = "out = [objective(Trial(n)) for n in range(30)]"


@pytest.fixture
def sweep(notebook):
    """A notebook with a class whose instances hold the time."""
    notebook.cell(TRIAL, key="classes")
    notebook.cell(FUNCTIONS, key="functions")
    return notebook


def failing(notebook, source: str) -> None:
    with pytest.raises(ZeroDivisionError):
        notebook.cell(f"{source}\n1/0")
    notebook.executed()
    notebook.warnings.clear()


def test_a_sweep_over_objects_that_hold_the_time_says_what_in_them_differs(sweep):
    """All 30 run again, since each is another one; one notice names the part of the argument that is to blame."""
    failing(sweep, SWEEP)
    sweep.cell(SWEEP)
    assert sweep.executed() == [*range(30)]
    (said,) = sweep.warnings
    assert said.startswith("objective ran again: ")
    assert "`trial._start` (datetime.datetime)" in said
    assert "jupyter_durable.now()" in said


def test_it_is_said_while_the_sweep_runs_not_after_it(sweep):
    """Who is told early can stop before everything is paid for again."""
    failing(sweep, SWEEP)
    sweep.namespace["warned_at"] = []
    sweep.engine.warn = lambda text: sweep.namespace["warned_at"].append(len(sweep.log))
    sweep.cell(SWEEP)
    (at,) = sweep.namespace["warned_at"]
    assert at <= 2


def test_a_deep_part_is_found(sweep):
    """The path leads through attributes, keys and indices."""
    loop = "import time, itertools\nout = [objective(made(n)) for n in range(3)]"
    made = "one = Trial(n); one._start = None; one.params['lr'][0] = TURN; return one"
    sweep.cell(f"def made(n):\n    {made}", key="made")
    sweep.namespace["TURN"] = 0.1
    failing(sweep, loop)
    sweep.namespace["TURN"] = 0.2
    sweep.cell(loop)
    (said,) = sweep.warnings
    assert "`trial.params['lr'][0]` (float)" in said


def test_what_cannot_be_compared_is_named(sweep):
    """A lock inside of a client equals nothing."""
    loop = "out = [score(n, Client(n)) for n in range(3)]"
    failing(sweep, loop)
    sweep.cell(loop)
    assert sweep.executed() == [0, 1, 2]
    (said,) = sweep.warnings
    assert "`client._lock (threading.Lock)`" in said or "`client._lock` (threading.Lock)" in said
    assert "global" in said


def test_a_path_to_what_cannot_be_compared_does_not_go_in_circles():
    """Objects that hold each other: each is named once."""
    inner = SimpleNamespace()
    outer = inner.outer = SimpleNamespace(inner=inner, lock=threading.Lock())
    found = incomparable("client", outer, Comparing(Digesting()))
    assert found is not None
    assert found.path == "client.inner"


@pytest.mark.parametrize("pace", [0, 0.01])
def test_an_explanation_ends_when_its_time_is_spent_and_tells_how_far_it_came(pace):
    """Each part of what is too large may be nearly so; by this clock each look takes a fifth of the budget of one."""
    value: object = threading.Lock()
    for _ in range(40):
        value = SimpleNamespace(below=value)
    how = Digesting()
    found = incomparable("client", value, Comparing(how, itertools.count(step=pace).__next__))
    assert found is not None
    steps = found.path.count(".below")
    assert steps == 40 if not pace else 1 <= steps <= BUDGETS * how.budget / pace


@pytest.mark.parametrize("edited", ["[1, 2, 3, 4]", "[9, 1, 2, 3]", "[3, 1]", "[1, 2, 3]"])
def test_an_edit_that_is_found_by_its_arguments_says_nothing(sweep, edited):
    """Inserted, swapped and deleted calls are what they seem."""
    failing(sweep, "out = [score(n, None) for n in [1, 2, 3]]")
    sweep.cell(f"out = [score(n, None) for n in {edited}]")
    assert sweep.warnings == []


def test_a_single_call_is_explained_when_its_body_has_ended(sweep):
    """There is no second one to wait for."""
    failing(sweep, "for n in [1]: objective(Trial(n))")
    sweep.cell("for n in [1]: objective(Trial(n))")
    (said,) = sweep.warnings
    assert "`trial._start`" in said


def test_once_says_what_makes_a_call_execute_again(sweep):
    """`--once` executes calls with other arguments, and says which these are."""
    sweep.cell("out = objective(Trial(1))", once=True)
    sweep.executed()
    sweep.warnings.clear()
    sweep.cell("out = objective(Trial(1))", once=True)
    assert sweep.executed() == [1]
    (said,) = sweep.warnings
    assert "`trial._start`" in said


def test_an_argument_over_the_budget_is_named_once(sweep):
    """With what to do about it; the results are right all the same."""
    sweep.cell("big = [(n, str(n)) for n in range(30_000)]", key="big")
    source = "out = [score(n, big) for n in [1, 2]]"
    with pytest.raises(ZeroDivisionError):
        sweep.cell(f"{source}\n1/0")
    (said,) = sweep.warnings
    assert "score: its argument `client` has too many parts to be compared within 50 ms" in said
    assert "configure(digest_budget=" in said
    assert sweep.executed() == [1, 2]
    sweep.cell(source)
    assert sweep.executed() == []
    assert sweep.namespace["out"] == [1, 2]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("score(1, client=big)", "client"),
        ("score(client=big, n=big)", "n"),
        ("pair.map([[1, big], [2, big]])", "item"),
        ("join.reduce([[0], big, big])", "item"),
        ("join.reduce([[0], [1]], big)", "total"),
        ("many(1, 2, big, k=big)", "argument 2"),
    ],
)
def test_no_argument_over_the_budget_is_passed_over_in_silence(sweep, source, name):
    """However it reaches a call: as keyword, as item, as what a reduce has accumulated."""
    sweep.cell(
        "%%durable\ndef pair(item): return 1\ndef join(total, item): return len(item)\n"
        "def many(n, *args, **more): return 1",
        key="more",
    )
    sweep.cell("big = [(n, str(n)) for n in range(12_000)]", key="big")
    sweep.cell(source)
    sweep.cell(source)
    said = [text for text in sweep.warnings if "too many parts to be compared within 50 ms" in text]
    assert any(f"its argument `{name}`" in text for text in said)
    assert all("configure(digest_budget=" in text for text in said)


def test_the_items_of_a_map_are_served_by_their_place_with_a_mark(sweep):
    """Nothing runs again, so there is nothing to explain."""
    source = "out = objective.map([Trial(n) for n in range(5)])"
    failing(sweep, source)
    request = sweep.cell(source)
    assert sweep.executed() == []
    assert sweep.warnings == []
    assert all(call.args_changed and call.args_comparable for call in request.calls("objective"))


def test_a_map_whose_items_execute_again_says_why(sweep):
    """With `--once` they do."""
    source = "out = objective.map([Trial(n) for n in range(5)])"
    sweep.cell(source, once=True)
    sweep.executed()
    sweep.warnings.clear()
    sweep.cell(source, once=True)
    assert sorted(sweep.executed()) == [*range(5)]
    (said,) = sweep.warnings
    assert "`trial._start`" in said
