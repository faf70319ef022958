"""Makes `tests/golden/calltree.json`: `python -m tests.core.golden`. Look at the difference before committing it.

Form: a list of cases `{name, run, live, records, tree}`. A record is `{type, …fields}` with the names of
`core/model.py`; fields of bytes are left out, since a fold does not look at them. The labextension folds the same file;
`fingerprint` in a tree is computed by the kernel and may be left out of its comparison.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_durable.core import model
from jupyter_durable.core.calltree import CallTree, to_json
from jupyter_durable.core.model import Attempted, CallRow, Flag, Kind, Logged, Progressed, Reached, Status, Write
from tests.core.support import row

PATH = Path(__file__).parents[1] / "golden" / "calltree.json"


TOKENS = '[["counter", "tokens", 41200], ["timer", "model", 192.0]]'


def call(identity: int, run: int, seq: int, name: str, parent: int = 1, **changes) -> CallRow:
    base = row(identity, seq, name, "", parent=parent, pass_no=run << 16 | 1, started_at=1000.0 + identity)
    return base._replace(**{"children": None, "duration": 2.5, **changes})


def root(run: int, **changes) -> CallRow:
    return call(1, run, 0, "app", parent=0, pass_no=run << 16, **{"duration": 30.0, **changes})


def running(**changes: Any) -> dict[str, Any]:
    return {"status": Status.RUNNING, "duration": None, **changes}


def cases() -> list[tuple[str, int, bool, list[Write]]]:
    """(name, run, live, records)."""
    chain: list[Write] = [call(n + 2, 1, n, "step") for n in range(6)]
    halfway: list[Write] = [
        root(1, **running()),
        call(2, 1, 0, "load"),
        call(3, 1, 1, "train", **running()),
        Progressed(3, 2.0, 10.0, "epoch 2", '{"loss": "0.4"}', 1010.0),
        Progressed(3, 1.0, 10.0, None, None, 1005.0),
        Logged(3, 1 << 16 | 1, 1006.0, "stdout", "epoch 1\n"),
        Logged(3, 1 << 16 | 1, 1009.0, "stderr", "slow <b>disk</b>\n"),
    ]
    return [
        ("nothing recorded", 1, True, []),
        ("an empty request", 1, False, [root(1, children=0)]),
        (
            "six from checkpoint, four ran",
            2,
            False,
            [
                root(2, children=10),
                *chain,
                Reached(1, 2 << 16 | 1, 0, 2, 6, 0),
                call(8, 2, 6, "step", attempts=2),
                *[call(n + 2, 2, n, "step") for n in range(7, 10)],
            ],
        ),
        ("live, with progress and output", 1, True, halfway),
        ("the same with nobody running it, records repeated and late", 1, False, [*halfway[::-1], *halfway[:2]]),
        (
            "a map with a failed item that was retried",
            1,
            False,
            [
                root(1, status=Status.FAILED, children=1),
                call(2, 1, 0, "parse", kind=Kind.MAP, status=Status.FAILED, children=3),
                call(3, 1, 0, "parse", 2, kind=Kind.MAP_ITEM),
                call(4, 1, 1, "parse", 2, kind=Kind.MAP_ITEM, status=Status.FAILED, attempts=2),
                Attempted(4, 1 << 16 | 1, 1, 1004.0, 0.5, b""),
                call(5, 1, 2, "parse", 2, kind=Kind.MAP_ITEM, flags=Flag.NOT_STORED),
            ],
        ),
        (
            "a reused call covers what is below it; drift is marked",
            3,
            False,
            [
                root(3, children=2),
                call(2, 1, 0, "prepare", children=2, duration=20.0),
                call(3, 1, 0, "read", 2),
                call(4, 1, 1, "clean", 2, children=0),
                call(5, 2, 1, "fit", duration=172.0),
                Reached(1, 3 << 16 | 1, 0, 2, 1, Flag.CODE_CHANGED),
                Reached(1, 3 << 16 | 1, 1, 5, 1, Flag.ARGS_CHANGED),
            ],
        ),
        (
            "a reuse of which nobody knows whether its arguments changed",
            2,
            False,
            [
                root(2, children=2),
                call(2, 1, 0, "fit", flags=Flag.WEAK),
                call(3, 1, 1, "score"),
                Reached(1, 2 << 16, 0, 2, 1, Flag.ARGS_CHANGED | Flag.NOT_COMPARABLE),
                Reached(1, 2 << 16, 1, 3, 1, Flag.ARGS_CHANGED),
            ],
        ),
        (
            "files changed: of a call, and of a root that was served as a whole",
            4,
            False,
            [
                root(3, children=2),
                call(2, 3, 0, "load"),
                call(3, 3, 1, "fit", children=0),
                Reached(1, 3 << 16, 0, 2, 1, Flag.FILE_CHANGED),
                Reached(0, 4 << 16, 0, 1, 1, Flag.FILE_CHANGED),
                Reached(0, 2 << 16, 0, 1, 1, Flag.CODE_CHANGED),
            ],
        ),
        (
            "metrics: of what ran, of what was reused, and of what runs",
            2,
            True,
            [
                root(2, **running(metrics='[["counter", "pages", 2]]')),
                call(2, 1, 0, "load", children=1, duration=61.0, metrics=TOKENS),
                call(3, 1, 0, "read", 2, metrics='[["counter", "tokens", 41000]]'),
                Reached(1, 2 << 16 | 1, 0, 2, 1, 0),
                call(4, 2, 1, "ask", metrics='[["counter", "tokens", 800], ["counter", "usd", 0.0125]]'),
                call(5, 2, 2, "ask", status=Status.FAILED, metrics='[["counter", "tokens", 20]]'),
                call(6, 2, 3, "ask", **running(metrics='[["counter", "usd", 1.5]]')),
            ],
        ),
        (
            "only the newest body: calls that no longer happen, a body that started over",
            2,
            False,
            [
                root(2, children=2),
                call(2, 1, 0, "f"),
                call(3, 1, 1, "gone"),
                call(4, 2, 0, "f", pass_no=2 << 16 | 1),
                Reached(1, 2 << 16 | 1, 1, 3, 1, Flag.ARGS_CHANGED),
                Reached(1, 2 << 16 | 2, 0, 2, 1, 0),
                call(5, 2, 1, "g", pass_no=2 << 16 | 2, status=Status.FAILED),
            ],
        ),
        (
            "a failure counts where it began, below its callers and a map; one that was dealt with counts, too",
            1,
            False,
            [
                root(1, status=Status.FAILED, children=3),
                call(2, 1, 0, "outer", status=Status.FAILED, children=1),
                call(3, 1, 0, "inner", 2, status=Status.FAILED, children=1),
                call(4, 1, 0, "part", 3, kind=Kind.MAP, status=Status.FAILED, children=3),
                call(5, 1, 0, "part", 4, kind=Kind.MAP_ITEM, children=0),
                call(6, 1, 1, "part", 4, kind=Kind.MAP_ITEM, status=Status.FAILED, children=0),
                call(7, 1, 2, "part", 4, kind=Kind.MAP_ITEM, status=Status.CANCELLED, children=0),
                call(8, 1, 1, "tried", children=1),
                call(9, 1, 0, "risky", 8, status=Status.FAILED, children=0),
                call(10, 1, 2, "alone", status=Status.FAILED, children=1),
                call(11, 1, 0, "part", 10, kind=Kind.REDUCE, status=Status.FAILED, children=0),
            ],
        ),
    ]


def written(record: Write) -> dict[str, Any]:
    """The record as JSON, without bytes."""
    fields = {name: value for name, value in record._asdict().items() if not isinstance(value, bytes)}
    return {"type": type(record).__name__, **fields}


def read(record: dict[str, Any]) -> Write:
    """The reverse; bytes are empty."""
    kind = getattr(model, record["type"])
    values = {name: record.get(name, b"") for name in kind._fields}
    made: Write = kind(**values)
    return made


def folded(run: int, live: bool, records: list[Write]) -> dict[str, Any] | None:
    tree = CallTree()
    tree.apply(records)
    root = tree.tree(run, live=live)
    return None if root is None else to_json(root)


if __name__ == "__main__":
    made = [
        {"name": name, "run": run, "live": live, "records": [written(one) for one in records],
         "tree": folded(run, live, records)}
        for name, run, live, records in cases()
    ]  # fmt: skip
    PATH.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
