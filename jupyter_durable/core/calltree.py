"""The call tree that is shown: a fold over committed rows and volatile records.

Rules of this file
- Records come in any order and may be repeated; of two rows of a call the later pass, then attempt, then outcome wins.
- A parent shows the calls of its newest body only: rows of that pass, and what was reused in it.
- A root that was served as a whole has a `Reached` of its own, below parent 0, where that has to be marked.
- A call's source is `ran` when it executed in the run that is shown, else `checkpoint`. So all that a reused call
  covers is `checkpoint`.
- A `running` row of a request that nobody runs reads `interrupted`.
- `tests/golden/calltree.json` is folded by this file and by the labextension; the JSON form is a flat list in program
  order, so that a page of it can be sent and no depth is too deep.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from jupyter_durable.core.fingerprint import NO_PARENT, fingerprint
from jupyter_durable.core.model import (
    ROOT,
    ArgumentsDecide,
    Attempted,
    CallRow,
    Dropped,
    Flag,
    Kind,
    Logged,
    Progressed,
    Reached,
    Status,
    Write,
)
from jupyter_durable.core.nodes import GROUPS, Node, called

__all__ = ["CHECKPOINT", "RAN", "CallNode", "CallTree", "Counts", "call_json", "count", "summary", "to_json", "walk"]

RAN: Final = "ran"
CHECKPOINT: Final = "checkpoint"
ARGUMENTS: Final = Flag.ARGS_CHANGED | Flag.NOT_COMPARABLE
NOT_COUNTED: Final = GROUPS | {Kind.CELL, Kind.SCRIPT, Kind.VALUE}


@dataclass(frozen=True, slots=True)
class CallNode:
    """One call as it is shown."""

    identity: int
    parent: int
    seq: int
    name: str
    index: int
    """n of `name[n]`: calls of this name before it in program order."""
    kind: str
    fingerprint: bytes
    status: str
    source: str
    """`ran` or `checkpoint`."""
    attempts: int
    args_changed: bool
    not_comparable: bool
    """Reused by its place, and nobody knows whether with other arguments; `args_changed` is False then."""
    code_changed: bool
    file_changed: bool
    stored: bool
    """False: completed, not checkpointed."""
    started_at: float
    """Unix time in seconds."""
    duration: float | None
    """Seconds; None until the call has ended."""
    depth: int
    progress: Progressed | None
    logs: tuple[Logged, ...]
    row: CallRow
    """The newest row, without its value and inputs."""
    children: tuple[CallNode, ...]

    @property
    def label(self) -> str:
        """`name[n]`, as written in the tree, the magics and the CLI."""
        return f"{called(self.kind, self.name)}[{self.index}]"


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls of a tree, without the root, map and reduce nodes and recorded values."""

    reused: int
    executed: int
    """Executed in this run and no longer running, whatever the outcome."""
    failed: int
    running: int
    args_changed: int
    code_changed: int
    saved: float
    """Seconds that the reused calls took when they ran; what a reused call covers is part of it."""
    not_comparable: int = 0
    file_changed: int = 0
    """Reused calls, the root too, of which a file has changed that they or the calls they cover had read."""


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

    def tree(self, run: int, *, live: bool) -> CallNode | None:
        """The tree as of now; None before the root call is recorded.

        `run` is the number of the run that is shown, `live` whether somebody runs the request now.
        """
        if ROOT not in self._rows:
            return None
        return _build(self._preorder(run), run, live, self._progress, self._logs)

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
            if row.pass_no == newest:
                found[identity] = (row.seq, identity, 0)
        for stretch in self._reached.get(parent, {}).values():
            if stretch.pass_no == newest:
                for n in range(min(stretch.count, len(self._rows))):  # a damaged count has no end
                    identity = stretch.identity + n
                    if identity in self._rows and identity not in found:
                        found[identity] = (stretch.seq + n, identity, stretch.flags)
        return sorted(found.values())

    def _preorder(self, run: int) -> list[_Shown]:
        served = self._reached.get(0, {}).get((run << 16, 0, ROOT))
        stack = [_Shown(self._rows[ROOT], 0, served.flags if served is not None else 0, 0, 0, NO_PARENT)]
        counts: dict[str, int] = {}
        shown = []
        while stack:
            one = stack.pop()
            row = one.row
            name = called(row.kind, row.name)
            one.index = counts.get(name, 0)
            counts[name] = one.index + 1
            one.print = fingerprint(row.kind, row.name, one.print, one.seq)
            last = self._attempts.get(row.identity)
            one.attempts = max(row.attempts, last[1]) if last and last[0] == row.pass_no else row.attempts
            shown.append(one)
            below = self._children(row.identity)
            one.children = len(below)
            for seq, identity, flags in reversed(below):
                stack.append(_Shown(self._rows[identity], seq, flags, one.depth + 1, 0, one.print))
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
                args_changed=one.flags & ARGUMENTS == Flag.ARGS_CHANGED,
                not_comparable=bool(one.flags & Flag.NOT_COMPARABLE),
                code_changed=bool(one.flags & Flag.CODE_CHANGED),
                file_changed=bool(one.flags & Flag.FILE_CHANGED),
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


