"""The tree of a running request, of bounded size however many calls it makes.

Rules of this file
- It takes what a run tells its listeners, in batches; what runs now is read from the run itself.
- Of many siblings of one function the first are kept, and every failure up to a limit; the others are counted.
- What is not kept leaves nothing behind.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from jupyter_durable.core.calltree import CallNode, CallTree
from jupyter_durable.core.model import ROOT, CallRow, Kind, Logged, Progressed, Reached, Status, Write

if TYPE_CHECKING:
    from jupyter_durable.runner.run import Run

SIBLINGS: Final = 60
KEPT: Final = 800
FAILURES: Final = 100
LOGS: Final = 20
"""Texts kept of one call."""
Group = tuple[int, str, str]
"""Parent, kind and name."""


@dataclass(slots=True)
class Tally:
    """Calls of one group that are not kept."""

    ran: int = 0
    reused: int = 0
    failed: int = 0
    seconds: float = 0.0
    queued: int = 0
    """Items of a map that have not begun."""

    @property
    def size(self) -> int:
        """All of them."""
        return self.ran + self.reused + self.queued


class Folding:
    """Takes records, gives trees. Not for several threads at once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rows: dict[int, CallRow] = {}
        self._served: dict[int, Reached] = {}
        self._below: dict[int, set[int]] = {}
        self._groups: dict[Group, int] = {}
        self._failures = 0
        self.tallies: dict[Group, Tally] = {}
        self.progress: dict[int, Progressed] = {}
        self._logs: dict[int, deque[Logged]] = {}
        self._queued: dict[Group, int] = {}
        self.failed = 0

    @property
    def whole(self) -> bool:
        """Whether every call that was told is in the tree."""
        return not self.tallies

    def settled(self, row: CallRow) -> None:
        """A call ended."""
        failed = row.status == Status.FAILED
        self.failed += failed and row.identity != ROOT
        if self._keeps(row, failed):
            self._rows[row.identity] = row._replace(value=None, inputs=None, writes=None)
            self._served.pop(row.identity, None)
        else:
            tally = self._tally(row)
            tally.ran += 1
            tally.failed += failed
            tally.seconds += row.duration or 0.0

    def reused(self, row: CallRow, seq: int, pass_no: int, flags: int) -> None:
        """A call was served."""
        if self._keeps(row, False):
            self._rows[row.identity] = row._replace(value=None, inputs=None, writes=None)
            self._served[row.identity] = Reached(row.parent, pass_no, seq, row.identity, 1, flags)
        else:
            tally = self._tally(row)
            tally.reused += 1
            tally.seconds += row.duration or 0.0

    def told(self, record: Progressed | Logged) -> None:
        """A call reported progress, or printed."""
        if isinstance(record, Progressed):
            if record.identity in self.progress or len(self.progress) < KEPT:
                self.progress[record.identity] = record
        elif record.identity in self._logs or len(self._logs) < KEPT:
            self._logs.setdefault(record.identity, deque(maxlen=LOGS)).append(record)

    def _keeps(self, row: CallRow, failed: bool) -> bool:
        if row.identity in self._rows or row.identity == ROOT:
            return True
        group = (row.parent, row.kind, row.name)
        count = self._groups.get(group, 0)
        if failed and self._failures < FAILURES:
            self._failures += 1
        elif count >= SIBLINGS or len(self._rows) >= KEPT:
            return False
        self._groups[group] = count + 1
        self._below.setdefault(row.parent, set()).add(row.identity)
        return True

    def _tally(self, row: CallRow) -> Tally:
        self._forget(row.identity)
        return self.tallies.setdefault((row.parent, row.kind, row.name), Tally())

    def _forget(self, identity: int) -> None:
        """What is below a call that is not kept is not shown either."""
        pending = [identity]
        while pending:
            for child in self._below.pop(pending.pop(), ()):
                self._rows.pop(child, None)
                self._served.pop(child, None)
                pending.append(child)
        self.progress.pop(identity, None)
        self._logs.pop(identity, None)

    def tree(self) -> CallNode | None:
        """The tree as of now, with the calls that run."""
        run = self._run
        running = {} if run.ended else {call.identity: _running(call) for call in list(run.open.values())}
        self._queued = self._not_begun(running)
        rows = {**{identity: row for identity, row in self._rows.items() if identity not in running}, **running}
        tree = CallTree()
        tree.apply(self._reachable(rows))
        return tree.tree(run.number, live=not run.ended)

    def _not_begun(self, running: dict[int, CallRow]) -> dict[Group, int]:
        """A map that runs has given each of its items a place; those that nobody knows of have not begun."""
        begun = Counter(
            (row.parent, row.kind, row.name) for identity, row in running.items() if identity not in self._rows
        )
        found: dict[Group, int] = {}
        for identity, row in running.items():
            call = self._run.open.get(identity)
            if row.kind == Kind.MAP and call is not None and call.body is not None:
                group = (identity, Kind.MAP_ITEM, row.name)
                known = self._groups.get(group, 0) + self.tallies.get(group, Tally()).size + begun[group]
                found[group] = max(0, call.body.next_seq - known)
        return {group: count for group, count in found.items() if count}

    def counted(self) -> dict[Group, Tally]:
        """Calls that are not in the last tree: those that are not kept, and those that had not begun."""
        found = dict(self.tallies)
        for group, queued in () if self._run.ended else self._queued.items():
            found[group] = replace(found.get(group, Tally()), queued=queued)
        return found

    def _reachable(self, rows: dict[int, CallRow]) -> Iterable[Write]:
        below: dict[int, list[CallRow]] = {}
        for row in rows.values():
            below.setdefault(row.parent, []).append(row)
        pending = [0]
        while pending:
            for row in below.get(pending.pop(), ()):
                yield row
                pending.append(row.identity)
                if row.identity in self._served:
                    yield self._served[row.identity]
                if row.identity in self.progress:
                    yield self.progress[row.identity]
                yield from self._logs.get(row.identity, ())

    def nothing_told(self) -> bool:
        """Whether no call has ended yet."""
        return not self._rows and not self.tallies


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
    )
