"""One run of one request: the only place where core, store and executors meet.

Rules of this file
- A run owns its request through a lease; when the store fails, the lease is lost, the request is cancelled or a strict
  replay diverges, the run stops: `stopped` holds the reason, and every durable call raises `RunStopped` from then on.
- A thread of its own, the pulse, writes started marks that wait for a commit, renews the lease and sees cancels.
- What a run counts and keeps in memory does not grow with the number of calls.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_durable.code.credentials import masked
from jupyter_durable.core.model import ROOT, CallRow, Flag, Kind, Lease, Logged, Progressed, Status, Write, diverged
from jupyter_durable.errors import Cancelled, DurableError, ReplayError, StoreError
from jupyter_durable.executor.thread import ThreadExecutor, blocked
from jupyter_durable.executor.visit import Visit
from jupyter_durable.function import Spec
from jupyter_durable.runner.arguments import Unread
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.hearing import listen
from jupyter_durable.runner.matching import attempts_of
from jupyter_durable.runner.notices import Notices
from jupyter_durable.runner.opened import Files
from jupyter_durable.runner.plan import Plan, Planner
from jupyter_durable.runner.pulse import Pulse
from jupyter_durable.runner.record import CallRecord
from jupyter_durable.runner.sealing import NOTHING, Sealer
from jupyter_durable.runner.settings import Code, Environment, Listener, RunOptions
from jupyter_durable.runner.state import StateLog
from jupyter_durable.runner.stop import RunStopped, leave_all
from jupyter_durable.serializer.canonical import Digesting
from jupyter_durable.store.base import BlobLost, BlobRefused, Finish, Journal

ENGINE_FOLDERS: Final = tuple(
    str(Path(file).resolve().parent) + os.sep
    for file in (Path(__file__).parent, concurrent.futures.__file__, asyncio.__file__)
)
"""Ours, and those through which our threads and loops pass a user's exception on."""
END_SECONDS: Final = 5.0
"""How long who is left over waits for the thread that writes the end of the run."""
THROW_SECONDS: Final = 0.3
"""How long the end of a stopped run waits until all threads are told: nothing may begin after it."""
COUNTED: Final = frozenset({Kind.FUNCTION, Kind.MAP_ITEM, Kind.REDUCE_STEP})


class Unsaved(NamedTuple):
    """An outcome that the store refused."""

    row: CallRow
    large: BlobRefused | None = None
    """Its value, where that was refused."""


