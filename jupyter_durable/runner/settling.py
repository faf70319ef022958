"""How a call ends: its outcome as a row, and what has to be told.

Rules of this file
- A call is settled once: whoever takes it out of `run.open` settles it. Everyone else who comes too late gets
  `Cancelled` (a thread that was given up) or nothing (the run has ended).
- A failing attempt settles its children first. Then it is followed by another one, or the failure is final.
- What interrupts a call (the user, a stopped run) passes through unwrapped, and the call executes again on replay.
- Nothing here knows how a call is driven: it is told what became of the function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

from jupyter_durable.core.model import ArgumentsDecide, Attempted, CallRow, Flag, Kind, Status, Write
from jupyter_durable.core.retry import decide
from jupyter_durable.errors import Cancelled, SDKUsageError, SerializationError, StoreError
from jupyter_durable.future import refuse_returned
from jupyter_durable.loops import cancellation
from jupyter_durable.runner.arguments import read_once
from jupyter_durable.runner.body import Body
from jupyter_durable.runner.children import abandon_children, settle_children
from jupyter_durable.runner.ending import close_reached, cut_off, finish, refuse
from jupyter_durable.runner.matching import end_strict
from jupyter_durable.runner.rows import row_of
from jupyter_durable.runner.run import CallRecord
from jupyter_durable.runner.sealing import NOTHING, Kept
from jupyter_durable.runner.stop import AttemptGivenUp, RunStopped, StartOver
from jupyter_durable.serializer.base import PICKLE
from jupyter_durable.serializer.digest import value_digest

if TYPE_CHECKING:
    from jupyter_durable.serializer.failure import Failure

UNWRAPPED: Final = (
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    RunStopped,
    StartOver,
    AttemptGivenUp,
)
"""Passes through as it is, and so does what a cancelled task is left with."""


def completed(call: CallRecord, value: Any) -> tuple[CallRow, Sequence[Write]]:
    """The row of a success, with what has to commit together with it."""
    call.thread_id, call.task = 0, None
    if call.paused is not None:
        _go_on_above(call)
    writes = _close_body(call, call.body) if call.body is not None else []
    run = call.run
    if call.attempts > 1:
        writes += _last_attempt(call)
    if call.watched is not None:
        _warn_of_changes(call, call.watched.changed(value))
    try:
        kept = _keep(call, value)
    except (SerializationError, SDKUsageError) as error:  # what an application returns has to be stored
        _failed(call, error)
    if call.kind == Kind.REDUCE_STEP:
        call.result_digest = value_digest(value, run.digesting)[0]
    _take_out(call)
    call.fenced = True  # what its threads and tasks still do has no place below it
    row = row_of(call, Status.SUCCEEDED, kept, run.monotonic() - call.started)
    if call.kind == Kind.REDUCE_STEP:
        call.outcome = row
    if kept.value is None and run.sealer.refused:
        refuse(run, row)
    if run.in_hand is not None and kept.codec == PICKLE:
        run.in_hand(row, value)
    return row, writes


def _warn_of_changes(call: CallRecord, names: list[str]) -> None:
    for name in names:
        call.run.warn(
            f"{call.name} changed its argument `{name}`. When the call is served from its checkpoint that change "
            "does not happen: change a copy, or return what was changed."
        )


def _keep(call: CallRecord, value: Any) -> Kept:
    run = call.run
    if call.kind == Kind.MAP or call.kind == Kind.REDUCE:
        return NOTHING  # a map is never reused itself: its items are
    try:
        if call.parent is None and run.output is not None:
            value = run.output(value)
        return run.sealer.keep(value)
    except SerializationError as error:
        refuse_returned(call.name, value)
        if call.parent is None and run.output is not None:
            raise
        call.flags |= Flag.NOT_STORED
        run.warn(
            f"{call.name}: completed, not checkpointed: {error}. Its value goes on; on replay only this call runs "
            "again. To have it kept, return the data rather than the object that holds it"
        )
        return NOTHING


def _close_body(call: CallRecord, body: Body) -> list[Write]:
    """The body has ended: its stretches of reused calls, to be committed with the outcome."""
    run = call.run
    if body.strict is not None:
        end_strict(run, body)
    if run.notices.missed:
        run.notices.ended(call.identity, body)
    return [*run.sealer.placed(body.take_reached())]


def _go_on_above(call: CallRecord) -> None:
    """The function has ended: the clock of the caller runs again."""
    if call.paused is not None:
        call.paused.resume()
        call.paused = None


def _take_out(call: CallRecord) -> None:
    if not call.take_out():
        _come_too_late(call)


def _come_too_late(call: CallRecord) -> NoReturn:
    call.left()
    if call.run.stopped is not None:
        raise RunStopped(call.run.stopped)
    raise Cancelled(f"{call.text()}: this attempt is no longer the current one; its result is not kept")


def ended(call: CallRecord, row: CallRow) -> None:
    """The outcome is durable."""
    run, parent = call.run, call.parent
    if parent is not None:
        traces = parent.traces or parent.leave_traces()
        if call.traces is None:  # a leaf left nothing but its code
            if row.code:
                traces.below[row.name] = row.code
        else:
            traces.called(row)
            if call.traces.writes:
                traces.merge_writes(call.traces.writes)
        run.counts.count_executed(call.kind)
        if call.row is not None and call.row.flags & Flag.SET_ASIDE and parent.body is not None:
            with parent.body.lock:
                if parent.body.matcher is not None:
                    parent.body.matcher.ended(call.row)
    for listener in run.listeners:
        listener.settled(row)


def fail(call: CallRecord, error: BaseException) -> float:
    """Settle the attempt as failed: the delay before the next one in seconds; raises when there is none."""
    __tracebackhide__ = True
    run = call.run
    if call.forked:
        raise error
    if call.start_over is not None and not isinstance(error, RunStopped):
        _begin_again(call)
        _renew_arguments(call)
        call.attempts -= 1  # counted until then: a failure to renew them is one of this attempt, whose mark is stored
        return 0.0
    if isinstance(error, StoreError):
        run.stop(error)
        error = RunStopped(error)
    if isinstance(error, (*UNWRAPPED, *cancellation())):
        interrupted(call, error)
    settle_children(call)
    import random

    delay = decide(call.plan.policy, call.attempts, error, random.random())
    if run.stopped is not None:
        interrupted(call, RunStopped(run.stopped))
    if call not in run.open:
        _come_too_late(call)
    if delay is not None:
        _record_attempt(call, error)
        _renew_arguments(call)
        return delay
    _failed(call, error)


def _failed(call: CallRecord, error: BaseException) -> NoReturn:
    """Record the final failure and raise it as the caller gets it."""
    __tracebackhide__ = True
    run = call.run
    call.thread_id, call.task = 0, None
    _go_on_above(call)
    writes = _last_attempt(call)
    if call.body is not None:
        writes = [*_close_body(call, call.body), *writes]
    _take_out(call)
    call.fenced = True
    kept = _keep_failure(call, error)
    row = row_of(call, Status.FAILED, kept, run.monotonic() - call.started)
    if kept.value is None and run.sealer.refused:
        refuse(run, row)
    if call.parent is None:
        finish(run, row, Status.FAILED, error, writes)
        raise error
    run.record(row, writes)
    ended(call, row)
    from jupyter_durable.serializer.dual import as_function_error

    raise as_function_error(error, f"{call.text()}, attempt {call.attempts}, request {run.id}")


def settle_failed(call: CallRecord, error: BaseException) -> None:
    """The body of a cell raised: record it; the notebook shows the exception itself."""
    settle_children(call)
    writes = _close_body(call, call.body) if call.body is not None else []
    _take_out(call)
    row = row_of(call, Status.FAILED, _keep_failure(call, error), call.run.monotonic() - call.started)
    finish(call.run, row, Status.FAILED, error, writes)


def _encoded(error: BaseException) -> Failure:
    from jupyter_durable.runner.failures import is_user_frame  # for calls that fail
    from jupyter_durable.serializer.failure import encode_failure

    return encode_failure(error, is_user_frame)


def _keep_failure(call: CallRecord, error: BaseException) -> Kept:
    from jupyter_durable.runner.failures import without_credentials

    return call.run.sealer.keep(without_credentials(_encoded(error)))


def interrupted(call: CallRecord, error: BaseException) -> NoReturn:
    """The call was cut off: it executes again on replay. What it started is given up."""
    __tracebackhide__ = True
    run = call.run
    call.fenced = True
    with run.lock:  # else who gives it up now would wait for ever
        call.thread_id = 0  # it is left: an interrupt that was meant for it comes too late
        call.left()
    _go_on_above(call)
    abandon_children(call)
    call.task = None  # nor is its task cancelled any more, which may be the user's own
    if call.parent is not None and call.take_out():
        status = Status.INTERRUPTED if isinstance(run.stopped, StoreError) else Status.CANCELLED
        cut_off(call, status)
        run.later_all(close_reached(call))
    raise error


def _begin_again(call: CallRecord) -> None:
    """A match by place was wrong: arguments decide, and the body starts over. Not an attempt."""
    run, wrong, body = call.run, call.start_over, call.body
    settle_children(call)
    if wrong is not None and body is not None:
        run.later_all(run.sealer.placed(body.take_reached()))
        run.later_all(run.sealer.placed([ArgumentsDecide(call.identity, wrong.name, body.pass_no)]))
    call.start_over = None
    call.body = None
    if call.traces is not None:
        call.traces.forget_pass()
    _drop_writes(call)


def _record_attempt(call: CallRecord, error: BaseException) -> None:
    from jupyter_durable.runner.failures import as_text

    run, body = call.run, call.body
    if body is not None:
        run.later_all(run.sealer.placed(body.take_reached()))
    failed = Attempted(
        call.identity,
        call.pass_no,
        call.attempts,
        run.now() - (run.monotonic() - call.turn_started),
        run.monotonic() - call.turn_started,
        run.serializer.encode(as_text(_encoded(error))).head,
    )
    run.later(failed)
    for told in run.on_attempt:
        told(failed)
    call.body = None
    if call.traces is not None:
        call.traces.forget_pass()
    _drop_writes(call)


def _renew_arguments(call: CallRecord) -> None:
    """The next pass gets the arguments as they were, or the call fails."""
    if call.pristine is not None:
        try:
            call.args, call.kwargs = call.pristine.fresh()
        except Exception as error:  # noqa: BLE001 - __deepcopy__ of the user's objects was called
            _failed(call, error)
    elif call.args or call.kwargs:
        once = read_once(call.spec.params, (call.args, call.kwargs))
        if once:
            _failed(
                call,
                SDKUsageError(
                    f"{call.text()} has to begin anew, because its calls are others than those recorded, but its "
                    f"argument `{once[0].argument}` holds {once[0].what}, which has been read. Pass a list"
                ),
            )


def _last_attempt(call: CallRecord) -> list[Write]:
    """When the last of several attempts began: the call's own row says when the first one did."""
    if call.attempts < 2:
        return []
    run = call.run
    lasted = run.monotonic() - call.turn_started
    return [Attempted(call.identity, call.pass_no, call.attempts, run.now() - lasted, lasted, b"")]


def _drop_writes(call: CallRecord) -> None:
    if call.traces is not None and call.traces.writes:
        call.run.state.drop(call.traces.writes)
        call.traces.writes = {}
