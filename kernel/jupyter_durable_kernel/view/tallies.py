"""Calls of a request that are not kept one by one: counted by group, and numbered with.

Rules of this file
- Pure. What is counted here and what `core.counting` counts over nodes adds up to the numbers of the whole tree.
- Places that follow each other are one stretch. No other call can stand within it, so `name[n]` of every call that is
  kept stays exact, and stretches are no more than the calls that are kept and the places that are still empty.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from jupyter_durable.core import metrics
from jupyter_durable.core.calltree import Unseen
from jupyter_durable.core.counting import (
    CHECKPOINT,
    NOT_COUNTED,
    CallNode,
    Counts,
    Sort,
    counts_of,
    drift_of,
    recorded_sums,
    saved_below,
    saved_sums,
    sorts_of,
    walk,
    with_root,
)
from jupyter_durable.core.model import CallRow, Status
from jupyter_durable.core.nodes import GROUPS, called

Group = tuple[int, str, str]
"""Parent, kind and name."""
CUT_OFF = frozenset({Status.CANCELLED, Status.INTERRUPTED})


class Spans:
    """From when to when something was done in each run. Unix seconds; what lies between two runs is no part of it."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: dict[int, list[float]] = {}

    def add(self, run: int, start: float, end: float) -> None:
        """Something was done in a run."""
        known = self._runs.get(run)
        if known is None:
            self._runs[run] = [start, end]
            return
        if start < known[0]:
            known[0] = start
        if end > known[1]:
            known[1] = end

    def merge(self, other: Spans) -> None:
        """What another one knows."""
        for run, (start, end) in other._runs.items():
            self.add(run, start, end)

    @property
    def started_at(self) -> float:
        """The first moment; 0 when there is none."""
        return min((start for start, _ in self._runs.values()), default=0.0)

    @property
    def seconds(self) -> float:
        """How long it took, run by run."""
        return sum(end - start for start, end in self._runs.values())


def spans_of(calls: Iterable[CallNode], now: float) -> Spans:
    """When calls were at work; those that run are until now."""
    found = Spans()
    for call in calls:
        end = now if call.status == Status.RUNNING else call.started_at + (call.duration or 0.0)
        found.add(call.row.pass_no >> 16, call.started_at, end)
    return found


class Together(NamedTuple):
    """What is said of all calls of one group."""

    total: int
    succeeded: int
    failed: int
    cut_off: int
    """Cancelled or interrupted."""
    running: int
    queued: int
    reused: int
    started_at: float
    """Unix seconds."""
    seconds: float
    """From the first start to the last end, without the time between two runs."""
    added_up: float
    """How long each took, added up: more than `seconds` where several run at once."""

    @property
    def ran(self) -> int:
        """Those that executed in the last run and have ended."""
        return self.total - self.reused - self.queued - self.running


def together(calls: Sequence[CallNode], tally: Tally, now: float) -> Together:
    """The calls of one group: those that are kept, and the others."""
    states = Counter(call.status for call in calls)
    failed = states[Status.FAILED] + tally.failed
    cut_off = sum(states[status] for status in CUT_OFF) + tally.cut_off
    running = states[Status.RUNNING]
    total = len(calls) + tally.size
    spans = spans_of(calls, now)
    spans.merge(tally.spans)
    return Together(
        total,
        total - failed - cut_off - running - tally.queued,
        failed,
        cut_off,
        running,
        tally.queued,
        sum(call.source == CHECKPOINT for call in calls) + tally.reused,
        spans.started_at,
        spans.seconds,
        sum(call.duration or 0.0 for call in calls) + tally.seconds,
    )


@dataclass(slots=True)
class Tally:
    """Calls of one group that are not kept."""

    ran: int = 0
    reused: int = 0
    failed: int = 0
    """Of both."""
    seconds: float = 0.0
    """How long each took, added up."""
    queued: int = 0
    """Items of a map that have not begun."""
    cut_off: int = 0
    """Of those that ran: cancelled or interrupted."""
    below: Below = field(default_factory=lambda: Below())
    measured: metrics.Totals = field(default_factory=dict)
    """With what is below them."""
    spans: Spans = field(default_factory=Spans)

    @property
    def told(self) -> int:
        """Those that have begun."""
        return self.ran + self.reused

    @property
    def size(self) -> int:
        """All of them."""
        return self.told + self.queued

    def add(self, row: CallRow, mark: Mark, below: Below | None = None) -> None:
        """One more; `below`: it and everything below it, None when there is nothing below it."""
        status, lasted = row.status, row.duration or 0.0
        if mark.source == CHECKPOINT:
            self.reused += 1
        else:
            self.ran += 1
        metrics.merge(self.measured, metrics.unpacked(row.metrics))
        if status == Status.FAILED:
            self.failed += 1
        elif status in CUT_OFF:
            self.cut_off += 1
        self.seconds += lasted
        self.spans.add(row.pass_no >> 16, row.started_at, row.started_at + lasted)
        if below is not None:
            self.below.add(below)
        elif row.kind not in NOT_COUNTED:
            self.below.sorts[_alone(status, *mark)] += 1
            if mark.source == CHECKPOINT and status == Status.SUCCEEDED:
                self.below.saved += lasted
                metrics.merge(self.below.saved_metrics, metrics.unpacked(row.metrics))


