"""A call as the journal keeps it: what is known of it, and the row that says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_durable.core import metrics
from jupyter_durable.core.metrics import Totals
from jupyter_durable.core.model import CallRow, Kind, Status, Write, pack_codes
from jupyter_durable.core.replay import WrongMatch
from jupyter_durable.executor.visit import Visit
from jupyter_durable.runner.arguments import Pristine
from jupyter_durable.runner.body import Body
from jupyter_durable.runner.changes import Watched
from jupyter_durable.runner.countdown import Countdown
from jupyter_durable.runner.opened import MOST, MOST_BELOW, Opened
from jupyter_durable.runner.sealing import NOTHING, Kept

if TYPE_CHECKING:
    from jupyter_durable.runner.call import ActiveCall
    from jupyter_durable.runner.plan import Plan
    from jupyter_durable.runner.run import Run


class CallRecord:
    """A call that executes in this run: `Execution` to whoever drives it, `Scope` to the code that runs in it."""

    __slots__ = (
        "__weakref__",
        "args",
        "async_depth",
        "attempts",
        "below",
        "bodies",
        "body",
        "deadline",
        "depth",
        "digest",
        "durable_mark",
        "fenced",
        "files",
        "flags",
        "handoff",
        "identity",
        "invoke",
        "kind",
        "kwargs",
        "marked",
        "measured",
        "measured_below",
        "outcome",
        "packed",
        "parent",
        "pass_no",
        "paused",
        "plan",
        "pristine",
        "result_digest",
        "row",
        "run",
        "seq",
        "spec",
        "start_over",
        "started",
        "started_at",
        "tail",
        "task",
        "thread_id",
        "turn_started",
        "visit",
        "watched",
        "writes",
    )

    started: float
    """Monotonic seconds when the first attempt began."""
    turn_started: float
    """Monotonic seconds when this attempt began."""
    thread_id: int
    """The thread that drives it; where its function is, `visit` says."""
    deadline: Countdown | None
    """The clock of the running attempt."""
    paused: Countdown | None
    """The clock of the caller, which stands still for this call."""
    handoff: Callable[[CallRow, Sequence[Write]], None] | None
    """Takes its outcome over, where the caller does not wait for the commit of each call."""
    visit: Visit | None
    """The stay in its function, where an error may be thrown into that thread."""

    def __init__(
        self, parent: ActiveCall | None, run: Run, spec: Any, kind: str, plan: Plan, place: tuple[int, int, bytes, int]
    ) -> None:
        self.parent = parent
        self.run = run
        self.spec = spec
        self.kind = kind
        self.plan = plan
        self.pass_no, self.seq, self.digest, self.flags = place
        self.row: CallRow | None = None
        self.outcome: CallRow | None = None
        """Its outcome; only reduce steps keep it."""
        self.identity = 0
        self.attempts = 0
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.invoke: Callable[..., Any] = plan.fn
        self.body: Body | None = None
        self.bodies = 0
        self.writes: dict[str, tuple[int, Any]] | None = None
        self.below: dict[str, bytes] | None = None
        self.packed: tuple[int, bytes | None] | None = None
        self.deadline = self.paused = None
        self.marked = self.durable_mark = self.fenced = False
        self.handoff = None
        self.tail = False
        """Whether its function has returned a tail call: what runs now stands in its place, not below it."""
        self.start_over: WrongMatch | None = None
        self.pristine: Pristine | None = None
        self.result_digest: bytes | None = None
        self.started_at = 0.0
        self.task: asyncio.Task[Any] | None = None
        self.visit = None
        self.watched: Watched | None = None
        self.files: Opened | None = None
        self.measured: Totals | None = None
        self.measured_below: Totals | None = None
        if parent is None:
            self.depth, self.async_depth = 0, int(bool(spec is not None and spec.is_async))
        else:
            self.depth = parent.depth + 1
            self.async_depth = parent.async_depth + (spec.is_async if kind != Kind.VALUE else 0)

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.plan.name

    def levels(self) -> int:
        """How many durable calls deep it stands, without those that returned a tail call."""
        levels, above = self.depth, self.parent
        while above is not None:
            levels -= above.tail
            above = above.parent
        return levels

    def text(self) -> str:
        """Which call this is, for messages."""
        return f"{self.name} (call {self.seq} of {self.parent.name})" if self.parent is not None else self.name

    def opened_files(self) -> Opened:
        """What it opened; made when it is first needed, which several threads may find at once."""
        with self.run.lock:
            if self.files is None:
                self.files = Opened()
            return self.files

    def _sums(self) -> str | None:
        """What it and the calls below it measured."""
        with self.run.lock:
            totals = dict(self.measured or {})
            metrics.merge(totals, self.measured_below or {})
        return metrics.packed(totals)

    def _kept_files(self, opened: Opened) -> bytes | None:
        """The files that it and the calls below it read."""
        kept = self.run.files.kept(opened)
        if opened.cut:
            self.run.warn(
                f"{self.name} read more files than are watched ({MOST} of its own, {MOST_BELOW} below it): a change of "
                "the others is not seen. Read fewer in one call to have them all marked"
            )
        return kept

    def mark(self) -> None:
        """Queue the started mark; marks of callers come with it."""
        if not self.started_at:
            self.started_at = self.run.now()
            self.started = self.run.monotonic()
        self.marked = True
        self.run.later(self.row_of(Status.RUNNING))

    def _mark_durably(self) -> None:
        """Commit the started mark as an outcome is committed: alone in this thread, without a hop to the store's."""
        self.marked = self.durable_mark = True
        self.run.record(self.row_of(Status.RUNNING))

    def _inputs(self, turn: int, started: bool) -> bytes | None:
        """The packed arguments. Those of a started mark are those of the outcome: packing costs as much as the rest."""
        if self.packed is not None and self.packed[0] == turn:
            return self.packed[1]
        inputs = self.run.pack_inputs(self)
        if started:
            self.packed = (turn, inputs)
        return inputs

    def row_of(self, status: str, kept: Kept = NOTHING, duration: float | None = None) -> CallRow:
        """This call as a row."""
        run, plan, parent, body = self.run, self.plan, self.parent, self.body
        turn = self.pass_no * 4096 + self.attempts
        codec, value, blob = kept
        columns = (
            parent.identity if parent is not None else 0,
            self.identity,
            self.pass_no,
            self.seq,
            self.kind,
            plan.name,
            status,
            self.flags,
            self.digest,
            plan.code,
            self.attempts,
            self.started_at,
            duration,
            codec,
            value,
            blob,
            None,
            self._inputs(turn, duration is None),
            run.pack_writes(self) if self.writes and status == Status.SUCCEEDED else None,
            None if duration is None else body.next_seq if body is not None else 0,
            self.result_digest,
            pack_codes(self.below) if self.below and status == Status.SUCCEEDED else None,
            self._kept_files(self.files) if self.files is not None and status == Status.SUCCEEDED else None,
            self._sums() if duration is not None and (self.measured or self.measured_below) else None,
        )
        return run.sealer.signed(columns)
