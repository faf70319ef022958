"""How a call ends: its outcome as a row, and what has to be told.

Rules of this file
- A call is settled once: whoever takes it out of `run.open` settles it. Everyone else who comes too late gets
  `Cancelled` (a thread that was given up) or nothing (the run has ended).
- A failing attempt settles its children first. Then it is followed by another one, or the failure is final.
- What interrupts a call (the user, a stopped run) passes through unwrapped, and the call executes again on replay.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from jupyter_durable.code.credentials import masked
from jupyter_durable.core import metrics
from jupyter_durable.core.model import ArgumentsDecide, Attempted, CallRow, Flag, Kind, Status, Write, unpack_codes
from jupyter_durable.core.retry import decide
from jupyter_durable.errors import Cancelled, SDKUsageError, SerializationError, StoreError
from jupyter_durable.future import refuse_returned
from jupyter_durable.runner import waiting
from jupyter_durable.runner.arguments import read_once
from jupyter_durable.runner.matching import end_strict
from jupyter_durable.runner.scope import CallScope
from jupyter_durable.runner.sealing import NOTHING, Kept
from jupyter_durable.runner.stop import AttemptGivenUp, RunStopped, StartOver
from jupyter_durable.serializer.base import PICKLE
from jupyter_durable.serializer.digest import value_digest
from jupyter_durable.serializer.dual import as_function_error
from jupyter_durable.serializer.failure import encode_failure

UNWRAPPED: Final = (
    KeyboardInterrupt,
    SystemExit,
    asyncio.CancelledError,
    GeneratorExit,
    RunStopped,
    StartOver,
    AttemptGivenUp,
)


class CallSettling(CallScope):
    """The end of a call."""

    __slots__ = ()

    def _leave(self) -> None:
        """The function has ended: the clock of the caller runs again."""
        if self.paused is not None:
            self.paused.resume()
            self.paused = None

    def completed(self, value: Any) -> tuple[CallRow, Sequence[Write]]:
        """The row of a success, with what has to commit together with it."""
        self._leave()
        writes = self.close_body()
        run = self.run
        if self.attempts > 1:
            writes += self._last_attempt()
        if self.watched is not None:
            self._warn_of_changes(self.watched.changed(value))
        try:
            kept = self._keep(value)
        except (SerializationError, SDKUsageError) as error:  # what an application returns has to be stored
            self._failed(error)
        if self.kind == Kind.REDUCE_STEP:
            self.result_digest = value_digest(value, run.digesting)[0]
        self._take_out()
        row = self.row_of(Status.SUCCEEDED, kept, run.monotonic() - self.started)
        if self.kind == Kind.REDUCE_STEP:
            self.outcome = row
        if kept.value is None and run.sealer.refused:
            run.refuse(row)
        if run.in_hand is not None and kept.codec == PICKLE:
            run.in_hand(row, value)
        return row, writes

    def _warn_of_changes(self, names: list[str]) -> None:
        for name in names:
            self.run.warn(
                f"{self.name} changed its argument `{name}`. When the call is served from its checkpoint that change "
                "does not happen: change a copy, or return what was changed."
            )

    def _keep(self, value: Any) -> Kept:
        run = self.run
        if self.kind == Kind.MAP or self.kind == Kind.REDUCE:
            return NOTHING  # a map is never reused itself: its items are
        try:
            if self.parent is None:
                value = run.output(value)
            return run.sealer.keep(value)
        except SerializationError as error:
            refuse_returned(self.name, value)
            if self.parent is None and run.must_store_output:
                raise
            self.flags |= Flag.NOT_STORED
            run.warn(
                f"{self.name}: completed, not checkpointed: {error}. Its value goes on; on replay only this call runs "
                "again. To have it kept, return the data rather than the object that holds it"
            )
            return NOTHING

    def close_body(self) -> list[Write]:
        """The body has ended: its stretches of reused calls, to be committed with the outcome."""
        body = self.body
        if body is None:
            return []
        if body.strict is not None:
            end_strict(self.run, body)
        if self.run.notices.missed:
            self.run.notices.ended(self)
        return [*self.run.sealer.placed(body.take_reached())]

    def close_reached(self) -> list[Write]:
        """The stretches of reused calls of a body that was cut off."""
        return [*self.run.sealer.placed(self.body.take_reached())] if self.body is not None else []

    def _take_out(self) -> None:
        if self.run.open.pop(self.identity, None) is None:
            if self.run.stopped is not None:
                raise RunStopped(self.run.stopped)
            raise Cancelled(f"{self.text()}: this attempt is no longer the current one; its result is not kept")

    def ended(self, row: CallRow) -> None:
        """The outcome is durable."""
        run, parent = self.run, self.parent
        if parent is not None:
            parent._called(row)
            if self.writes:
                run.merge_writes(parent, self.writes)
            if self.row is not None and self.row.flags & Flag.SET_ASIDE and parent.body is not None:
                with parent.body.lock:
                    if parent.body.matcher is not None:
                        parent.body.matcher.ended(self.row)
        run.count_executed(self)
        for listener in run.listeners:
            listener.settled(row)

    def _called(self, row: CallRow) -> None:
        """Remember the code that ran below this call, and the files that were read there."""
        known = self.below
        if known is None:
            with self.run.lock:
                known = self.below = {} if self.below is None else self.below
        if row.code:
            known[row.name] = row.code
        if row.below is not None:
            known.update(unpack_codes(row.below))
        if row.files:
            self.opened_files().called(row.files)
        if row.metrics:
            with self.run.lock:
                if self.measured_below is None:
                    self.measured_below = {}
                metrics.merge(self.measured_below, metrics.unpacked(row.metrics))

    def fail(self, error: BaseException) -> float:
        """Settle the attempt as failed: the delay before the next one in seconds; raises when there is none."""
        __tracebackhide__ = True
        run = self.run
        if self.start_over is not None and not isinstance(error, RunStopped):
            self._begin_again()
            self._renew_arguments()
            return 0.0
        if isinstance(error, StoreError):
            run.stop(error)
            error = RunStopped(error)
        if isinstance(error, UNWRAPPED):
            self._interrupted(error)
        waiting.settle_children(self)
        delay = decide(self.plan.policy, self.attempts, error, random.random())
        if delay is not None and run.stopped is None:
            self._record_attempt(error)
            self._renew_arguments()
            return delay
        self._failed(error)

    def _failed(self, error: BaseException) -> NoReturn:
        """Record the final failure and raise it as the caller gets it."""
        __tracebackhide__ = True
        run = self.run
        self._leave()
        writes = [*self.close_body(), *self._last_attempt()]
        self._take_out()
        kept = self._keep_failure(error)
        row = self.row_of(Status.FAILED, kept, run.monotonic() - self.started)
        if kept.value is None and run.sealer.refused:
            run.refuse(row)
        if self.parent is None:
            run.finish(row, Status.FAILED, error, writes)
            raise error
        run.record(row, writes)
        self.ended(row)
        raise as_function_error(error, run.call_text(self))

    def settle_failed(self, error: BaseException) -> None:
        """The body of a cell raised: record it; the notebook shows the exception itself."""
        waiting.settle_children(self)
        writes = self.close_body()
        self._take_out()
        row = self.row_of(Status.FAILED, self._keep_failure(error), self.run.monotonic() - self.started)
        self.run.finish(row, Status.FAILED, error, writes)

    def _keep_failure(self, error: BaseException) -> Kept:
        return self.run.sealer.keep(_without_credentials(encode_failure(error, self.run.is_user_frame)))

    def _interrupted(self, error: BaseException) -> NoReturn:
        """The call was cut off: it executes again on replay. What it started is given up."""
        __tracebackhide__ = True
        run = self.run
        self.fenced = True
        self._leave()
        waiting.abandon_children(self)
        if self.parent is not None and run.open.pop(self.identity, None) is not None:
            status = Status.INTERRUPTED if run.interrupted_by_store else Status.CANCELLED
            self.cut_off(status)
            run.later_all(self.close_reached())
        raise error

    def cut_off(self, status: str) -> None:
        """It was left before it had an outcome: its row goes with the next commit, and those that listen know."""
        run = self.run
        row = self.row_of(status, NOTHING, run.monotonic() - self.started)
        run.later(row)
        run.count_executed(self)
        for listener in run.listeners:
            listener.settled(row)

    def _begin_again(self) -> None:
        """A match by place was wrong: arguments decide, and the body starts over. Not an attempt."""
        run, wrong, body = self.run, self.start_over, self.body
        waiting.settle_children(self)
        if wrong is not None and body is not None:
            run.later_all(run.sealer.placed(body.take_reached()))
            run.later_all(run.sealer.placed([ArgumentsDecide(self.identity, wrong.name, body.pass_no)]))
        self.start_over = None
        self.body = None
        self._forget_pass()
        self.attempts -= 1
        self._drop_writes()

    def _record_attempt(self, error: BaseException) -> None:
        run, body = self.run, self.body
        if body is not None:
            run.later_all(run.sealer.placed(body.take_reached()))
        run.later(
            Attempted(
                self.identity,
                self.pass_no,
                self.attempts,
                run.now() - (run.monotonic() - self.turn_started),
                run.monotonic() - self.turn_started,
                run.serializer.encode(_as_text(encode_failure(error, run.is_user_frame))).head,
            )
        )
        self.body = None
        self._forget_pass()
        self._drop_writes()

    def _renew_arguments(self) -> None:
        """The next pass gets the arguments as they were, or the call fails."""
        if self.pristine is not None:
            try:
                self.args, self.kwargs = self.pristine.fresh()
            except Exception as error:  # noqa: BLE001 - __deepcopy__ of the user's objects was called
                self._failed(error)
        elif self.args or self.kwargs:
            once = read_once(self.spec.params, (self.args, self.kwargs))
            if once:
                self._failed(
                    SDKUsageError(
                        f"{self.text()} has to begin anew, because its calls are others than those recorded, but its "
                        f"argument `{once[0].argument}` holds {once[0].what}, which has been read. Pass a list"
                    )
                )

    def _forget_pass(self) -> None:
        """What this pass read has no part in the result of the next one, which makes the calls below anew."""
        self.measured_below = None
        if self.files is not None:
            self.files.again()

    def _last_attempt(self) -> list[Write]:
        """When the last of several attempts began: the call's own row says when the first one did."""
        if self.attempts < 2:
            return []
        run = self.run
        lasted = run.monotonic() - self.turn_started
        return [Attempted(self.identity, self.pass_no, self.attempts, run.now() - lasted, lasted, b"")]

    def _drop_writes(self) -> None:
        if self.writes:
            self.run.state.drop(self.writes)
            self.writes = None


def _without_credentials(failure: dict[str, Any]) -> dict[str, Any]:
    """A failure whose texts say no credential. The exception itself is a value, kept as it was raised."""
    masking = dict(failure)
    masking["text"] = masked(failure["text"])
    masking["notes"] = [masked(note) for note in failure["notes"]]
    masking["frames"] = [[*frame[:3], masked(frame[3])] for frame in failure["frames"]]
    for chained in ("cause", "context"):
        if chained in failure:
            masking[chained] = _without_credentials(failure[chained])
    if "dual" in failure:
        masking["dual"] = {**failure["dual"], "of": _without_credentials(failure["dual"]["of"])}
    if "group" in failure:
        masking["group"] = {
            "message": masked(failure["group"]["message"]),
            "members": [_without_credentials(member) for member in failure["group"]["members"]],
        }
    return masking


def _as_text(failure: dict[str, Any]) -> dict[str, Any]:
    """A failure that is only shown: without the exception, and without credentials."""
    kept = _without_credentials(failure)
    for part in (kept, kept.get("dual", {}).get("of"), kept.get("cause"), kept.get("context")):
        if part is not None and "value" in part:
            part["value"] = None
    return kept