class Run:
    """One run. Make it, execute its root, and it is over."""

    def __init__(self, environment: Environment, lease: Lease, options: RunOptions, code: Code) -> None:
        store, settings = environment.store, environment.settings
        self.id = lease.id
        self.number = lease.run
        self.lease = lease
        self.options = options
        self.settings = settings
        self.workers = environment.workers
        self.serializer = environment.serializer
        self.journal: Journal = store.journal(lease)
        self.sealer = Sealer(lease.id, store, environment.serializer, environment.signer)
        self.open_value = self.sealer.open
        self.now, self.monotonic = settings.clock.now, settings.clock.monotonic
        self.lock = threading.RLock()
        self.identities: Iterator[int] = itertools.count(max(lease.next_identity, ROOT + 1))
        self.open: dict[int, ActiveCall] = {}
        self._planner = Planner(settings, options.retries, code)
        self.plans = self._planner.plans
        self.listeners: list[Listener] = []
        self.stopped: BaseException | None = None
        self.root_call: ActiveCall | None = None
        self.in_hand: Callable[[CallRow, Any], None] | None = None
        """Told of each result that is no plain value while it is there: whoever shows it need not load it again."""
        self.on_end: list[Callable[[], None]] = []
        """Called once when the run has ended, in whichever thread ends it."""
        self.closed = False
        """Nothing begins any more: the end of the run is being written, or is."""
        self.ended = False
        self.outcome = ""
        """The status with which the run has ended, "" before."""
        self._over = threading.Event()
        """Set with `ended`."""
        self._thrown: threading.Event | None = None
        self.main_id = threading.main_thread().ident
        self.thread_id: int | None = threading.get_ident()
        """The thread that does nothing else until the run ends."""
        self.interrupted_by_store = self.must_store_output = False
        self.output: Callable[[Any], Any] = lambda value: value
        self.headers = options.headers
        self.state = StateLog()
        self.reused = self.executed = 0
        self.args_changed = self.not_comparable = self.code_changed = self.file_changed = 0
        self.saved = 0.0
        self.unsaved: list[Unsaved] = []
        """Outcomes that the store refused; they can be committed when there is room again."""
        self.store, self.code = store, code
        self.drift: dict[bytes, bool] = {}
        """Answers of `matching.drifted`, by what ran below."""
        self.files = Files(store.url)
        listen(self)
        self.unread = Unread()
        self.digesting = Digesting(code.as_argument, settings.digest_budget)
        self.notices = Notices(self)
        self.warn = self.notices.warn
        self._pulse = Pulse(self)

    # plans

    def plan(self, spec: Spec) -> Plan:
        """What this run does with a function, whose code is looked at again where it reads data."""
        return self._planner.plan(spec)

    def node_plan(self, spec: Spec) -> Plan:
        """The plan of a map or reduce over a function."""
        return self._planner.bare(("node", spec), spec.name, spec.is_async)

    def value_plan(self, name: str) -> Plan:
        """The plan of a recorded value."""
        return self._planner.bare(("value", name), name, False)

    def threads_of(self, plan: Plan) -> ThreadExecutor:
        """The worker threads for a function: the shared ones, or its own where it has `max_concurrency`."""
        if plan.max_concurrency is None:
            return self.workers.threads
        return self.workers.limited_to(plan.name, plan.max_concurrency)

    # the root

    def root(self, spec: Spec | None, name: str, kind: str, recorded: CallRow | None) -> ActiveCall:
        """The root call, to be driven (an application) or entered (a cell)."""
        plan = self.plan(spec) if spec is not None else self._planner.bare(("root", name), name, False)
        call = ActiveCall(None, self, spec, kind, plan, (self.number << 16, 0, b"", plan.flags))
        self.root_call = call
        call.row = recorded
        call.identity = ROOT
        if recorded is not None and recorded.status in (Status.RUNNING, Status.INTERRUPTED):
            call.attempts = attempts_of(self, recorded)
        self._pulse.start()
        return call

    def enter_root(self, root: ActiveCall) -> None:
        """A cell's body is the root: it is open from now until `finish`."""
        root.attempts += 1
        root.started_at, root.started = self.now(), self.monotonic()
        root.turn_started = root.started
        root.thread_id = self.thread_id = threading.get_ident()
        if root.thread_id != self.main_id:
            root.visit = Visit()
        self.open[ROOT] = root

    # counting and state

    def count_reused(self, row: CallRow, flags: int) -> None:
        """A call was served."""
        if row.kind in COUNTED:
            with self.lock:
                self.reused += 1
                self.saved += row.duration or 0.0
                if flags:
                    self.not_comparable += bool(flags & Flag.NOT_COMPARABLE)
                    self.args_changed += bool(flags & Flag.ARGS_CHANGED) and not flags & Flag.NOT_COMPARABLE
                    self.code_changed += bool(flags & Flag.CODE_CHANGED)
                    self.file_changed += bool(flags & Flag.FILE_CHANGED)

    def count_executed(self, call: CallRecord) -> None:
        """A call has executed and ended."""
        if call.kind in COUNTED and call.parent is not None:
            with self.lock:
                self.executed += 1

    def apply_writes(self, parent: ActiveCall, row: CallRow) -> None:
        """What the subtree of a reused call wrote into the state is there again."""
        for key, value in self.sealer.written(row).items():
            parent.set_state(key, value)

    def merge_writes(self, parent: ActiveCall, writes: Mapping[str, tuple[int, Any]]) -> None:
        """What a call wrote belongs to its caller too, once the call has ended."""
        with self.lock:
            own = parent.writes if parent.writes is not None else {}
            parent.writes = own
            for key, (stamp, value) in writes.items():
                if key not in own or own[key][0] < stamp:
                    own[key] = (stamp, value)

    def pack_writes(self, call: CallRecord) -> bytes:
        """The state writes of a call's subtree."""
        return self.sealer.pack({key: value for key, (_, value) in (call.writes or {}).items()})

    def pack_inputs(self, call: CallRecord) -> bytes | None:
        """The arguments of a call."""
        if not self.settings.input_bytes or call.kind not in COUNTED:
            return None
        return self.sealer.pack_inputs(call.args, call.kwargs, self.settings.input_bytes)

    # writing

    def record(self, row: CallRow, writes: Sequence[Write] = ()) -> None:
        """Commit an outcome; a store that refuses it stops the run."""
        try:
            self.journal.record(row, writes)
        except StoreError as error:
            self._keep(row, error)
            self.stop(error)
            raise RunStopped(error) from None

    def _keep(self, row: CallRow, error: BaseException) -> None:
        """Keep an outcome that was refused, except one whose large value is gone."""
        if not isinstance(error, BlobLost):
            self.unsaved.append(Unsaved(row))

    def refuse(self, row: CallRow) -> None:
        """Stop where the large value of an outcome was refused; both are kept in memory."""
        refused = self.sealer.refused.pop(row.blob, None) if row.blob is not None else None
        if refused is not None:
            self.unsaved.append(Unsaved(row, refused))
            self.stop(refused.reason)
            if row.identity == ROOT:  # without an outcome of the root, which is to come when there is room
                self.finish(None, Status.INTERRUPTED, refused.reason)
            raise RunStopped(refused.reason)

    def post(self, row: CallRow, done: Callable[[BaseException | None], None], writes: Sequence[Write] = ()) -> None:
        """Hand an outcome over to be committed."""

        def told(error: BaseException | None) -> None:
            if error is not None:
                self._keep(row, error)
            done(error)

        self.journal.post(row, told, writes)

    def later(self, write: Write) -> None:
        """Queue a write for the next commit."""
        self.journal.later(write)

    def later_all(self, writes: Iterable[Write]) -> None:
        """Queue writes for the next commit."""
        for write in writes:
            self.journal.later(write)

    def flush(self) -> None:
        """Make durable what is queued."""
        try:
            self.journal.flush()
        except StoreError as error:
            self.stop(error)
            raise RunStopped(error) from None

    def progressed(
        self, call: CallRecord, current: float, total: float, message: str | None, attributes: Mapping[str, str] | None
    ) -> None:
        """A call reported progress: to the listeners at once, to the store with the pulse."""
        text = masked(json.dumps(dict(attributes))) if attributes else None
        said = masked(message) if message else message
        progress = Progressed(call.identity, current, total, said, text, self.now())
        self._pulse.progress[call.identity] = progress
        for listener in self.listeners:
            listener.progressed(progress)

    def log(self, call: CallRecord, stream: str, text: str) -> None:
        """A call printed."""
        entry = Logged(call.identity, call.pass_no, self.now(), stream, masked(text))
        self._pulse.logs.append(entry)
        for listener in self.listeners:
            listener.logged(entry)

    # waiting

    def sleep(self, seconds: float) -> None:
        """Let time pass; ends early when the run is stopped."""
        end = self.monotonic() + seconds
        event = threading.Event()
        while self.stopped is None and (left := end - self.monotonic()) > 0:
            self.settings.clock.wait(event, min(left, 0.1))

    async def sleep_async(self, seconds: float) -> None:
        """As `sleep`, in the running loop."""
        end = self.monotonic() + seconds
        while self.stopped is None and (left := end - self.monotonic()) > 0:
            await self.settings.clock.sleep(min(left, 0.1))

    def blocked(self) -> contextlib.AbstractContextManager[None]:
        """The slot of the calling thread is free meanwhile."""
        return blocked()

    def open_below(self, call: CallRecord) -> list[ActiveCall]:
        """The calls below `call` that execute now."""
        below = []
        for other in list(self.open.values()):
            above: CallRecord | None = other
            while above is not None and above.depth > call.depth:
                above = above.parent
            if above is call and other is not call:
                below.append(other)
        return below

    # ending

    def stop(self, error: BaseException) -> None:
        """Nothing more may begin; what runs is thrown out of its code where possible. The first reason holds."""
        with self.lock:
            if self.stopped is not None or self.ended:
                return
            self.stopped = error
            self.interrupted_by_store = isinstance(error, StoreError)
        self._thrown = leave_all(self.open)

    def cancel_requested(self) -> bool:
        """Whether somebody asked the store to cancel this request."""
        return self.store.request(self.id).cancel_requested

    def call_text(self, call: CallRecord) -> str:
        """Which call failed, for the note under its traceback."""
        return f"{call.text()}, attempt {call.attempts}, request {self.id}"

    def is_user_frame(self, filename: str) -> bool:
        """Whether a frame of a traceback is the user's, not the engine's."""
        return not filename.startswith(ENGINE_FOLDERS)

    def cancel(self) -> None:
        """Stop because the user said so."""
        self.stop(Cancelled(f"request {self.id} was cancelled; what had succeeded is kept: replay it to go on"))

    def settle_cancelled(self, call: ActiveCall) -> bool:
        """Settle a call that is given up; whether it was still open."""
        if self.open.pop(call.identity, None) is None:
            return False
        call.fenced = True
        call.cut_off(Status.CANCELLED)
        return True

    def finish(
        self, root: CallRow | None, status: str, error: BaseException | None, writes: Sequence[Write] = ()
    ) -> None:
        """End the run: root outcome, status and lease in one transaction."""
        self.closed = True
        self.open.pop(ROOT, None)
        for call in reversed(list(self.open.values())):  # callers after what they called, as ever
            self.settle_cancelled(call)
        self.outcome = status
        self._pulse.stop()
        self.later_all(writes)
        run_status = Status.DIVERGED if isinstance(error, ReplayError) else status
        if run_status == Status.DIVERGED:
            self.later_all(self.sealer.placed([diverged(self.number)]))
        line = _one_line(error) if error is not None else None
        try:
            self.journal.finish(
                Finish(root, status, run_status, line, self.now(), self.executed, self.reused, self.saved)
            )
        except StoreError as failure:
            if root is not None and status == Status.SUCCEEDED and self.root_call and self.root_call.spec is not None:
                self._keep(root, failure)
            self.stop(failure)
            raise RunStopped(failure) from None
        finally:
            self._end()

    def leave_thread(self) -> None:
        """The thread of a cell's body goes on with other things, while the request waits for what was left running."""
        self.thread_id = None
        if self.root_call is not None:
            self.root_call.thread_id = 0

    def _end(self) -> None:
        self.closed = self.ended = True
        for told in self.on_end:
            told()
        self._over.set()

    def end_served(self, finish: Finish) -> None:
        """The root's recorded outcome is served: the run ends without having executed anything."""
        self._pulse.stop()
        try:
            self.journal.finish(finish)
        finally:
            self._end()

    def end_stopped(self, root: ActiveCall, interrupt: BaseException | None) -> DurableError | BaseException:
        """The root was left because the run was stopped or interrupted: settle it; the error to raise."""
        reason = self.stopped
        if reason is None and interrupt is not None:
            with self.lock:
                reason = self.stopped = self.stopped or interrupt
            self._thrown = leave_all(self.open, but=ROOT)  # the root was left already
        assert reason is not None
        status = Status.INTERRUPTED if isinstance(reason, StoreError) else Status.CANCELLED
        if isinstance(reason, ReplayError):
            status = Status.FAILED
        if self._thrown is not None:
            self._thrown.wait(THROW_SECONDS)
        try:
            # Who finds it gone is late: another thread ends the run, unless an interrupt threw it out before it could.
            if self.open.pop(ROOT, None) is not None or not (self._over.wait(END_SECONDS) or self.closed):
                writes = root.close_reached()
                row = root.row_of(
                    Status.CANCELLED if status == Status.CANCELLED else Status.INTERRUPTED,
                    NOTHING,
                    self.monotonic() - root.started,
                )
                self.finish(row, status, reason, writes)
        except RunStopped:
            reason.add_note(f"the end of request {self.id} could not be written; it reads as interrupted")
        except KeyboardInterrupt:  # a second one: the run is over all the same, and reads as interrupted
            if not self.ended:
                self._pulse.stop()
                self._end()
            raise
        return reason


def _one_line(error: BaseException) -> str:
    text = masked(" ".join(str(error).split()))
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return line if len(line) <= 300 else line[:299] + "…"
