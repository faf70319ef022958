"""The call tree that is shown: a fold over committed rows and volatile records.

Rules of this file
- Records come in any order and may be repeated; of two rows of a call the later pass, then attempt, then outcome wins.
- A parent shows the calls of its newest body only: rows of that pass, and what was reused in it.
- A root that was served as a whole has a `Reached` of its own, below parent 0, where that has to be marked.
- A call's source is `ran` when it executed in the run that is shown, else `checkpoint`. So all that a reused call
  covers is `checkpoint`.
- A `running` row of a request that nobody runs reads `interrupted`.
- Calls that whoever folds did not keep (`Unseen`) have no node, but the others are numbered as if they had.
- `tests/golden/calltree.json` is folded by this file and by the labextension; the JSON form is a flat list in program
  order, so that a page of it can be sent and no depth is too deep.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_durable.core import metrics
from jupyter_durable.core.counting import (
    CHECKPOINT,
    RAN,
    CallNode,
    Counts,
    count,
    counts_json,
    drift_of,
    spoken,
    summary,
    walk,
)
from jupyter_durable.core.fingerprint import NO_PARENT, fingerprint
from jupyter_durable.core.model import (
    ROOT,
    ArgumentsDecide,
    Attempted,
    CallRow,
    Dropped,
    Flag,
    Logged,
    Progressed,
    Reached,
    Status,
    Write,
)
from jupyter_durable.core.nodes import Node, called
from jupyter_durable.records import NamedTuple

__all__ = [
    "CHECKPOINT",
    "RAN",
    "CallNode",
    "CallTree",
    "Counts",
    "Unseen",
    "call_json",
    "count",
    "spoken",
    "summary",
    "to_json",
    "walk",
]


class Unseen(NamedTuple):
    """Calls at one place of a body that have no node, with all below them."""

    seq: int
    names: Mapping[str, int]
    """How many calls of each name (`called`) they are."""


_ALL_SEEN: Final[Mapping[int, Sequence[Unseen]]] = {}


class CallTree:
    """Takes the records of one request and gives the tree at any time."""

    def __init__(self) -> None:
        self._rows: dict[int, CallRow] = {}
        self._below: dict[int, set[int]] = {}
        self._reached: dict[int, dict[tuple[int, int, int], Reached]] = {}
        self._newest: dict[int, int] = {}
        self._progress: dict[int, Progressed] = {}
        self._logs: dict[int, list[Logged]] = {}
        self._attempts: dict[int, tuple[int, int]] = {}

    def apply(self, records: Iterable[Write]) -> None:
        """Fold in records."""
        for record in records:
            self._apply(record)

    def _apply(self, record: Write) -> None:
        match record:
            case CallRow():
                self._take_row(record)
            case Reached():
                at = (record.pass_no, record.seq, record.identity)
                self._reached.setdefault(record.parent, {})[at] = record
                self._saw_pass(record.parent, record.pass_no)
            case Progressed():
                before = self._progress.get(record.identity)
                if before is None or record.at >= before.at:
                    self._progress[record.identity] = record
            case Logged():
                logs = self._logs.setdefault(record.identity, [])
                if record not in logs[-1:]:
                    logs.append(record)
            case Attempted():
                last = (record.pass_no, record.attempt)
                self._attempts[record.identity] = max(last, self._attempts.get(record.identity, last))
            case ArgumentsDecide():
                self._saw_pass(record.parent, record.pass_no)
            case Dropped() | _:
                pass

    def tree(
        self, run: int, *, live: bool, top: int = ROOT, unseen: Mapping[int, Sequence[Unseen]] = _ALL_SEEN
    ) -> CallNode | None:
        """The tree as of now; None before its `top` is recorded.

        `run` is the number of the run that is shown, `live` whether somebody runs the request now. `unseen`: by parent,
        what is not in the tree.
        """
        if top not in self._rows:
            return None
        served = self._reached.get(0, {}).get((run << 16, 0, ROOT)) if top == ROOT else None
        first = _Shown(self._rows[top], 0, served.flags if served is not None else 0, 0, 0, NO_PARENT)
        return _build(self._preorder(first, unseen), run, live, self._progress, self._logs)

    def nodes(self) -> Node | None:
        """The recorded calls for `selection`, with those that are no longer reached."""
        if ROOT not in self._rows:
            return None
        order = [ROOT]
        for identity in order:  # grows while it is read
            order.extend(sorted(self._below.get(identity, ())))
        made: dict[int, Node] = {}
        for identity in reversed(order):
            seen = [child for _, child, _ in self._children(identity)]
            others = sorted(self._below.get(identity, set()).difference(seen))
            made[identity] = Node(
                self._rows[identity], tuple(made[child] for child in seen), tuple(made[child] for child in others)
            )
        return made[ROOT]

    def _take_row(self, row: CallRow) -> None:
        before = self._rows.get(row.identity)
        if before is not None and _age(row) < _age(before):
            return
        if row.value is not None or row.inputs is not None or row.writes is not None:
            row = row._replace(value=None, inputs=None, writes=None)
        self._rows[row.identity] = row
        if row.identity != ROOT:
            self._below.setdefault(row.parent, set()).add(row.identity)
            self._saw_pass(row.parent, row.pass_no)

    def _saw_pass(self, parent: int, pass_no: int) -> None:
        self._newest[parent] = max(pass_no, self._newest.get(parent, pass_no))

    def _children(self, parent: int) -> list[tuple[int, int, int]]:
        """(seq, identity, drift flags) of the calls of the newest body of `parent`, in program order."""
        newest = self._newest.get(parent)
        if newest is None or self._rows[parent].children == 0:
            return []
        found = {}
        for identity in self._below.get(parent, ()):
            row = self._rows[identity]
            if row.pass_no == newest and row.parent == parent:
                found[identity] = (row.seq, identity, 0)
        for stretch in self._reached.get(parent, {}).values():
            if stretch.pass_no == newest:
                for n in range(min(stretch.count, len(self._rows))):  # a damaged count has no end
                    identity = stretch.identity + n
                    known = self._rows.get(identity)
                    # A call has one caller: a damaged stretch could lead to it from many.
                    if known is not None and known.parent == parent and identity not in found:
                        found[identity] = (stretch.seq + n, identity, stretch.flags)
        return sorted(found.values())

    def _preorder(self, first: _Shown, unseen: Mapping[int, Sequence[Unseen]]) -> list[_Shown]:
        stack: list[_Shown | Unseen] = [first]
        counts: Counter[str] = Counter()
        shown = []
        while stack:
            one = stack.pop()
            if isinstance(one, Unseen):
                counts.update(one.names)
                continue
            row = one.row
            name = called(row.kind, row.name)
            one.index = counts[name]
            counts[name] += 1
            one.print = fingerprint(row.kind, row.name, one.print, one.seq)
            last = self._attempts.get(row.identity)
            one.attempts = max(row.attempts, last[1]) if last and last[0] == row.pass_no else row.attempts
            shown.append(one)
            below = self._children(row.identity)
            one.children = len(below)
            inner: list[_Shown | Unseen] = [
                _Shown(self._rows[identity], seq, flags, one.depth + 1, 0, one.print) for seq, identity, flags in below
            ]
            if row.identity in unseen:
                inner = sorted([*inner, *unseen[row.identity]], key=lambda each: each.seq)
            stack.extend(reversed(inner))
        return shown


@dataclass(slots=True)
class _Shown:
    """A call on its way into the tree."""

    row: CallRow
    seq: int
    flags: int
    depth: int
    index: int
    print: bytes
    attempts: int = 0
    children: int = 0


def _age(row: CallRow) -> tuple[int, int, bool]:
    return row.pass_no, row.attempts, row.status != Status.RUNNING


def _build(
    shown: list[_Shown], run: int, live: bool, progress: dict[int, Progressed], logs: dict[int, list[Logged]]
) -> CallNode:
    """Nodes from the last to the first: the children of a call are the newest ones on the stack."""
    stack: list[CallNode] = []
    for one in reversed(shown):
        row = one.row
        at = len(stack) - one.children
        children = tuple(reversed(stack[at:]))
        del stack[at:]
        ran = row.pass_no >> 16 == run
        stack.append(
            CallNode(
                identity=row.identity,
                parent=row.parent,
                seq=one.seq,
                name=row.name,
                index=one.index,
                kind=row.kind,
                fingerprint=one.print,
                status=Status.INTERRUPTED if row.status == Status.RUNNING and not live else row.status,
                source=RAN if ran else CHECKPOINT,
                attempts=one.attempts,
                **drift_of(one.flags),
                stored=not row.flags & Flag.NOT_STORED,
                started_at=row.started_at,
                duration=row.duration,
                depth=one.depth,
                progress=progress.get(row.identity),
                logs=tuple(logs.get(row.identity, ())),
                row=row,
                children=children,
            )
        )
    return stack[0]


def _attributes(text: str | None) -> Any:
    """Progress is not signed, and of a damaged one only the numbers are shown."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):  # of any depth
        return {}
    if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
        return found
    return {}