def walk(root: CallNode) -> list[CallNode]:
    """All calls of the tree in program order."""
    found, stack = [], [root]
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(reversed(node.children))
    return found


def count(root: CallNode) -> Counts:
    """What the summary line says."""
    calls = [node for node in walk(root) if node.depth and node.kind not in NOT_COUNTED]
    reused = [node for node in calls if node.source == CHECKPOINT and node.status == Status.SUCCEEDED]
    return Counts(
        reused=len(reused),
        executed=sum(node.source == RAN and node.status != Status.RUNNING for node in calls),
        failed=sum(node.status == Status.FAILED for node in calls),
        running=sum(node.status == Status.RUNNING for node in calls),
        args_changed=sum(node.args_changed for node in calls),
        code_changed=sum(node.code_changed for node in calls),
        saved=_saved(root),
        not_comparable=sum(node.not_comparable for node in calls),
        file_changed=root.file_changed + sum(node.file_changed for node in calls),
    )


def _saved(root: CallNode) -> float:
    total, stack = 0.0, list(root.children)
    while stack:
        node = stack.pop()
        if node.source == RAN or node.kind in GROUPS:
            stack.extend(node.children)
        elif node.status == Status.SUCCEEDED:
            total += node.duration or 0.0
    return total


def spoken(seconds: float) -> str:
    """A duration as people say it: `0.4 s`, `12 s`, `3 min 12 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def summary(counts: Counts) -> str:
    """`14 from checkpoint · 1 ran · saved 3 min 12 s · 2 reused with changed code`."""
    parts = [f"{counts.reused} from checkpoint"] if counts.reused else []
    parts.append(f"{counts.executed} ran")
    parts += [f"{counts.failed} failed"] if counts.failed else []
    parts += [f"{counts.running} running"] if counts.running else []
    parts += [f"saved {spoken(counts.saved)}"] if counts.saved >= 0.05 else []
    parts += [f"{counts.code_changed} reused with changed code"] if counts.code_changed else []
    parts += [f"{counts.args_changed} reused with changed arguments"] if counts.args_changed else []
    parts += [f"{counts.not_comparable} reused with arguments not comparable"] if counts.not_comparable else []
    parts += [f"{counts.file_changed} reused with changed files"] if counts.file_changed else []
    return " · ".join(parts)


def _attributes(text: str | None) -> Any:
    """Progress is not signed, and of a damaged one only the numbers are shown."""
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return {}


def to_json(root: CallNode) -> dict[str, Any]:
    """Counts, summary line and the calls as a flat list in program order. Holds only what JSON has."""
    counts = count(root)
    return {
        "summary": summary(counts),
        "counts": {name: getattr(counts, name) for name in Counts.__slots__},
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
        "children": len(node.children),
    }
