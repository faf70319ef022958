"""The nodes of the call tree that is shown, and what is counted over them.

Rules of this file
- Every number that is shown of a request is made here, from its tree: under the cell, in the panel, by the verbs.
- A failure counts where it began: not for the callers it passed on its way up.
- `labextension/src/model/calltree.ts` counts in the same way; `tests/golden/calltree.json` keeps the two equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypedDict

from jupyter_durable.core import metrics
from jupyter_durable.core.escaping import escaped
from jupyter_durable.core.metrics import Measured, Sums, Totals
from jupyter_durable.core.model import CallRow, Flag, Kind, Logged, Progressed, Status
from jupyter_durable.core.nodes import GROUPS, called
from jupyter_durable.core.replay import reusable
from jupyter_durable.core.words import spoken as spoken
from jupyter_durable.records import NamedTuple

RAN: Final = "ran"
CHECKPOINT: Final = "checkpoint"
NOT_COUNTED: Final = GROUPS | {Kind.CELL, Kind.SCRIPT, Kind.VALUE}


class Drift(TypedDict):
    """What to know of a reuse: fields of a node, which are counted under the same names."""

    args_changed: bool
    not_comparable: bool
    code_changed: bool
    file_changed: bool


DRIFT: Final = tuple(Drift.__annotations__)


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
        if self.kind in (Kind.CELL, Kind.SCRIPT):
            return self.name  # there is one of it, and it is no call that could be named
        return f"{called(self.kind, self.name)}[{self.index}]"


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls of a tree, without the root, map and reduce nodes and recorded values."""

    reused: int
    executed: int
    """Executed in this run and no longer running, whatever the outcome."""
    failed: int
    """Failures, each where it began: a caller that passed one on is not counted."""
    running: int
    args_changed: int
    code_changed: int
    saved: float
    """Seconds that the reused calls took when they ran; what a reused call covers is part of it."""
    not_comparable: int = 0
    file_changed: int = 0
    """Reused calls, the root too, of which a file has changed that they or the calls they cover had read."""
    metrics: Measured = ()
    """What the calls that executed measured, summed."""
    saved_metrics: Measured = ()
    """What the reused calls measured when they ran."""


NOTHING: Final = Counts(0, 0, 0, 0, 0, 0, 0.0)
"""Counts of a request without a run."""


class Sort(NamedTuple):
    """What the summary asks of one call."""

    source: str
    status: str
    began: bool
    """Of a failure: whether it began here."""
    drift: frozenset[str]
    """Fields of a node that say what to know of its reuse (`DRIFT`)."""


def counts_json(counts: Counts) -> dict[str, Any]:
    """Counts; holds only what JSON has."""
    sums = {"metrics": metrics.as_json(counts.metrics), "saved_metrics": metrics.as_json(counts.saved_metrics)}
    return {name: getattr(counts, name) for name in Counts.__slots__} | sums


def walk(root: CallNode) -> list[CallNode]:
    """All calls of the tree in program order."""
    found, stack = [], [root]
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(reversed(node.children))
    return found


def drift_of(flags: int) -> Drift:
    """The fields of a node that its place says."""
    unknown = bool(flags & Flag.NOT_COMPARABLE)
    return {
        "args_changed": bool(flags & Flag.ARGS_CHANGED) and not unknown,
        "not_comparable": unknown,
        "code_changed": bool(flags & Flag.CODE_CHANGED),
        "file_changed": bool(flags & Flag.FILE_CHANGED),
    }


def began(node: CallNode, callers: Collection[int] = ()) -> bool:
    """Whether a failure began at this call: none of those it called failed, also through a map or reduce.

    `callers`: identities below which a call failed that has no node.
    """
    stack = [node]
    while stack:
        above = stack.pop()
        if above.identity in callers:
            return False
        for child in above.children:
            if child.status == Status.FAILED:
                if child.kind not in GROUPS:
                    return False
                stack.append(child)
    return True


def sorts_of(calls: Iterable[CallNode], callers: Collection[int] = ()) -> Counter[Sort]:
    """How many of these calls are of which sort; map and reduce nodes and recorded values are none."""
    return Counter(
        Sort(
            node.source,
            node.status,
            node.status == Status.FAILED and began(node, callers),
            frozenset(name for name in DRIFT if getattr(node, name)),
        )
        for node in calls
        if node.kind not in NOT_COUNTED
    )


