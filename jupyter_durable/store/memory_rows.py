"""What the memory store keeps of one request, and the rules that need no lock.

Rules of this file
- Nothing here locks; the store calls it while it holds its lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

from jupyter_durable.core.model import (
    FINGERPRINT_RULE,
    ArgumentsDecide,
    Attempted,
    CallRow,
    CodeVersion,
    Dropped,
    Logged,
    Metric,
    NewRequest,
    Progressed,
    Reached,
    RequestRow,
    RunRow,
    Status,
    Write,
)
from jupyter_durable.store.base import Filter

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

    def find(self, parent: int, identity: int) -> CallRow | None:
        return self.calls.get(parent, {}).get(identity)

    def put(self, row: CallRow) -> None:
        self.calls.setdefault(row.parent, {})[row.identity] = row

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
