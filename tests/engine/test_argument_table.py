"""No call receives another call's result unmarked, whatever its arguments are made of."""

from __future__ import annotations

import importlib.util
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.engine.arguments import Row, table

ROWS = [*table(torch=False)]
EDITS: dict[str, tuple[list[str], list[str]]] = {
    "the same": (["one"], ["one"]),
    "inserted before": (["one"], ["twin", "one"]),
    "swapped": (["one", "twin"], ["twin", "one"]),
    "edited": (["one"], ["twin"]),
}
"""Sides of a row in the first run, and in the replay."""
CELL = "out = [f(n, value) for n, value in values()]"
MAP = "out = list(f.map([[n, value] for n, value in values()]))"
"""With the number of the row, since what is the twin of one may be the other side of another."""
BODY = "@application()\n@function()\ndef app() -> list:\n    out = [{calls}]\n    {end}"
KINDS = ("function_call", "map_item")


class Labels:
    """Says which side of which row an object is; seen by what executes, and outside of the store."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[Any, str]] = {}

    def made(self, n: int, row: Row, side: str) -> Any:
        value = row.one() if side == "one" else row.twin()
        self._known[n, id(value)] = (value, side)
        return value

    def __call__(self, n: int, value: Any) -> str:
        return self._known[n, id(value)][1]

    def __reduce__(self) -> Any:
        raise TypeError("not to be stored")


class Outcome(NamedTuple):
    """What one call of a replay gave."""

    row: Row
    side: str
    got: str
    mark: str
    source: str

    @property
    def verdict(self) -> str:
        if self.source == "ran":
            return "executed"
        return self.mark or ("reused" if self.got == self.side else "WRONG")


def bodies(rows: list[Row], how: str) -> tuple[str, Callable[[list[str], str], str]]:
    """The cell that defines the functions, and the cell that calls them with these sides of each row."""
    if how == "function body":  # by place, so each row has a function of its own: one that is wrong turns the rule off
        functions = "\n".join(f"def f{n}(x): return label({n}, x)" for n in range(len(rows)))

        def application(sides: list[str], end: str) -> str:
            calls = ", ".join(f"f{n}(value({n}, '{side}'))" for n in range(len(rows)) for side in sides)
            return BODY.format(calls=calls, end=end)

        return f"%%durable\n{functions}", application
    define, call = ("f(item): return label(*item)", MAP) if how == "map" else ("f(n, x): return label(n, x)", CELL)
    return f"%%durable\ndef {define}", lambda _, end: f"{call}\n{end}"


def replayed(notebook: Any, rows: list[Row], how: str, edit: str) -> list[Outcome]:
    """The calls of a request that failed at its end, was edited and ran again."""
    labels = Labels()
    first, then = EDITS[edit]
    turn = [first]
    notebook.namespace.update(
        label=labels,
        value=lambda n, side: labels.made(n, rows[n], side),
        values=lambda: [(n, labels.made(n, row, side)) for n, row in enumerate(rows) for side in turn[0]],
    )
    functions, source = bodies(rows, how)
    notebook.cell(functions, key="functions")
    if how == "function body":
        notebook.cell(source(first, "1/0"), key="app")
        with pytest.raises(ZeroDivisionError):
            notebook.cell("app()")
        notebook.cell(source(then, "return out"), key="app")
        request = notebook.last().replay(upgrade_to_latest_version=True)
        got = request.output()
    else:
        with pytest.raises(ZeroDivisionError):
            notebook.cell(source(first, "1/0"))
        turn[0] = then
        request = notebook.cell(source(then, ""))
        got = notebook.namespace["out"]
    calls = [call for call in request.calls() if call.name.startswith("f") and call.kind in KINDS]
    wanted = [(row, side) for row in rows for side in then]
    return [
        Outcome(row, side, value, mark_of(call), call.source)
        for (row, side), value, call in zip(wanted, got, calls, strict=True)
    ]


def mark_of(call: Any) -> str:
    if not call.args_comparable:
        return "not comparable"
    return "changed" if call.args_changed else ""


def said(outcomes: list[Outcome]) -> str:
    """A line for each kind of argument: how many calls of it were reused, marked and executed."""
    by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        by_kind[outcome.row.kind][outcome.verdict] += 1
    return "\n".join(f"{kind:<10} {dict(sorted(counts.items()))}" for kind, counts in by_kind.items())


def judged(outcomes: list[Outcome]) -> None:
    print(said(outcomes))
    seen = [one for one in outcomes if one.verdict == "WRONG" or (one.source == "ran" and one.got != one.side)]
    assert [(one.row.kind, one.row.what, one.side, one.got) for one in seen] == []


def test_the_table_is_large_and_says_each_thing_once() -> None:
    """At least 150 values of the kinds that people pass."""
    assert len(ROWS) >= 150
    assert len({(row.kind, row.what) for row in ROWS}) == len(ROWS)


LONG = [pytest.mark.full, pytest.mark.timeout(900)]
"""A function for each row is a lot of code to be looked at."""


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("how", ["cell", pytest.param("map", marks=LONG), pytest.param("function body", marks=LONG)])
def test_no_call_receives_another_calls_result_unmarked(notebook: Any, how: str, edit: str) -> None:
    """Each result is that of its own argument, or it is marked, or the call executed."""
    outcomes = replayed(notebook, ROWS, how, edit)
    assert len(outcomes) == len(ROWS) * len(EDITS[edit][1])
    judged(outcomes)
    if edit == "the same":  # what is described alike costs nothing
        again = [one.row.what for one in outcomes if one.verdict != "reused"]
        assert len(again) <= 8, again


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("how", ["cell", "map", "function body"])
def test_the_same_holds_for_torch(notebook: Any, how: str, edit: str) -> None:
    """Tensors, parameters, modules, state dicts, optimizers."""
    rows = [row for row in table(torch=True) if row.kind == "torch"]
    outcomes = replayed(notebook, rows, how, edit)
    judged(outcomes)
    assert all(one.verdict != "not comparable" for one in outcomes)
