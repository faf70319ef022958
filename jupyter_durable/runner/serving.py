"""Calls that are served from their checkpoints."""

from __future__ import annotations

from typing import Any, Final

from jupyter_durable.core.model import CallRow, Flag
from jupyter_durable.runner.body import Body
from jupyter_durable.runner.matching import drifted
from jupyter_durable.runner.opened import changed_file
from jupyter_durable.runner.plan import Plan
from jupyter_durable.runner.run import CallRecord, Run
from jupyter_durable.serializer.base import PICKLE


class Served:
    """A call that was served from its checkpoint: what stands for its `Execution`."""

    __slots__ = ("value",)

    reused: Final = True

    def __init__(self, value: Any) -> None:
        self.value = value


def serve(parent: CallRecord, body: Body, row: CallRow, seq: int, plan: Plan, drift: int) -> Served:
    """The recorded outcome of a call at `seq`; `drift`: its marks. The lock of the body is held."""
    run, flags = parent.run, drift
    value = run.open_value(row)
    traces = parent.traces or parent.leave_traces()
    if row.code != plan.code or row.below is not None or row.files or row.metrics:
        flags |= _changes(run, row, plan)
        traces.called(row)
    elif row.code:  # a leaf, which is what most are: without a step more than it needs
        traces.below[row.name] = row.code
    if run.in_hand is not None and row.codec == PICKLE:
        run.in_hand(row, value)
    _told(parent, body, row, seq, flags)
    return Served(value)


def pass_over(parent: CallRecord, body: Body, row: CallRow, seq: int, plan: Plan) -> None:
    """As `serve`, for an outcome whose value nobody needs."""
    run = parent.run
    run.sealer.check(row)
    flags = _changes(run, row, plan)
    (parent.traces or parent.leave_traces()).called(row)
    _told(parent, body, row, seq, flags)


def _told(parent: CallRecord, body: Body, row: CallRow, seq: int, flags: int) -> None:
    """Where the call stood is noted, it is counted, its state is there again, and listeners hear of it."""
    run = parent.run
    body.matcher.reuse(seq, row, flags)  # type: ignore[union-attr]
    run.counts.count_reused(row, flags)
    if row.writes is not None:
        apply_writes(parent, row)
    for listener in run.listeners:
        listener.reused(row, seq, body.pass_no, flags)


def _changes(run: Run, row: CallRow, plan: Plan) -> int:
    """Marks of what is not as it was when the call ran."""
    flags = 0
    if row.code != plan.code or (row.below is not None and drifted(run, row, plan)):
        flags |= Flag.CODE_CHANGED
    if row.files and changed_file(row.files, below=True) is not None:
        flags |= Flag.FILE_CHANGED
    return flags


def apply_writes(parent: CallRecord, row: CallRow) -> None:
    """What the subtree of a reused call wrote into the state is there again."""
    for key, value in parent.run.sealer.written(row).items():
        parent.write_state(key, value)
