"""How calls are cut off, and how a run ends.

Rules of this file
- A call is settled once: whoever takes it out of `run.open` settles it.
- A run ends once: its root's outcome, its status and its lease are one transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Final

from jupyter_durable.code.credentials import masked
from jupyter_durable.core.model import ROOT, CallRow, Status, Write, diverged
from jupyter_durable.errors import Cancelled, DurableError, ReplayError, StoreError
from jupyter_durable.runner.rows import row_of
from jupyter_durable.runner.run import CallRecord, Run, Unsaved
from jupyter_durable.runner.sealing import NOTHING
from jupyter_durable.runner.stop import RunStopped, Told, leave_all
from jupyter_durable.store.base import Finish

END_SECONDS: Final = 5.0
"""How long who is left over waits for the thread that writes the end of the run."""
THROW_SECONDS: Final = 0.3
"""How long the end of a stopped run waits until all threads and loops are told: nothing may begin after it."""


def cut_off(call: CallRecord, status: str) -> None:
    """It was left before it had an outcome: its row goes with the next commit, and those that listen know."""
    run = call.run
    row = row_of(call, status, NOTHING, run.monotonic() - call.started)
    run.later(row)
    if call.parent is not None:
        run.counts.count_executed(call.kind)
    for listener in run.listeners:
        listener.settled(row)


def tell_of_end(call: CallRecord, spawned: Iterable[Any]) -> None:
    """Who holds the Future of a child that was given up does not wait for its thread."""
    stopped = call.run.stopped
    for child in spawned:
        given_up = getattr(child, "given_up", None)
        if given_up is not None and not child.done():
            text = f"a Future of {call.text()}: the attempt that started it has ended; what it still does is not kept"
            given_up(Cancelled(text) if stopped is None else RunStopped(stopped))


def close_reached(call: CallRecord) -> list[Write]:
    """The stretches of reused calls of a body that was cut off."""
    return [*call.run.sealer.placed(call.body.take_reached())] if call.body is not None else []


def refuse(run: Run, row: CallRow) -> None:
    """Stop where the large value of an outcome was refused; both are kept in memory."""
    refused = run.sealer.refused.pop(row.blob, None) if row.blob is not None else None
    if refused is not None:
        run.unsaved.append(Unsaved(row, refused))
        run.stop(refused.reason)
        if row.identity == ROOT:  # without an outcome of the root, which is to come when there is room
            finish(run, None, Status.INTERRUPTED, refused.reason)
        raise RunStopped(refused.reason)


def finish(
    run: Run, root: CallRow | None, status: str, error: BaseException | None, writes: Sequence[Write] = ()
) -> None:
    """End the run: root outcome, status and lease in one transaction."""
    run.closed = True
    root_call = run.root_call
    if root_call is not None:
        root_call.take_out()
    for call in reversed(list(run.open)):  # callers after what they called, as ever
        if call.give_up():
            cut_off(call, Status.CANCELLED)
            if call.body is not None:
                tell_of_end(call, list(call.body.spawned))
    if root_call is not None and root_call.body is not None:
        tell_of_end(root_call, list(root_call.body.spawned))
    run.outcome = status
    run.reports.end()
    run.later_all(writes)
    run_status = Status.DIVERGED if isinstance(error, ReplayError) else status
    if run_status == Status.DIVERGED:
        run.later_all(run.sealer.placed([diverged(run.number)]))
    line = _one_line(error) if error is not None else None
    run.error = line or ""
    counts = run.counts
    try:
        run.journal.finish(
            Finish(root, status, run_status, line, run.now(), counts.executed, counts.reused, counts.saved)
        )
    except StoreError as failure:
        if root is not None and status == Status.SUCCEEDED and run.root_call and run.root_call.spec is not None:
            run.keep_unsaved(root, failure)
        run.stop(failure)
        raise RunStopped(failure) from None
    finally:
        _end(run)


def _end(run: Run) -> None:
    run.closed = run.ended = True
    for told in run.on_end:
        told()
    run.over.set()


def end_served(run: Run, status: str, line: str | None = None) -> None:
    """The run ends without an outcome of its root: the recorded one is served, or nothing more is to come of it.

    `line`: why, where that is an error.
    """
    run.reports.end()
    run.outcome, run.error = status, line or ""
    counts = run.counts
    try:
        run.journal.finish(Finish(None, status, status, line, run.now(), counts.executed, counts.reused, counts.saved))
    finally:
        _end(run)


def end_stopped(run: Run, root: CallRecord, interrupt: BaseException | None) -> DurableError | BaseException:
    """The root was left because the run was stopped or interrupted: settle it; the error to raise."""
    told: Told | None = None
    with run.lock:
        if (reason := run.stopped) is None:
            told = run.told = Told()
            reason = run.stopped = interrupt
    assert reason is not None
    if told is not None:
        leave_all(run.open, told, but=root)  # it was left already
    status = Status.INTERRUPTED if isinstance(reason, StoreError) else Status.CANCELLED
    if isinstance(reason, ReplayError):
        status = Status.FAILED
    if root.spec is None or root.thread_id == threading.get_ident():
        root.thread_id = 0  # it is left; where the pulse ends the run, its thread is still to be thrown out
    if not root.started_at:  # an interrupt came before it began
        root.started, root.started_at = run.monotonic(), run.now()
    try:
        if run.told is not None:
            run.told.wait(THROW_SECONDS)
            run.workers.loops.doubt(run.told.tasks)
        # Who finds it gone is late: another thread ends the run, unless an interrupt threw it out before it could.
        if _take_root_out(root) or not (run.over.wait(END_SECONDS) or run.closed):
            writes = close_reached(root)
            row = row_of(
                root,
                Status.CANCELLED if status == Status.CANCELLED else Status.INTERRUPTED,
                NOTHING,
                run.monotonic() - root.started,
            )
            finish(run, row, status, reason, writes)
    except RunStopped:
        reason.add_note(f"the end of request {run.id} could not be written; it reads as interrupted")
    except KeyboardInterrupt:  # a second one: the run is over all the same, and reads as interrupted
        if not run.ended:
            run.reports.end()
            _end(run)
        raise
    return reason


def _take_root_out(root: CallRecord) -> bool:
    """Whether it was there. The pulse ends a run while the code of its root goes on; a cell is no such code."""
    with root.run.lock:
        if root.spec is not None and root.thread_id not in (0, threading.get_ident()):
            return root.give_up()
        return root.take_out()


def _one_line(error: BaseException) -> str:
    text = masked(" ".join(str(error).split()))
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return line if len(line) <= 300 else line[:299] + "…"