def counts_of(sorts: Mapping[Sort, int], saved: float, sums: Sums) -> Counts:
    """What the summary says of so many calls of each sort."""

    def many(holds: Callable[[Sort], bool]) -> int:
        return sum(number for sort, number in sorts.items() if holds(sort))

    return Counts(
        reused=many(lambda sort: sort.source == CHECKPOINT and sort.status == Status.SUCCEEDED),
        executed=many(lambda sort: sort.source == RAN and sort.status != Status.RUNNING),
        failed=many(lambda sort: sort.began),
        running=many(lambda sort: sort.status == Status.RUNNING),
        saved=saved,
        metrics=sums.ran,
        saved_metrics=sums.saved,
        **{name: many(lambda sort: name in sort.drift) for name in DRIFT},  # noqa: B023 - called at once
    )


def count(root: CallNode) -> Counts:
    """What the summary line says."""
    sums = metrics.sums_of(recorded_sums(root, {}), saved_sums(root))
    return with_root(counts_of(sorts_of(walk(root)[1:]), saved_below(root), sums), root)


def with_root(counts: Counts, root: CallNode) -> Counts:
    """The root is no call of its request, but a file that it had read may have changed since."""
    return replace(counts, file_changed=counts.file_changed + root.file_changed) if root.file_changed else counts


def saved_below(root: CallNode) -> float:
    """Seconds that the reused calls below took when they ran; what a reused call covers is part of it."""
    total, stack = 0.0, list(root.children)
    while stack:
        node = stack.pop()
        if node.source == RAN or node.kind in GROUPS:
            stack.extend(node.children)
        elif node.status == Status.SUCCEEDED:
            total += node.duration or 0.0
    return total


def recorded_sums(root: CallNode, others: Mapping[int, Totals]) -> Totals:
    """What the calls of a tree measured, whichever run they executed in; `others`: what calls did that have no node.

    `others` are by parent, and count where that has not ended: when it has, its own sums hold theirs.
    """
    totals: Totals = {}
    stack = [root]
    while stack:
        node = stack.pop()
        metrics.merge(totals, metrics.unpacked(node.row.metrics))
        if node.duration is None:  # it runs, or was cut off: so far it has told of itself alone
            metrics.merge(totals, others.get(node.identity, {}))
            stack.extend(node.children)
    return totals


def saved_sums(root: CallNode) -> Totals:
    """What the reused calls below measured when they ran; what a reused call covers is part of it."""
    totals: Totals = {}
    stack = list(root.children)
    while stack:
        node = stack.pop()
        if node.source == RAN or node.kind in GROUPS:
            stack.extend(node.children)
        elif node.status == Status.SUCCEEDED:
            metrics.merge(totals, metrics.unpacked(node.row.metrics))
    return totals


class Ahead(NamedTuple):
    """What a replay of the recorded calls would do, as far as that is known before it."""

    execute: int
    """Calls that did not succeed, or whose result is not kept; and items of maps that had not begun."""
    reuse: int


def ahead(root: CallNode) -> Ahead:
    """What would execute and what would be served from its checkpoint, were the same calls made again."""
    execute = reuse = 0
    stack = list(root.children)
    while stack:
        node = stack.pop()
        if node.kind not in GROUPS and reusable(node.row):
            reuse += sum(each.kind not in NOT_COUNTED for each in walk(node))
            continue
        execute += node.kind not in NOT_COUNTED
        if node.kind == Kind.MAP and node.row.children is not None:
            execute += max(0, node.row.children - len(node.children))
        stack.extend(node.children)
    return Ahead(execute, reuse)


def saved_text(seconds: float, sums: Measured = ()) -> str:
    """`saved 3 min 12 s · 41,200 tokens`; empty when that is nothing."""
    parts = [spoken(seconds)] if seconds >= 0.05 else []
    parts += [escaped(metrics.told(sums))] if sums else []
    return f"saved {' · '.join(parts)}" if parts else ""


def summary(counts: Counts) -> str:
    """`14 from checkpoint · 1 ran · saved 3 min 12 s · 2 reused with changed code`."""
    parts = [f"{counts.reused} from checkpoint"] if counts.reused else []
    parts.append(f"{counts.executed} ran")
    parts += [f"{counts.failed} failed"] if counts.failed else []
    parts += [f"{counts.running} running"] if counts.running else []
    saved = saved_text(counts.saved, counts.saved_metrics)
    parts += [saved] if saved else []
    parts += [f"{counts.code_changed} reused with changed code"] if counts.code_changed else []
    parts += [f"{counts.args_changed} reused with changed arguments"] if counts.args_changed else []
    parts += [f"{counts.not_comparable} reused with arguments not comparable"] if counts.not_comparable else []
    parts += [f"{counts.file_changed} reused with changed files"] if counts.file_changed else []
    return " · ".join(parts)
