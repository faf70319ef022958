"""A preview in lines: folded as the tree is folded, with the sum above."""

from __future__ import annotations

from jupyter_durable.core import outline
from jupyter_durable.core.model import Kind
from jupyter_durable.core.selection import Preview, Verdict


def called(name: str, n: int, depth: int = 1, verdict: str = "reused", why: str = "", **more) -> Verdict:
    """One call of a preview."""
    kind = more.get("kind", Kind.FUNCTION)
    return Verdict(n, f"{name}[{n}]", depth, verdict, why, 1.0, more.get("saves", 0.0), name, kind)


def root(verdict: str = "executed", kind: str = Kind.CELL) -> Verdict:
    """The root of a request."""
    return called("cell", 0, 0, verdict, kind=kind)


def mapped(failed: set[int], size: int = 1000) -> Preview:
    """A map of which some items failed."""
    items = [
        called(
            "parse", n, 2, *(("executed", "failed") if n in failed else ("reused", "")), kind=Kind.MAP_ITEM, saves=0.2
        )
        for n in range(size)
    ]
    node = called("parse.map", 0, 1, "executed", "its items are matched one by one", kind=Kind.MAP)
    return Preview((root(), node, *items), 199.4)


def test_a_map_of_a_thousand_is_a_line_and_its_failures():
    """997 reused items are one line where the first of them stood; the three that failed are named."""
    assert str(mapped({7, 400, 900})) == (
        "997 reused · 3 executed · saves 3 min 19 s\n"
        "cell            executed\n"
        "  parse.map[0]  executed: its items are matched one by one\n"
        "    parse ×997  reused\n"
        "    parse[7]    executed: failed\n"
        "    parse[400]  executed: failed\n"
        "    parse[900]  executed: failed"
    )


def test_as_many_as_the_tree_shows_are_shown():
    """Up to `FOLD` siblings have a line each; above it even failures are one, since nobody reads hundreds."""
    few = mapped(set(), outline.FOLD)
    assert len(outline.lines(few.calls)) == outline.FOLD + 2
    many = mapped(set(range(60)), 100)
    assert [line.call for line in outline.lines(many.calls)][2:] == [
        "parse ×60",
        *(f"parse[{n}]" for n in range(60, 100)),
    ]


def test_what_is_below_a_folded_call_is_hidden_with_it():
    """A folded sibling takes its subtree along; siblings for other reasons keep theirs."""
    calls = [root()]
    for n in range(60):
        why = "code changed" if n == 3 else ""
        calls += [called("page", n, 1, why=why), called("load", n, 2)]
    assert [(line.call, line.depth) for line in outline.lines(calls)] == [
        ("cell", 0),
        ("page ×59", 1),
        ("page[3]", 1),
        ("load[3]", 2),
    ]


def test_siblings_of_two_callers_are_not_one_line():
    """Only calls of one caller are folded."""
    calls = [root()]
    for n in range(2):
        calls += [called("group", n, 1), *(called("page", 40 * n + k, 2) for k in range(40))]
    assert len(outline.lines(calls)) == len(calls)


def test_the_sum_counts_calls_and_says_what_is_to_know_of_the_reused_ones():
    """Not the root, nor maps and recorded values; files are counted without their names."""
    calls = [
        root("executed"),
        called("a", 0),
        called("b", 0, why="code changed"),
        called("c", 0, why="file x.csv changed"),
        called("c", 1, why="file y.csv changed"),
        called("d", 0, verdict="depends on arguments", why="a call before it runs again"),
        called("e.map", 0, verdict="executed", kind=Kind.MAP),
        called("now", 0, kind=Kind.VALUE),
        called("f", 0, verdict="executed", why="failed"),
    ]
    assert outline.summary(calls, 0.01) == (
        "4 reused · 1 executed · 1 depends on arguments · 1 reused though code changed · 2 reused though a file changed"
    )


def test_nothing_recorded_is_nothing_to_do():
    """A request before its first run."""
    assert str(Preview((), 0.0)) == "0 reused · 0 executed"
