"""The fold from records to the tree that is shown."""

from __future__ import annotations

import json
import random

import pytest

from jupyter_durable.client.render import drift
from jupyter_durable.core.calltree import CHECKPOINT, RAN, CallTree, Counts, count, spoken, summary, to_json, walk
from jupyter_durable.core.counting import ahead, began
from jupyter_durable.core.model import Flag, Kind, Reached, Status
from tests.core.golden import PATH, call, cases, folded, read, root

GOLDEN = json.loads(PATH.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_golden(case):
    """The records of the file give the trees of the file; the labextension is held to the same file."""
    assert folded(case["run"], case["live"], [read(one) for one in case["records"]]) == case["tree"]


def test_the_golden_file_is_current():
    """Every case of the maker is in the file."""
    assert [case["name"] for case in GOLDEN] == [name for name, *_ in cases()]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_the_order_of_records_does_not_count(case):
    """Shuffled (output apart, which has an order) and repeated, they give the same tree."""
    records = [read(one) for one in case["records"] if one["type"] != "Logged"]
    expected = folded(case["run"], case["live"], records)
    shuffled = records * 2
    random.Random(7).shuffle(shuffled)
    assert folded(case["run"], case["live"], shuffled) == expected


def tree_of(case_name: str):
    _, run, live, records = next(case for case in cases() if case[0] == case_name)
    tree = CallTree()
    tree.apply(records)
    return tree, tree.tree(run, live=live)


def test_sources_and_counts_of_a_resumed_chain():
    """Six served, four ran, and the six took 15 seconds when they ran."""
    _, shown = tree_of("six from checkpoint, four ran")
    assert shown is not None
    assert [node.source for node in shown.children] == [CHECKPOINT] * 6 + [RAN] * 4
    assert [node.label for node in shown.children][-1] == "step[9]"
    assert summary(count(shown)) == "6 from checkpoint · 4 ran · saved 15 s"


def test_drift_is_counted_in_the_summary():
    """No replay is silent about it."""
    _, shown = tree_of("a reused call covers what is below it; drift is marked")
    assert shown is not None
    assert summary(count(shown)) == (
        "4 from checkpoint · 0 ran · saved 3 min 12 s · 1 reused with changed code · 1 reused with changed arguments"
    )


def test_a_reuse_that_cannot_be_judged_is_not_counted_as_changed():
    """Nobody knows whether its arguments are others, and that is what is said."""
    _, shown = tree_of("a reuse of which nobody knows whether its arguments changed")
    assert shown is not None
    told = "1 reused with changed arguments · 1 reused with arguments not comparable"
    assert summary(count(shown)) == f"2 from checkpoint · 0 ran · saved 5.0 s · {told}"
    assert [drift(node) for node in shown.children] == [["arguments not comparable"], ["arguments changed"]]


def test_a_failure_counts_where_it_began():
    """Neither its callers nor the map it was in count again; a map that failed by itself failed its caller."""
    name = "a failure counts where it began, below its callers and a map; one that was dealt with counts, too"
    _, shown = tree_of(name)
    assert shown is not None
    assert [node.label for node in walk(shown)[1:] if node.status == Status.FAILED and began(node)] == [
        "part[1]",
        "risky[0]",
        "alone[0]",
        "part.reduce[0]",
    ]
    assert summary(count(shown)) == "8 ran · 3 failed"


def test_what_a_replay_would_run_and_reuse():
    """What succeeded is reused with all it covers; what did not, runs, with the items of a map that had not begun."""
    records = [
        root(1, status=Status.CANCELLED, children=3),
        call(2, 1, 0, "prepare", children=1),
        call(3, 1, 0, "read", 2, children=0),
        call(4, 1, 1, "lost", flags=Flag.NOT_STORED, children=0),
        call(5, 1, 2, "item", kind=Kind.MAP, status=Status.CANCELLED, children=10),
        call(6, 1, 0, "item", 5, kind=Kind.MAP_ITEM, children=0),
        call(7, 1, 1, "item", 5, kind=Kind.MAP_ITEM, status=Status.FAILED, children=0),
        call(8, 1, 2, "item", 5, kind=Kind.MAP_ITEM, status=Status.CANCELLED, children=0),
    ]
    tree = CallTree()
    tree.apply(records)
    shown = tree.tree(1, live=False)
    assert shown is not None
    assert ahead(shown) == (1 + 1 + 1 + 7, 2 + 1)


def test_a_running_call_of_nobody_reads_interrupted():
    """Nothing is shown as running when nobody runs it."""
    _, live = tree_of("live, with progress and output")
    _, dead = tree_of("the same with nobody running it, records repeated and late")
    assert live is not None
    assert dead is not None
    assert [node.status for node in walk(live)] == ["running", "succeeded", "running"]
    assert [node.status for node in walk(dead)] == ["interrupted", "succeeded", "interrupted"]
    assert live.children[1].progress is not None
    assert live.children[1].progress.current == 2.0


def test_calls_that_no_longer_happen_are_kept_beside_the_tree():
    """Not shown, but there for selection."""
    tree, shown = tree_of("only the newest body: calls that no longer happen, a body that started over")
    nodes = tree.nodes()
    assert shown is not None
    assert nodes is not None
    assert [node.identity for node in shown.children] == [2, 5]
    assert [node.row.identity for node in nodes.children] == [2, 5]
    assert [node.row.identity for node in nodes.others] == [3, 4]


def test_values_are_not_kept():
    """A tree of 100 large results is small."""
    tree = CallTree()
    tree.apply([root(1), call(2, 1, 0, "f", value=b"x" * 100, inputs=b"y")])
    shown = tree.tree(1, live=False)
    assert shown is not None
    assert shown.children[0].row.value is None
    assert shown.children[0].row.inputs is None


def test_a_tree_may_be_very_deep():
    """5,000 nested calls: no recursion."""
    tree = CallTree()
    tree.apply([root(1), *(call(n, 1, 0, "f", parent=n - 1) for n in range(2, 5002))])
    shown = tree.tree(1, live=False)
    assert shown is not None
    assert walk(shown)[-1].depth == 5000
    assert len(to_json(shown)["calls"]) == 5001
    nodes = tree.nodes()
    assert nodes is not None


def test_a_stretch_over_rows_that_are_gone_shows_what_is_there():
    """A record may name calls that have not arrived yet."""
    assert folded(1, False, [root(1), Reached(1, 1 << 16 | 1, 0, 50, 3, Flag.CODE_CHANGED)]) is not None


def test_a_later_outcome_wins_over_an_earlier_mark():
    """Of two rows of a call the later pass, then attempt, then outcome."""
    old, new = call(2, 1, 0, "f", status=Status.RUNNING, attempts=2), call(2, 1, 0, "f", attempts=1)
    tree = CallTree()
    tree.apply([root(1), old, new])
    shown = tree.tree(1, live=True)
    assert shown is not None
    assert shown.children[0].status == Status.RUNNING


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (12.2, "12 s"),
        (59.7, "1 min 0 s"),
        (192, "3 min 12 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_spoken(seconds, text):
    """As people say them."""
    assert spoken(seconds) == text


def test_the_summary_says_only_what_there_is():
    """What ran is always there."""
    assert summary(Counts(0, 3, 0, 0, 0, 0, 0.0)) == "3 ran"
    assert summary(Counts(0, 3, 1, 1, 0, 0, 0.0)) == "3 ran · 1 failed · 1 running"
    assert summary(Counts(14, 1, 0, 0, 0, 2, 192.0)) == (
        "14 from checkpoint · 1 ran · saved 3 min 12 s · 2 reused with changed code"
    )
