"""What was sent again after its answer was lost: whether it was done the first time is read from the rows themselves.

Rules of this file
- Only asked where the client says that it sends something again, and the server does not remember its answer: it was
  ended in between. Times are of the client's clock and have its full precision, so equal times mean the same event.
- An operation that was done is answered as it was the first time. One that was not is done now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from jupyter_durable.core.history import History, as_new
from jupyter_durable.core.model import CallRow, Lease, Logged, Metric, NewRequest, NewRun, Owner, RequestRow, Write
from jupyter_durable.errors import DurableError, LeaseLost, SDKUsageError
from jupyter_durable.store.base import Filter, Finish, NotAsRead, Settled, Store


def outcome(store: Store, lease: Lease, row: CallRow, error: DurableError | None) -> DurableError | None:
    """What became of an outcome: none was refused that is there, with all that was committed with it."""
    if type(error) is not Settled:
        return error
    found = store.call(lease.serial, row.parent, row.identity)
    return None if found is not None and _event(found) == _event(row) else error


def _event(row: CallRow) -> tuple[object, ...]:
    """What makes an outcome this one; its value may have been dropped since, and it may have been set aside."""
    return row.pass_no, row.seq, row.status, row.attempts, row.digest, row.started_at, row.duration


def unwritten(store: Store, lease: Lease, writes: Sequence[Write]) -> list[Write]:
    """Of what was queued that which is not there. Only what is added, and replaces nothing, can be there twice."""
    there: Counter[Write] = Counter()
    if any(isinstance(write, Logged) for write in writes):
        there.update(store.logs(lease.serial))
    if any(isinstance(write, Metric) for write in writes):
        there.update(store.metrics(lease.serial))
    missing: list[Write] = []
    for write in writes:
        if there[write] > 0 and isinstance(write, (Logged, Metric)):
            there[write] -= 1
        else:
            missing.append(write)
    return missing


def accepted(store: Store, new: NewRequest, error: SDKUsageError) -> tuple[RequestRow, bool]:
    """The request, where it is the one that was to be accepted."""
    try:
        row = store.request(new.id)
    except SDKUsageError:
        raise error from None
    if (row.id, row.accepted_at, row.input_digest, row.mac) != (new.id, new.accepted_at, new.input_digest, new.mac):
        raise error
    return row, True


def taken_in(store: Store, history: History, error: SDKUsageError) -> RequestRow:
    """The request, where it is there with all that was to be taken in."""
    row, _ = accepted(store, as_new(history), error)
    if (row.status, store.runs(row.serial)) != (history.request.status, history.runs):
        raise error
    return row


def begun(store: Store, serial: int, owner: Owner, run: NewRun, error: NotAsRead) -> int:
    """The epoch at which to begin once more, where this owner has begun this run. It knows of no lease, so it has
    written nothing: the run that it cannot use reads as interrupted."""
    row = by_serial(store, serial)
    last = store.runs(serial)[-1:] if row is not None else []
    if row is None or row.owner != owner or not last or last[0].started_at != run.started_at:
        raise error
    return row.epoch


def settled(store: Store, serial: int, status: str, at: float, error: NotAsRead) -> None:
    """Nothing, where the request was ended so."""
    row = by_serial(store, serial)
    if row is None or (row.owner, row.status, row.finished_at) != (None, status, at):
        raise error


def finished(store: Store, lease: Lease, finish: Finish, error: LeaseLost) -> None:
    """Nothing, where the run was ended so."""
    for run in store.runs(lease.serial):
        if (run.run, run.status, run.finished_at) == (lease.run, finish.run_status, finish.finished_at):
            return
    raise error


def by_serial(store: Store, serial: int) -> RequestRow | None:
    """A request by its serial."""
    found = store.requests(Filter(before=serial + 1, limit=1))
    return found[0] if found and found[0].serial == serial else None