def to_json(root: CallNode) -> dict[str, Any]:
    """Counts, summary line and the calls as a flat list in program order. Holds only what JSON has."""
    counts = count(root)
    return {
        "summary": summary(counts),
        "counts": counts_json(counts),
        "calls": [call_json(node) for node in walk(root)],
    }


def call_json(node: CallNode) -> dict[str, Any]:
    """One call; holds only what JSON has."""
    progress = node.progress
    return {
        "id": node.identity,
        "parent": node.parent,
        "depth": node.depth,
        "label": node.label,
        "name": node.name,
        "kind": node.kind,
        "fingerprint": node.fingerprint.hex(),
        "status": node.status,
        "source": node.source,
        "attempts": node.attempts,
        "args_changed": node.args_changed,
        "not_comparable": node.not_comparable,
        "code_changed": node.code_changed,
        "file_changed": node.file_changed,
        "stored": node.stored,
        "started_at": node.started_at,
        "duration": node.duration,
        "progress": progress
        and {
            "current": progress.current,
            "total": progress.total,
            "message": progress.message,
            "attributes": _attributes(progress.attributes),
        },
        "logs": [[log.stream, log.text] for log in node.logs],
        "metrics": metrics.as_json(metrics.measured(metrics.unpacked(node.row.metrics))),
        "children": len(node.children),
    }
