"""What the memory store keeps of one request, and the rules that need no lock.

Rules of this file
- Nothing here locks; the store calls it while it holds its lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, assert_never

from jupyter_durable.core.history import History, besides_calls
from jupyter_durable.core.model import (
    FINGERPRINT_RULE,
    ArgumentsDecide,
    Attempted,
    CallRow,
    CodeVersion,
    Dropped,
    Flag,
    Logged,
    Metric,
    NewRequest,
    NewRun,
    Owner,
    Progressed,
    Reached,
    RequestRow,
    RunRow,
    Status,
    Write,
)
from jupyter_durable.store.base import Filter, Finish

_OPEN: Final = (Status.QUEUED, Status.RUNNING, Status.WAITING)
_SWEPT: Final = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


class Kept:
    """Everything the store keeps of one request."""

    def __init__(self, row: RequestRow) -> None:
        self.row = row
        self.calls: dict[int, dict[int, CallRow]] = {}
        """Rows by parent, then identity."""
        self.history: list[CallRow] = []
        self.runs: dict[int, RunRow] = {}
        self.reached: dict[tuple[int, int, int], Reached] = {}
        self.decided: set[ArgumentsDecide] = set()
        self.attempts: dict[tuple[int, int, int], Attempted] = {}
        self.logs: list[Logged] = []
        self.progress: dict[int, Progressed] = {}
        self.metrics: list[Metric] = []

    def begin(self, owner: Owner, run: NewRun, lease_until: float) -> int:
        """The next run, which takes the request over from whoever had it. The first identity that it may give."""
        for number, old in self.runs.items():
            if old.status == Status.RUNNING:
                self.runs[number] = old._replace(status=Status.INTERRUPTED)
        row = self.row
        self.row = row = row._replace(
            epoch=row.epoch + 1,
            run=row.run + 1,
            status=Status.RUNNING,
            started_at=run.started_at if row.started_at is None else row.started_at,
            finished_at=None,
            error=None,
            cancel_requested=False,
            code_key=row.code_key if run.code is None else run.code.key,
            mac=row.mac if run.mac is None else run.mac,
            lease_until=lease_until,
            lease_boot=run.lease_boot,
            owner=owner,
        )
        self.runs[row.run] = RunRow(row.run, run.mode, Status.RUNNING, run.started_at, None, row.code_key, 0, 0, 0.0)
        for parent, identity in run.set_aside:
            call = self.find(parent, identity)
            if call is not None:
                self.history.append(call)
                self.put(call._replace(flags=call.flags | Flag.SET_ASIDE))
        highest = max((max(parent, *rows) for parent, rows in self.calls.items() if rows), default=1)
        return max(highest, 1) + 1

    def finish(self, run: int, finish: Finish) -> None:
        """The end that a run reports itself."""
        self.runs[run] = self.runs[run]._replace(
            status=finish.run_status,
            finished_at=finish.finished_at,
            executed=finish.executed,
            reused=finish.reused,
            saved=finish.saved,
        )
        self.row = let_go(self.row)._replace(status=finish.status, finished_at=finish.finished_at, error=finish.error)

    def interrupt(self, run: int) -> None:
        """The run is left without an end."""
        self.row = let_go(self.row)._replace(status=Status.INTERRUPTED)
        self.runs[run] = self.runs[run]._replace(status=Status.INTERRUPTED)

    def settle(self, status: str, at: float) -> None:
        """The end that somebody else says of a request whose runs report none any more."""
        self.row = let_go(self.row)._replace(status=status, finished_at=at, cancel_requested=False)
        for number, run in self.runs.items():
            if run.status == Status.RUNNING:
                self.runs[number] = run._replace(status=status, finished_at=at)

    def cancel(self) -> None:
        """What is queued ends at once; what runs is asked to; what has ended stays as it is."""
        if self.row.status in _OPEN:
            if self.row.status == Status.QUEUED:
                self.row = let_go(self.row)._replace(status=Status.CANCELLED)
            self.row = self.row._replace(cancel_requested=True)

    def find(self, parent: int, identity: int) -> CallRow | None:
        return self.calls.get(parent, {}).get(identity)

    def put(self, row: CallRow) -> None:
        self.calls.setdefault(row.parent, {})[row.identity] = row

    def put_all(self, rows: Iterable[CallRow]) -> None:
        for row in rows:
            self.put(row)

    def record(self, row: CallRow) -> bool:
        """Write a mark or an outcome; whether the call was open for it."""
        old = self.find(row.parent, row.identity)
        if old is not None:
            then, now = (old.pass_no, old.attempts), (row.pass_no, row.attempts)
            if then > now or (then == now and old.status != Status.RUNNING):
                return False
        self.put(row)
        return True

    def write(self, write: Write) -> None:
        match write:
            case CallRow():
                self.record(write)
            case Reached():
                self.reached[write.parent, write.pass_no, write.seq] = write
            case Attempted():
                self.attempts[write.identity, write.pass_no, write.attempt] = write
            case Logged():
                self.logs.append(write)
            case Progressed():
                self.progress[write.identity] = write
            case Metric():
                self.metrics.append(write)
            case ArgumentsDecide():
                self.decided.add(write)
            case Dropped(parent, identity, mac):
                row = self.find(parent, identity)
                if row is not None:
                    self.put(row._replace(codec="", value=None, blob=None, mac=mac))
            case _:
                assert_never(write)

    def blobs(self) -> Iterator[bytes]:
        for row in (*self.history, *(row for rows in self.calls.values() for row in rows.values())):
            if row.blob is not None:
                yield row.blob


def accepted(serial: int, new: NewRequest) -> RequestRow:
    return RequestRow(
        serial=serial,
        id=new.id,
        application=new.application,
        kind=new.kind,
        status=Status.QUEUED,
        accepted_at=new.accepted_at,
        started_at=None,
        finished_at=None,
        input=new.input,
        input_digest=new.input_digest,
        code_key=new.code.key,
        notebook=new.notebook,
        cell=new.cell,
        idempotency_key=new.idempotency_key,
        forked_from=new.forked_from,
        headers=new.headers,
        mac=new.mac,
        rule=FINGERPRINT_RULE,
        run=0,
        epoch=0,
        owner=None,
        lease_until=0.0,
        cancel_requested=False,
        pinned=False,
        error=None,
    )


NOBODY: Final = accepted(
    0,
    NewRequest("", "", "", 0.0, None, b"", CodeVersion(b"", b"", b""), None, None, None, None, None),
)


def let_go(row: RequestRow) -> RequestRow:
    """Without an owner, and with an epoch that refuses what the last one still writes."""
    return row._replace(epoch=row.epoch + 1, owner=None, lease_until=0.0, lease_boot=None)


def taken_in(known: RequestRow, history: History) -> Kept:
    """A request of another store, in the place of what is known of it here."""
    row = history.request._replace(
        serial=known.serial,
        epoch=known.epoch + 1,
        owner=None,
        lease_until=0.0,
        lease_boot=None,
        cancel_requested=known.cancel_requested,
        notebook=known.notebook,
    )
    kept = Kept(row)
    kept.runs = {run.run: run for run in history.runs}
    kept.put_all(history.calls)
    for write in besides_calls(history):
        kept.write(write)
    return kept


def passes(row: RequestRow, filter: Filter) -> bool:
    exact = (
        (filter.status, row.status),
        (filter.application, row.application),
        (filter.notebook, row.notebook),
        (filter.cell, row.cell),
    )
    texts = (row.id, row.application, row.notebook, row.cell, row.error)
    return (
        all(wanted in (None, has) for wanted, has in exact)
        and (not filter.text or any(filter.text.lower() in (text or "").lower() for text in texts))
        and (filter.since is None or row.accepted_at >= filter.since)
        and (filter.before is None or row.serial < filter.before)
    )


def may_go(row: RequestRow, moment: float) -> bool:
    ended = row.accepted_at if row.finished_at is None else row.finished_at
    return row.status in _SWEPT and not row.pinned and ended < moment
