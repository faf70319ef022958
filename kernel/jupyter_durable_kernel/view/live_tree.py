"""The tree of a running request, of bounded size however many calls it makes.

Rules of this file
- It takes what a run tells its listeners, in batches; what runs now is read from the run itself.
- Of many siblings of one function the first are kept, and every failure up to a limit; the others are counted.
- What is not kept leaves nothing behind but its numbers; those that are kept have the numbers of the whole tree.
- As in the whole tree, a parent shows the calls of its newest body only, and a reused call covers what is below it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from jupyter_durable.core.calltree import CallTree
from jupyter_durable.core.counting import CHECKPOINT, RAN, CallNode, drift_of, walk
from jupyter_durable.core.metrics import packed
from jupyter_durable.core.model import ROOT, CallRow, Kind, Logged, Progressed, Reached, Status, Write
from jupyter_durable.core.nodes import called
from jupyter_durable_kernel.view.tallies import CUT_OFF, Below, Group, Mark, Stretches, Tally, names_of, whole

if TYPE_CHECKING:
    from jupyter_durable.runner.run import CallRecord, Run

__all__ = ["KEPT", "SIBLINGS", "Folding", "Group", "Tally"]

SIBLINGS: Final = 60
KEPT: Final = 800
FAILURES: Final = 100
LOGS: Final = 100
"""Texts kept of one call."""
COVERED: Final = 5_000
"""Records read at most of what reused calls cover."""
_EXECUTED: Final = Mark(RAN)
_BAD: Final = CUT_OFF | {Status.FAILED}


class _Place(NamedTuple):
    """Where a call stands, and what it covers."""

    seq: int
    mark: Mark
    covered: Sequence[Write]


@dataclass(slots=True)
class _Body:
    """What was told of the newest body of one parent."""

    pass_no: int
    stale: set[int] = field(default_factory=set)
    """Calls of the bodies before it: what is below them may be told before they are told again, in this one."""
    kept: set[int] = field(default_factory=set)
    """Identities of the calls that have a row."""
    counts: dict[Group, int] = field(default_factory=dict)
    """How many they are."""
    tallies: dict[Group, Tally] = field(default_factory=dict)
    """The others."""
    places: Stretches = field(default_factory=Stretches)
    """Where the others stand."""


class _Told:
    """What calls reported and printed, of so many calls and so much of each."""

    def __init__(self) -> None:
        self.whole = True
        """Whether nothing was left out."""
        self._progress: dict[int, Progressed] = {}
        self._logs: dict[int, deque[Logged]] = {}

    def add(self, record: Progressed | Logged) -> None:
        """A call reported progress, or printed."""
        if isinstance(record, Progressed):
            if record.identity in self._progress or len(self._progress) < KEPT:
                self._progress[record.identity] = record
        elif record.identity in self._logs or len(self._logs) < KEPT:
            logs = self._logs.setdefault(record.identity, deque(maxlen=LOGS))
            self.whole = self.whole and len(logs) < LOGS
            logs.append(record)
        else:
            self.whole = False

    def of(self, identity: int) -> Iterable[Write]:
        """What is kept of one call."""
        yield from self._logs.get(identity, ())
        if identity in self._progress:
            yield self._progress[identity]

    def forget(self, identity: int) -> None:
        """A call is not kept, or told anew."""
        self._progress.pop(identity, None)
        self._logs.pop(identity, None)


class Folding:
    """Takes records, gives trees. Not for several threads at once."""

    def __init__(self, run: Run, covered: Callable[[CallRow], Iterable[Write]] = lambda _: ()) -> None:
        """`covered` reads the records below a call that was reused."""
        self._run = run
        self._read = covered
        self._rows: dict[int, CallRow] = {}
        self._served: dict[int, Reached] = {}
        self._covered: dict[int, list[Write]] = {}
        """What reused calls cover, as far as it is kept."""
        self._below: dict[int, _Body] = {}
        """By parent."""
        self._failures = self._records = 0
        self._partial = False
        """Whether the store may know more than the tree and the tallies."""
        self._told = _Told()
        self._queued: dict[Group, int] = {}
        self.failed = 0

    @property
    def tallies(self) -> dict[Group, Tally]:
        """The calls that are not kept."""
        return {
            group: tally
            for body in self._bodies_below(ROOT, *(call.identity for call in list(self._run.open)))
            for group, tally in body.tallies.items()
        }

    @property
    def whole(self) -> bool:
        """Whether the tree holds all that the store knows of this run."""
        return not self._partial and self._told.whole and not any(body.tallies for body in self._below.values())

    # what is told

    def settled(self, row: CallRow) -> None:
        """A call ended."""
        self.failed += row.status == Status.FAILED and row.identity != ROOT
        body = self._body(row.parent, row.pass_no)
        if body is None:
            return
        self._forget_stale(row.identity)
        if self._keeps(body, row):
            self._rows[row.identity] = _bare(row)
            self._served.pop(row.identity, None)
            self._covered.pop(row.identity, None)
        else:
            self._drop(body, row, _Place(row.seq, _EXECUTED, ()))

    def reused(self, row: CallRow, seq: int, pass_no: int, flags: int) -> None:
        """A call was served."""
        body = self._body(row.parent, pass_no)
        if body is None:
            return
        covered = self._covered_by(row) if row.children else ()
        self._covered.pop(row.identity, None)
        if covered:
            self._forget_below(row.identity)  # it may have been told in a body before: the store knows all of it
        if not self._keeps(body, row):
            self._drop(body, row, _Place(seq, Mark(self._source(row), flags), covered))
            return
        self._rows[row.identity] = _bare(row)
        self._served[row.identity] = Reached(row.parent, pass_no, seq, row.identity, 1, flags)
        if covered and len(self._rows) + sum(map(len, self._covered.values())) + len(covered) > KEPT:
            self._count_covered(row, covered)
        elif covered:
            self._covered[row.identity] = covered

    def told(self, record: Progressed | Logged) -> None:
        """A call reported progress, or printed."""
        self._told.add(record)

    def _body(self, parent: int, pass_no: int) -> _Body | None:
        """The newest body of `parent`, None for an older one: what that did is shown no more."""
        body = self._below.get(parent)
        if body is not None and body.pass_no == pass_no:
            return body
        if body is not None:
            if pass_no < body.pass_no:
                return None
            self._partial = True
        stale = body.stale | body.kept if body is not None else set()
        body = self._below[parent] = _Body(pass_no, stale)
        return body

    def _keeps(self, body: _Body, row: CallRow) -> bool:
        if row.identity in body.kept or row.identity == ROOT:
            return True
        body.stale.discard(row.identity)
        group = _group(row)
        count = body.counts.get(group, 0)
        if row.status in _BAD and self._failures < FAILURES:
            self._failures += 1
        elif count >= SIBLINGS or len(self._rows) >= KEPT:
            self._rows.pop(row.identity, None)
            return False
        body.counts[group] = count + 1
        body.kept.add(row.identity)
        return True

    def _source(self, row: CallRow) -> str:
        return RAN if row.pass_no >> 16 == self._run.number else CHECKPOINT

    # what is not kept

    def _drop(self, body: _Body, row: CallRow, place: _Place) -> None:
        """Count a call with all that is below it."""
        group = _group(row)
        tally = body.tallies.get(group)
        if tally is None:
            tally = body.tallies[group] = Tally()
        if place.covered or row.identity in self._below:
            below, names = self._all_below(row, place)
            tally.add(row, place.mark, below)
            body.places.add_all(place.seq, names)
            self._forget_below(row.identity)
        else:
            tally.add(row, place.mark)
            body.places.add(place.seq, called(row.kind, row.name))
        self._told.forget(row.identity)

    def _all_below(self, row: CallRow, place: _Place) -> tuple[Below, Counter[str]]:
        """A call with everything below it, and how many calls of each name that is."""
        source, flags = place.mark
        tree = CallTree()
        tree.apply([row, *place.covered, *self._records_below(row.identity, self._rows, self._kept_below)])
        node = tree.tree(self._run.number, live=True, top=row.identity)
        assert node is not None
        names = names_of(walk(node))
        unseen: dict[Group, Tally] = {}
        for body in self._bodies_below(row.identity):
            names.update(body.places.names)
            unseen.update(body.tallies)
        return whole(replace(node, source=source, **drift_of(flags)), unseen), names

    def _bodies_below(self, *identities: int) -> Iterable[_Body]:
        """The bodies of these calls and of all that is kept below them."""
        pending = list(identities)
        while pending:
            body = self._below.get(pending.pop())
            if body is not None:
                yield body
                pending.extend(body.kept)

    def _covered_by(self, row: CallRow) -> list[Write]:
        """The records below a reused call; nothing, where too many were read already."""
        self._partial = True
        if self._records >= COVERED:
            return []
        found = list(self._read(row))
        self._records += len(found)
        return found

    def _count_covered(self, row: CallRow, covered: Sequence[Write]) -> None:
        """There is no room for the rows that a kept call covers."""
        tree = CallTree()
        tree.apply([row, *covered])
        node = tree.tree(self._run.number, live=True, top=row.identity)
        source = self._source(row)
        body = self._below.setdefault(row.identity, _Body(0))
        for child in node.children if node is not None else ():
            tally = body.tallies.setdefault(_group(child.row), Tally())
            below = whole(child, {})
            if source == CHECKPOINT:
                below.saved, below.saved_metrics = 0.0, {}  # its caller is what was saved
            tally.add(child.row, Mark(child.source), below)
            body.places.add_all(child.seq, names_of(walk(child)))

    def _kept_below(self, parent: int) -> Iterable[int]:
        body = self._below.get(parent)
        return body.kept if body is not None else ()

    def _forget_stale(self, parent: int) -> None:
        """A body has ended: what stood in those before it, and in it no more, is gone."""
        body = self._below.get(parent)
        while body is not None and body.stale:
            child = body.stale.pop()
            self._forget_below(child)
            self._forget_row(child)

    def _forget_below(self, parent: int) -> None:
        pending = [parent]
        while pending:
            body = self._below.pop(pending.pop(), None)
            for child in body.kept | body.stale if body is not None else ():
                self._forget_row(child)
                pending.append(child)

    def _forget_row(self, identity: int) -> None:
        self._rows.pop(identity, None)
        self._served.pop(identity, None)
        self._covered.pop(identity, None)
        self._told.forget(identity)

    # the tree

    def tree(self) -> CallNode | None:
        """The tree as of now, with the calls that run."""
        run = self._run
        calls = {} if run.ended else {call.identity: call for call in list(run.open)}
        running = {identity: _running(call) for identity, call in calls.items()}
        for row in running.values():
            self._body(row.parent, row.pass_no)
        self._queued = self._not_begun(running, calls)
        rows = {**{identity: row for identity, row in self._rows.items() if identity not in running}, **running}
        below: dict[int, list[int]] = defaultdict(list)
        for row in rows.values():
            below[row.parent].append(row.identity)
        tree = CallTree()
        tree.apply([rows[ROOT]] if ROOT in rows else [])
        tree.apply(self._records_below(ROOT, rows, lambda parent: below.get(parent, ())))
        unseen = {parent: list(body.places) for parent, body in self._below.items() if body.tallies}
        return tree.tree(run.number, live=not run.ended, unseen=unseen)

    def _not_begun(self, running: dict[int, CallRow], calls: Mapping[int, CallRecord]) -> dict[Group, int]:
        """A map that runs has given each of its items a place; those that nobody knows of have not begun."""
        begun = Counter(_group(row) for identity, row in running.items() if identity not in self._rows)
        found: dict[Group, int] = {}
        for identity, row in running.items():
            if row.kind == Kind.MAP and (own := calls[identity].body) is not None:
                group = (identity, Kind.MAP_ITEM, row.name)
                body = self._body(identity, own.pass_no) or _Body(0)
                told = body.counts.get(group, 0) + body.tallies.get(group, Tally()).size
                found[group] = max(0, own.next_seq - told - begun[group])
        return {group: count for group, count in found.items() if count}

    def counted(self) -> dict[Group, Tally]:
        """Calls that are not in the last tree: those that are not kept, and those that had not begun."""
        found = dict(self.tallies)
        for group, queued in () if self._run.ended else self._queued.items():
            found[group] = replace(found.get(group, Tally()), queued=queued)
        return found

    def _records_below(
        self, identity: int, rows: Mapping[int, CallRow], below: Callable[[int], Iterable[int]]
    ) -> Iterable[Write]:
        """The records of a call and of all below it, apart from its own row."""
        pending = [identity]
        while pending:
            parent = pending.pop()
            yield from self._told.of(parent)
            yield from self._covered.get(parent, ())
            for child in below(parent):
                yield rows[child]
                if child in self._served:
                    yield self._served[child]
                pending.append(child)


def _group(row: CallRow) -> Group:
    return row.parent, row.kind, row.name


def _bare(row: CallRow) -> CallRow:
    return row._replace(value=None, inputs=None, writes=None)


def _running(call: object) -> CallRow:
    """A call that runs as a row, without its arguments: encoding them would slow down what is watched."""
    from jupyter_durable.runner.call import ActiveCall

    assert isinstance(call, ActiveCall)
    parent = call.parent.identity if call.parent is not None else 0
    return CallRow(
        parent,
        call.identity,
        call.pass_no,
        call.seq,
        call.kind,
        call.plan.name,
        Status.RUNNING,
        call.flags,
        b"",
        b"",
        call.attempts,
        call.started_at,
        None,
        "",
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        metrics=packed(call.traces.measured) if call.traces is not None else None,
    )
