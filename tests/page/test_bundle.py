"""The JSON of a request: small, failures first, whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_durable.client.render import tree_text
from jupyter_durable.core.calltree import CallTree, to_json
from jupyter_durable.core.model import CallRow, Kind, Logged, RequestRow, Status
from jupyter_durable_kernel.view import as_json, saved_forms
from jupyter_durable_kernel.view.call_values import Told
from jupyter_durable_kernel.view.state import State
from jupyter_durable_kernel.view.tallies import Tally, counted
from tests.core.support import row

REQUEST = RequestRow(
    1, "req_1", "app", Kind.FUNCTION, Status.FAILED, 0.0, 0.0, None, None, b"", b"", None, None, None, None, None, 1, 1,
    1, None, 0.0, False, False, "ValueError: no",
)  # fmt: skip


class Said:
    """Previews of `size` characters."""

    def __init__(self, size: int) -> None:
        self._told = Told("a" * size, "o" * size, "e" * size)

    def of(self, node: object) -> Told:
        return self._told


def call(identity: int, **changes: Any) -> CallRow:
    return row(identity, identity, "f", "", **changes)


def picture(rows: list[CallRow], size: int = 10, tallies: Any = None) -> dict[str, Any]:
    tree = CallTree()
    root = row(1, 0, "app", "", parent=0, pass_no=1 << 16, children=len(rows), status=Status.FAILED)
    tree.apply([root, *rows, Logged(2, 1 << 16 | 1, 0.0, "stdout", "x" * 5000)])
    node = tree.tree(1, live=False)
    assert node is not None
    tallies = tallies or {}
    state = State(REQUEST, Status.FAILED, node, tallies, counted(node, tallies), False, 12.3456)
    return as_json.snapshot(state, Said(size))  # type: ignore[arg-type]


def test_calls_are_those_of_the_tree_with_previews() -> None:
    tree = CallTree()
    rows = [row(1, 0, "app", "", parent=0, pass_no=1 << 16, children=2), call(2), call(3)]
    tree.apply(rows)
    node = tree.tree(1, live=False)
    assert node is not None
    made = picture([call(2), call(3)])
    assert [one["label"] for one in made["calls"]] == [one["label"] for one in to_json(node)["calls"]]
    assert {*made["calls"][0]} <= {*to_json(node)["calls"][0], "arguments", "output", "error"}
    assert made["sequence"] == 12345
    assert made["display"] == "req_1-1"


@pytest.mark.parametrize("count", [3, 49, 2000])
@pytest.mark.parametrize("size", [10, 100_000])
def test_it_stays_below_its_limit(count: int, size: int) -> None:
    made = picture([call(n + 2) for n in range(count)], size)
    assert saved_forms.saved_size(made) <= as_json.BYTES
    assert made["calls"][0]["depth"] == 0


def test_failures_come_first_and_stay_in_program_order() -> None:
    rows = [call(n + 2, status=Status.FAILED if n in (5, 1500) else Status.SUCCEEDED) for n in range(2000)]
    made = picture(rows)
    failed = [one["id"] for one in made["calls"] if one["status"] == "failed" and one["depth"]]
    assert failed == [7, 1502]
    assert [one["id"] for one in made["calls"]] == sorted(one["id"] for one in made["calls"])
    assert made["omitted"] == 2001 - len(made["calls"])


def test_many_siblings_are_one_group_that_counts_those_that_are_only_counted_too() -> None:
    tallies = {(1, Kind.FUNCTION, "f"): Tally(ran=900, reused=40, failed=2, seconds=9.0)}
    made = picture([call(n + 2) for n in range(60)], tallies=tallies)
    (group,) = made["groups"]
    assert (group["total"], group["succeeded"], group["failed"], group["reused"]) == (1000, 998, 2, 40)
    assert len(made["calls"]) <= 1 + 25
    assert made["calls"][0]["children"] == 1000


def test_it_holds_only_what_json_has() -> None:
    assert json.loads(json.dumps(picture([call(2)]), allow_nan=False))["request"]["error"] == "ValueError: no"


def test_items_that_have_not_begun_are_queued_and_counted_in_their_group() -> None:
    tallies = {(1, Kind.MAP_ITEM, "f"): Tally(ran=900, queued=40)}
    rows = [call(n + 2, kind=Kind.MAP_ITEM) for n in range(60)]
    (group,) = picture(rows, tallies=tallies)["groups"]
    assert (group["total"], group["succeeded"], group["running"], group["queued"]) == (1000, 960, 0, 40)


def test_ten_thousand_levels_are_a_text_of_bounded_lines() -> None:
    tree = CallTree()
    count = 10_000
    tree.apply(
        row(n, 0, "f", "", parent=n - 1, pass_no=1 << 16 | (n > 1), children=int(n < count))
        for n in range(1, count + 1)
    )
    root = tree.tree(1, live=False)
    assert root is not None
    lines = tree_text(root).split("\n")
    assert len(lines) == count
    assert lines[3].startswith("      ✓ f[3]")
    assert lines[-1].lstrip().startswith("(level 9,999) ✓ f[9999]")
    assert max(map(len, lines)) < 160