@dataclass(slots=True)
class Below:
    """Some calls and everything below them, as the summary counts them."""

    sorts: Counter[Sort] = field(default_factory=Counter)
    saved: float = 0.0
    """Seconds."""
    saved_metrics: metrics.Totals = field(default_factory=dict)
    deeper: int = 0
    """Calls below them, with map and reduce nodes."""

    def add(self, other: Below) -> None:
        """And those."""
        self.sorts.update(other.sorts)
        self.saved += other.saved
        metrics.merge(self.saved_metrics, other.saved_metrics)
        self.deeper += other.deeper


class Mark(NamedTuple):
    """How one call stands in its request."""

    source: str
    flags: int = 0
    """What its place says of its reuse."""


@cache
def _alone(status: str, source: str, flags: int) -> Sort:
    """The sort of a call with nothing below it."""
    drift = frozenset(name for name, holds in drift_of(flags).items() if holds)
    return Sort(source, status, status == Status.FAILED, drift)


def whole(node: CallNode, unseen: Mapping[Group, Tally]) -> Below:
    """One call with everything below it, `unseen` among it."""
    nodes = walk(node)
    made = Below(sorts_of(nodes, failed_below(unseen)), saved_below(node), saved_sums(node), len(nodes) - 1)
    for tally in unseen.values():
        made.add(tally.below)
        made.deeper += tally.told
    if node.kind not in GROUPS and node.source == CHECKPOINT:
        succeeded = node.status == Status.SUCCEEDED
        made.saved = (node.duration or 0.0) if succeeded else 0.0
        made.saved_metrics = metrics.unpacked(node.row.metrics) if succeeded else {}
    return made


def names_of(nodes: Iterable[CallNode]) -> Counter[str]:
    """How many calls of each name they are."""
    return Counter(called(node.kind, node.name) for node in nodes)


def failed_below(tallies: Mapping[Group, Tally]) -> frozenset[int]:
    """Identities of the calls below which one failed that is not kept."""
    return frozenset(group[0] for group, tally in tallies.items() if tally.failed)


def counted(root: CallNode, tallies: Mapping[Group, Tally]) -> Counts:
    """All calls of the run, those that are only counted too."""
    sorts = sorts_of(walk(root)[1:], failed_below(tallies))
    saved, saved_metrics = saved_below(root), saved_sums(root)
    measured: dict[int, metrics.Totals] = {}
    for group, tally in tallies.items():
        sorts.update(tally.below.sorts)
        saved += tally.below.saved
        metrics.merge(saved_metrics, tally.below.saved_metrics)
        metrics.merge(measured.setdefault(group[0], {}), tally.measured)
    sums = metrics.sums_of(recorded_sums(root, measured), saved_metrics)
    return with_root(counts_of(sorts, saved, sums), root)


@dataclass(slots=True)
class _Stretch:
    first: int
    last: int
    names: Counter[str]


class Stretches:
    """The places of one body whose calls are not kept."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: list[_Stretch] = []
        """In order of their places."""

    def add(self, seq: int, name: str) -> None:
        """The call at a place is not kept, nothing is below it."""
        names = self._at(seq).names
        names[name] = names.get(name, 0) + 1

    def add_all(self, seq: int, names: Mapping[str, int]) -> None:
        """The call at a place is not kept; `names` are its own and those of all below it."""
        self._at(seq).names.update(names)

    def _at(self, seq: int) -> _Stretch:
        """The stretch that holds a place from now on."""
        held = self._held
        if held and held[-1].last == seq - 1:
            held[-1].last = seq
            return held[-1]
        at = bisect_right(held, seq, key=lambda stretch: stretch.first)
        before = held[at - 1] if at and held[at - 1].last == seq - 1 else None
        after = held[at] if at < len(held) and held[at].first == seq + 1 else None
        if before is not None and after is not None:
            before.last = after.last
            before.names.update(after.names)
            del held[at]
        elif before is not None:
            before.last = seq
        elif after is not None:
            after.first = seq
        made = before or after or _Stretch(seq, seq, Counter())
        if before is None and after is None:
            held.insert(at, made)
        return made

    @property
    def names(self) -> Counter[str]:
        """How many calls of each name they hold."""
        found: Counter[str] = Counter()
        for stretch in self._held:
            found.update(stretch.names)
        return found

    def __iter__(self) -> Iterator[Unseen]:
        return (Unseen(stretch.first, stretch.names) for stretch in self._held)

    def __len__(self) -> int:
        return len(self._held)
