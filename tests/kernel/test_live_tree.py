"""The bounded fold behind the live view: what is not kept is counted, and nothing grows with the number of calls."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any, cast

from jupyter_durable.core.calltree import walk
from jupyter_durable.core.model import ROOT, CallRow, Kind, Status
from jupyter_durable_kernel.view import short_values
from jupyter_durable_kernel.view.live_tree import KEPT, SIBLINGS, Folding
from jupyter_durable_kernel.view.tallies import counted

RUN = 1 << 16


def row(parent: int, identity: int, seq: int, name: str = "f", status: str = Status.SUCCEEDED) -> CallRow:
    kind = Kind.CELL if identity == ROOT else Kind.FUNCTION
    return CallRow(
        parent, identity, RUN, seq, kind, name, status, 0, b"", b"", 1, float(seq), 0.5, "", None, None, None, None,
        None, None, None,
    )  # fmt: skip


def folding() -> Folding:
    """A fold of a run that has ended; a run is only asked for what runs now."""
    return Folding(cast(Any, SimpleNamespace(ended=True, number=1, open={})))


def test_every_call_is_either_a_node_or_counted_whatever_the_order() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        fold, failed = folding(), 0
        rows = []
        for n in range(2, 1500):
            status = Status.FAILED if chance.random() < 0.02 else Status.SUCCEEDED
            failed += status == Status.FAILED
            rows.append(row(ROOT, n, n, chance.choice("fgh"), status))
        chance.shuffle(rows)
        for one in rows:
            fold.settled(one)
        fold.settled(row(0, ROOT, 0))
        tree = fold.tree()
        assert tree is not None
        counts = counted(tree, fold.tallies)
        assert (counts.executed, counts.failed) == (len(rows), failed)
        assert fold.failed == failed
        assert len(walk(tree)) <= 3 * SIBLINGS + 100 + 1


def test_what_is_below_a_call_that_is_not_kept_is_not_kept_either() -> None:
    fold = folding()
    identity = ROOT
    for seq in range(2_000):
        parent, identity = identity + 1, identity + 4
        for child in range(3):
            fold.settled(row(parent, parent + 1 + child, child, "child"))
        fold.settled(row(ROOT, parent, seq, "parent"))
    assert len(fold._rows) <= KEPT
    assert len(fold._below) <= KEPT
    fold.settled(row(0, ROOT, 0))
    tree = fold.tree()
    assert tree is not None
    assert len(tree.children) == SIBLINGS


def test_previews_call_no_method_of_a_users_object() -> None:
    class Loud:
        def __repr__(self) -> str:
            raise AssertionError("a repr was called")

        def __len__(self) -> int:
            raise AssertionError("a length was asked for")

    assert short_values.preview(Loud()).endswith("Loud>")
    assert "Loud>" in short_values.arguments(([Loud()],), {"x": {"y": Loud()}})


def test_previews_are_short_and_mask_credentials() -> None:
    assert short_values.arguments(("x" * 1000, list(range(50))), {}).endswith("[50 items])")
    assert len(short_values.arguments(tuple("abcdefgh" * 3), {"y": "z" * 500})) <= short_values.LENGTH + 2
    told = short_values.arguments(("sk-abcdefgh12345678",), {"password": "hunter2", "config": {"api_key": "abc"}})
    for secret in ("sk-abcdefgh", "hunter2", "'abc'"):
        assert secret not in told
