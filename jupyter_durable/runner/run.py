"""A run of a request and its calls, as what they are. What drives and settles them, and what user code sees of them,
stands above and works on these.

Rules of this file
- A run is what its calls share. It owns its request through a lease; when the store fails, the lease is lost, the
  request is cancelled or a strict replay diverges, the run stops: `stopped` holds the reason, and every durable call
  raises `RunStopped` from then on.
- A call is in `Run.open` while it executes. Whoever takes it out settles it. It stands there as itself, not by its
  identity: in the next attempt of its caller the same call is another object, while the old one may still run.
- What a run counts and keeps in memory does not grow with the number of calls.
- What is done for every call is written for speed (design section 6): one dict entry, no objects that a leaf does not
  need.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from jupyter_durable.core.model import ROOT, Attempted, CallRow, Kind, Lease, Logged, Write
from jupyter_durable.core.replay import WrongMatch
from jupyter_durable.errors import Cancelled, SDKUsageError, StoreError
from jupyter_durable.executor.thread import ThreadExecutor, blocked
from jupyter_durable.executor.visit import Visit, left
from jupyter_durable.protocols import Scope
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.arguments import Pristine, Unread
from jupyter_durable.runner.body import Body
from jupyter_durable.runner.changes import Watched
from jupyter_durable.runner.countdown import Countdown
from jupyter_durable.runner.counts import Counts
from jupyter_durable.runner.notices import Notices
from jupyter_durable.runner.opened import Files
from jupyter_durable.runner.plan import Plan, Planner
from jupyter_durable.runner.reports import Reports
from jupyter_durable.runner.sealing import Sealer
from jupyter_durable.runner.settings import Code, Environment, Listener, RunOptions
from jupyter_durable.runner.state import StateLog
from jupyter_durable.runner.stop import RunStopped, StartOver, Told, leave_all
from jupyter_durable.runner.traces import Traces
from jupyter_durable.serializer.digesting import Digesting
from jupyter_durable.store.base import BlobLost, BlobRefused, Journal, Settled

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures


class CallRecord:
    """What one call is, which executes in a run."""

    # fmt: off
    __slots__ = (
        "args", "async_depth", "attempts", "bodies", "body", "deadline", "depth", "digest", "durable_mark", "fenced",
        "flags", "handoff", "identity", "inside", "invoke", "kind", "kwargs", "marked", "outcome", "packed", "parent",
        "pass_no", "paused", "plan", "pristine", "result_digest", "row", "run", "seq", "spec", "start_over", "started",
        "started_at", "tail", "task", "thread_id", "traces", "turn_started", "visit", "watched",
    )
    # fmt: on

    started: float
    """Monotonic seconds when the first attempt began."""
    turn_started: float
    """Monotonic seconds when this attempt began."""
    thread_id: int
    """The thread that drives it; where its function is, `visit` says."""

    def __init__(
        self, parent: CallRecord | None, run: Run, spec: Any, kind: str, plan: Plan, place: tuple[int, int, bytes, int]
    ) -> None:
        self.parent = parent
        self.run = run
        self.spec = spec
        self.kind = kind
        self.plan = plan
        self.pass_no, self.seq, self.digest, self.flags = place
        self.row: CallRow | None = None
        """What is recorded of it."""
        self.outcome: CallRow | None = None
        """Its outcome; only reduce steps keep it."""
        self.identity = self.attempts = self.bodies = 0
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.invoke: Callable[..., Any] = plan.fn
        self.body: Body | None = None
        """The running pass through its code; made when the first child begins."""
        self.traces: Traces | None = None
        """What it leaves behind; made when there is something."""
        self.packed: tuple[int, bytes | None] | None = None
        """The kept arguments of the started mark, with the turn they are of."""
        self.deadline: Countdown | None = None
        """The clock of the running attempt."""
        self.paused: Countdown | None = None
        """The clock of the caller, which stands still for this call."""
        self.marked = self.durable_mark = self.fenced = self.tail = False
        """Whether: its started mark is queued; is durable; nothing it does is kept any more; its function has returned
        a tail call, so that what runs now stands in its place, not below it."""
        self.handoff: Callable[[CallRow, Sequence[Write]], None] | None = None
        """Takes its outcome over, where the caller does not wait for the commit of each call."""
        self.start_over: WrongMatch | None = None
        """Why its body is to begin again."""
        self.pristine: Pristine | None = None
        self.result_digest: bytes | None = None
        self.started_at = 0.0
        self.inside: concurrent.futures.Future[None] | None = None
        """Made when it is given up: is done when it has been left, and the next attempt of this call may begin."""
        self.task: asyncio.Task[Any] | None = None
        self.visit: Visit | None = None
        """The stay in its function, where an error may be thrown into that thread."""
        self.watched: Watched | None = None
        if parent is None:
            self.depth, self.async_depth = 0, int(bool(spec is not None and spec.is_async))
        else:
            self.depth = parent.depth + 1
            self.async_depth = parent.async_depth + (spec.is_async if kind != Kind.VALUE else 0)

    def take_out(self) -> bool:
        """It executes no longer; whether it did until now. Who is told so settles it."""
        if self.plan.is_async and (parent := self.parent) is not None and parent.body is not None:
            parent.body.coroutines.discard(self)
        return self.run.open.pop(self, self) is None

    def give_up(self) -> bool:
        """Take it out, while its code may go on: until that has ended no other attempt of it begins."""
        run = self.run
        with run.lock:
            if self not in run.open:
                return False
            self.fenced = True
            self.inside = run.workers.remember((run.id, self.identity), None, self.task)
            if self.take_out():
                return True
        self.left()  # it has just ended
        return False

    def left(self) -> None:
        """Nothing of it runs any more."""
        with self.run.lock:
            inside, self.inside = self.inside, None
        if inside is not None:
            inside.set_result(None)

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

    def leave_traces(self) -> Traces:
        """What it leaves behind; several threads may find at once that there is something."""
        with self.run.lock:
            if self.traces is None:
                self.traces = Traces(self.run.lock)
            return self.traces

    def write_state(self, key: str, value: Any) -> None:
        """Write a state value of the request, which belongs to this call."""
        self.check()
        run = self.run
        with left(self.visit), run.lock:  # calls below add theirs from other threads
            stamp = run.state.write(key, value)
            self.leave_traces().writes[key] = (stamp, value)

    @property
    def cancelled(self) -> bool:
        """Whether this call should stop."""
        return self.fenced or self.run.stopped is not None

    def check(self) -> None:
        """Raises when the request was cancelled or the attempt was given up."""
        if self.start_over is not None:
            raise StartOver
        if self.run.closed and self.run.stopped is None:
            raise SDKUsageError(
                f"request {self.run.id} has ended; a durable call made in {self.name} came too late. "
                "Wait for your threads inside the function that starts them."
            )
        if self.fenced:
            raise Cancelled(
                f"{self.text()}: this attempt has ended or was given up; nothing that is done in it is kept any more. "
                "Wait for your threads and tasks inside the function that starts them"
            )
        if self.run.stopped is not None:
            raise RunStopped(self.run.stopped)

    @property
    def forked(self) -> bool:
        """Whether this is a copy of it, in a process that its code made by `os.fork`: nothing here is to be settled."""
        return os.getpid() != self.run.process_id

    def refuse(self) -> NoReturn:
        """Raises, because no attempt of this call may begin or go on."""
        if self.run.stopped is not None:
            raise RunStopped(self.run.stopped)
        self.check()
        raise Cancelled(f"{self.text()}: the attempt that began it is over; it is not executed")

    @contextlib.contextmanager
    def blocked(self) -> Iterator[None]:
        """While the calling thread waits for durable calls: its slot is free, the clock stands still."""
        clock = self.deadline
        if clock is not None:
            clock.pause()
        try:
            with blocked():
                yield
        finally:
            if clock is not None:
                clock.resume()


class Unsaved(NamedTuple):
    """An outcome that the store refused."""

    row: CallRow
    large: BlobRefused | None = None
    """Its value, where that was refused."""


class Run:
    """What the calls of one run share. Made by `start.new_run`, which says what user code sees of a call."""

    def __init__(
        self,
        environment: Environment,
        lease: Lease,
        options: RunOptions,
        code: Code,
        scope_of: Callable[[CallRecord], Scope],
    ) -> None:
        store, settings = environment.store, environment.settings
        self.id, self.number, self.lease = lease.id, lease.run, lease
        self.options, self.settings = options, settings
        self.workers, self.serializer = environment.workers, environment.serializer
        self.store, self.scope_of = store, scope_of
        self.journal: Journal = store.journal(lease)
        self.sealer = Sealer(lease.id, store, environment.serializer, environment.signer)
        self.open_value = self.sealer.open
        self.now, self.monotonic = settings.clock.now, settings.clock.monotonic
        self.lock = threading.RLock()
        self.identities: Iterator[int] = itertools.count(max(lease.next_identity, ROOT + 1))
        self.open: dict[CallRecord, None] = {}
        self.planner = Planner(settings, options.retries, code)
        self.plans = self.planner.plans
        self.listeners: list[Listener] = []
        self.root_call: CallRecord | None = None
        self.root_scope: Scope | None = None
        """What the code that runs directly in the root sees, where that is a cell or a script."""
        self.in_hand: Callable[[CallRow, Any], None] | None = None
        """Told of each result that is no plain value while it is there: whoever shows it need not load it again."""
        self.on_end: list[Callable[[], None]] = []
        """Called once when the run has ended, in whichever thread ends it."""
        self.on_attempt: list[Callable[[Attempted], None]] = []
        """Told of each attempt that failed and is followed by another one, in the thread where that happens."""
        self.stopped: BaseException | None = None
        self.closed = False
        """Nothing begins any more: the end of the run is being written, or is."""
        self.ended = False
        self.outcome = self.error = ""
        """The status with which the run has ended, "" before; and why, in one line, where that is an error."""
        self.over = threading.Event()
        """Set with `ended`."""
        self.told: Told | None = None
        """Whether all that executes knows that the run is stopped; there as soon as it is."""
        self.process_id = os.getpid()
        self.main_id = threading.main_thread().ident
        self.thread_id: int | None = threading.get_ident()
        """The thread that does nothing else until the run ends."""
        self.output: Callable[[Any], Any] | None = None
        """Makes of what the root returns what has to be stored, where it may not go on without."""
        self.state = StateLog()
        self.counts = Counts(self.lock)
        self.reports = Reports(self.later, self._logged, self.now)
        self.unsaved: list[Unsaved] = []
        """Outcomes that the store refused; they can be committed when there is room again."""
        self.files = Files(store.url)
        self.unread = Unread()
        self.digesting = Digesting(code.as_argument, settings.digest_budget, read_by=code.read_by)
        self.notices = Notices(
            settings.warn, self._recorded, self.sealer, self.digesting, by_place=options.match_by_place
        )
        self.warn = self.notices.warn

    def threads_of(self, plan: Plan) -> ThreadExecutor:
        """The worker threads for a function: the shared ones, or its own where it has `max_concurrency`."""
        if plan.max_concurrency is None:
            return self.workers.threads
        return self.workers.limited_to(plan.name, plan.max_concurrency)

    def _recorded(self, caller: int, identity: int) -> CallRow | None:
        return self.store.call(self.lease.serial, caller, identity)

    def _logged(self, log: Logged) -> None:
        for listener in self.listeners:
            listener.logged(log)

    # writing

    def record(self, row: CallRow, writes: Sequence[Write] = (), *, begins: CallRecord | None = None) -> None:
        """Commit an outcome; a store that refuses it stops the run. Of a call that `begins`: its started mark."""
        try:
            self.journal.record(row, writes)
        except StoreError as error:
            if isinstance(error, Settled) and begins is not None and begins not in self.open:
                begins.refuse()  # it was given up meanwhile
            self.keep_unsaved(row, error)
            self.stop(error)
            raise RunStopped(error) from None

    def keep_unsaved(self, row: CallRow, error: BaseException) -> None:
        """Keep an outcome that was refused, except one whose large value is gone."""
        if not isinstance(error, BlobLost):
            self.unsaved.append(Unsaved(row))

    def post(self, row: CallRow, done: Callable[[BaseException | None], None], writes: Sequence[Write] = ()) -> None:
        """Hand an outcome over to be committed."""

        def told(error: BaseException | None) -> None:
            if error is not None:
                self.keep_unsaved(row, error)
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

    # stopping

    def stop(self, error: BaseException) -> None:
        """Nothing more may begin; what runs is thrown out of its code where possible. The first reason holds."""
        with self.lock:
            if self.stopped is not None or self.ended:
                return
            told = self.told = Told()
            self.stopped = error
        leave_all(self.open, told)

    def cancel(self) -> None:
        """Stop because the user said so."""
        self.stop(Cancelled(f"request {self.id} was cancelled; what had succeeded is kept: replay it to go on"))

    def cancel_requested(self) -> bool:
        """Whether somebody asked the store to cancel this request."""
        return self.store.request(self.id).cancel_requested

    def leave_thread(self) -> None:
        """The thread of a cell's body goes on with other things, while the request waits for what was left running."""
        self.thread_id = None
        if self.root_call is not None:
            self.root_call.thread_id = 0
