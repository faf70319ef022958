"""A call as the journal keeps it: the row that says what is known of it.

Rules of this file
- The started mark of a call is written when its first child begins (in the same commit at the latest), by the pulse of
  the run, or, when it must be durable before the function runs, by a commit of its own.
"""

from __future__ import annotations

from jupyter_durable.core.model import CallRow, Status, pack_codes
from jupyter_durable.runner.counts import COUNTED
from jupyter_durable.runner.opened import MOST, MOST_BELOW, Opened
from jupyter_durable.runner.run import CallRecord
from jupyter_durable.runner.sealing import NOTHING, Kept
from jupyter_durable.runner.traces import Traces


def mark(call: CallRecord) -> None:
    """Queue the started mark; marks of callers come with it."""
    run = call.run
    if not call.started_at:
        call.started_at = run.now()
        call.started = run.monotonic()
    call.marked = True
    run.later(row_of(call, Status.RUNNING))


def mark_durably(call: CallRecord) -> None:
    """Commit the started mark as an outcome is committed: alone in this thread, without a hop to the store's."""
    call.marked = call.durable_mark = True
    call.run.record(row_of(call, Status.RUNNING), begins=call)


def row_of(call: CallRecord, status: str, kept: Kept = NOTHING, duration: float | None = None) -> CallRow:
    """A call as a row."""
    plan, parent, body = call.plan, call.parent, call.body
    writes = below = files = measured = None
    if call.traces is not None and duration is not None:
        writes, below, files, measured = _packed(call, call.traces, status == Status.SUCCEEDED)
    codec, value, blob = kept
    columns = (
        parent.identity if parent is not None else 0,
        call.identity,
        call.pass_no,
        call.seq,
        call.kind,
        plan.name,
        status,
        call.flags,
        call.digest,
        plan.code,
        call.attempts,
        call.started_at,
        duration,
        codec,
        value,
        blob,
        None,
        _inputs(call, duration is None),
        writes,
        None if duration is None else body.next_seq if body is not None else 0,
        call.result_digest,
        below,
        files,
        measured,
    )
    return call.run.sealer.signed(columns)


def _inputs(call: CallRecord, started: bool) -> bytes | None:
    """The packed arguments. Those of a started mark are those of the outcome: packing costs as much as the rest."""
    turn = call.pass_no * 4096 + call.attempts
    if call.packed is not None and call.packed[0] == turn:
        return call.packed[1]
    run, inputs = call.run, None
    limit = run.settings.input_bytes
    if limit and call.kind in COUNTED:
        inputs = run.sealer.pack_inputs(call.args, call.kwargs, limit)
    if started:
        call.packed = (turn, inputs)
    return inputs


def _packed(
    call: CallRecord, traces: Traces, succeeded: bool
) -> tuple[bytes | None, bytes | None, bytes | None, str | None]:
    """What a call that has ended leaves behind, as columns: state, code below, files, sums of metrics."""
    writes = below = files = None
    if succeeded:
        if traces.writes:
            writes = call.run.sealer.pack({key: value for key, (_, value) in traces.writes.items()})
        below = pack_codes(traces.below) if traces.below else None
        files = _kept_files(call, traces.files) if traces.files is not None else None
    return writes, below, files, traces.sums() if traces.measured or traces.measured_below else None


def _kept_files(call: CallRecord, opened: Opened) -> bytes | None:
    """The files that it and the calls below it read."""
    kept = call.run.files.kept(opened)
    if opened.cut:
        call.run.warn(
            f"{call.name} read more files than are watched ({MOST} of its own, {MOST_BELOW} below it): a change of "
            "the others is not seen. Read fewer in one call to have them all marked"
        )
    return kept
