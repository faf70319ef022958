"""One function call of a run, from its first attempt to its outcome.

Rules of this file
- A call is settled once: whoever takes it out of `run.open` settles it. Everyone else who comes too late gets
  `Cancelled` (a thread that was given up) or nothing (the run has ended).
- Order of a success: children have ended, result encoded and verified, blob, one commit, then the value goes on.
- The started mark of a call is written when its first child begins (in the same commit at the latest), by the pulse of
  the run, or, when it must be durable before the function runs, by a commit of its own.
- What is done for every call is written for speed (design section 6): one dict entry, no objects that a leaf does not
  need. A `Body` is made when the first child begins.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import copy
import random
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

from jupyter_durable.context import DEFERRED, MapOptions, Scope, current, drive, drive_async
from jupyter_durable.core.deadline import Deadline
from jupyter_durable.core.model import (
    ArgumentsDecide,
    Attempted,
    CallRow,
    Flag,
    Kind,
    Metric,
    Status,
    Write,
    pack_codes,
    unpack_codes,
)
from jupyter_durable.core.replay import WrongMatch, carried, reusable
from jupyter_durable.core.retry import decide
from jupyter_durable.errors import Cancelled, SDKUsageError, SerializationError, StoreError
from jupyter_durable.executor.thread import blocked
from jupyter_durable.future import Future, in_copied_context, refuse_nested, settled, settled_async
from jupyter_durable.runner import collection, waiting
from jupyter_durable.runner.body import Body
from jupyter_durable.runner.changes import Watched, watch
from jupyter_durable.runner.sealing import NOTHING, Kept
from jupyter_durable.runner.stop import RunStopped, StartOver
from jupyter_durable.serializer.canonical import FLAT
from jupyter_durable.serializer.digest import args_digest, value_digest
from jupyter_durable.serializer.dual import as_function_error
from jupyter_durable.serializer.failure import encode_failure

if TYPE_CHECKING:
    from jupyter_durable.function import Spec
    from jupyter_durable.runner.run import Plan, Run
    from jupyter_durable.values import Headers

STACK_CALLS: Final = 60
"""So many durable calls deep, a call moves to a fresh stack: Python allows about 1,000 frames in one."""
UNWRAPPED: Final = (KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit, RunStopped, StartOver)


class Served:
    """A call that was served from its checkpoint."""

    __slots__ = ("value",)

    reused: Final = True

    def __init__(self, value: Any) -> None:
        self.value = value


class ActiveCall:
    """A call that executes in this run: `Execution` to whoever drives it, `Scope` to the code that runs in it."""

    __slots__ = (
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
        "flags",
        "handoff",
        "identity",
        "invoke",
        "kind",
        "kwargs",
        "marked",
        "parent",
        "pass_no",
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
        "task",
        "thread_id",
        "turn_started",
        "watched",
        "writes",
    )

    reused: Final = False
    value: Final = None

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
        self.identity = 0
        self.attempts = 0
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.invoke: Callable[..., Any] = plan.fn
        self.body: Body | None = None
        self.bodies = 0
        self.writes: dict[str, tuple[int, Any]] | None = None
        self.below: dict[str, bytes] | None = None
        self.deadline: Deadline | None = None
        self.marked = self.durable_mark = self.fenced = False
        self.handoff: Callable[[BaseException | None], None] | None = None
        self.start_over: WrongMatch | None = None
        self.pristine: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self.result_digest: bytes | None = None
        self.started_at = 0.0
        self.task: asyncio.Task[Any] | None = None
        self.watched: Watched | None = None
        if parent is None:
            self.depth, self.async_depth = 0, int(bool(spec is not None and spec.is_async))
        else:
            self.depth = parent.depth + 1
            self.async_depth = parent.async_depth + (spec.is_async if kind != Kind.VALUE else 0)

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.plan.name

    def text(self) -> str:
        """Which call this is, for messages."""
        return f"{self.name} (call {self.seq} of {self.parent.name})" if self.parent is not None else self.name

    # beginning

    def begin(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], seq: int | None = None) -> Any:
        """Begin a call of `spec` in this body: serve it from its checkpoint, or return what is to be driven."""
        run = self.run
        if run.stopped is not None or self.fenced or run.ended:
            self.check()
        if spec.owner is not None:
            args = spec.bind(args)
        for value in args:
            if isinstance(value, DEFERRED):
                args = tuple(settled(args, self))
                break
        if kwargs:
            kwargs = dict(zip(kwargs, settled(list(kwargs.values()), self), strict=True))
        digest, weak = args_digest(spec.params, args, kwargs)
        if weak:
            refuse_nested(spec.name, [*args, *kwargs.values()])
        plan = run.plans.get(spec) or run.plan(spec)
        body = self.body or self.open_body()
        with body.lock:
            if seq is None:
                seq = body.next_seq
                body.next_seq = seq + 1
            row = None
            if body.matcher is not None:
                row, changed = run.match(self, body, (seq, Kind.FUNCTION, plan.name, digest))
                if row is not None and plan.durable and reusable(row):
                    if not changed or run.options.reuse_changed:
                        return self.serve(body, row, seq, plan, changed)
                    row = row._replace(flags=row.flags | Flag.TAKEN_OVER)
                # What was served so far is known at the latest with the outcome of what executes after it: a wrong
                # match of a pass that is killed is found through these.
                run.later_all(body.matcher.take_reached())
        call = ActiveCall(self, run, spec, Kind.FUNCTION, plan, (body.pass_no, seq, digest, plan.flags | weak))
        call.enter(row, args, kwargs)
        return call

    def serve(self, body: Body, row: CallRow, seq: int, plan: Plan, changed: bool, *, opened: bool = True) -> Served:
        """The recorded outcome of a call at `seq`, its value only if `opened`. The body's lock is held."""
        run = self.run
        flags = (Flag.ARGS_CHANGED if changed else 0) | (Flag.CODE_CHANGED if run.drifted(row, plan) else 0)
        body.matcher.reuse(seq, row, flags)  # type: ignore[union-attr]
        self._called(row.name, row.code, row.below)
        value = run.open_value(row) if opened else None
        run.count_reused(row, flags)
        if row.writes is not None:
            run.apply_writes(self, row)
        for listener in run.listeners:
            listener.reused(row, seq, body.pass_no, flags)
        return Served(value)

    def enter(self, row: CallRow | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Take an identity, the recorded one where there is one, and decide where the function runs."""
        run, parent, plan = self.run, self.parent, self.plan
        self.args = args
        self.kwargs = kwargs
        if args or kwargs:
            self.watched = watch(self.spec.params, args, kwargs)
        if row is None:
            self.identity = next(run.identities)
        else:
            self.row = row
            self.identity = row.identity
            self.flags |= carried(row.flags)
            if row.status in (Status.RUNNING, Status.INTERRUPTED):
                self.attempts = row.attempts  # an interrupted attempt counts, a final failure has a fresh budget
        if parent is not None and not parent.marked:
            parent.mark()
        if plan.threaded:
            self.invoke = waiting.invoker(self)
        elif self.depth % STACK_CALLS == STACK_CALLS - 1 and not plan.is_async:
            self.invoke = self._on_fresh_stack

    def open_body(self) -> Body:
        """Begin a pass through the code of this call."""
        run = self.run
        with run.lock:
            if self.body is None:
                recorded = self.row is not None or self.bodies > 0
                if self.bodies:
                    run.flush()  # what the passes before left is read back
                self.body = run.new_body(self, self.bodies, recorded)
                self.bodies += 1
            return self.body

    def _on_fresh_stack(self, *args: Any, **kwargs: Any) -> Any:
        return waiting.on_fresh_stack(self, lambda: self.plan.fn(*args, **kwargs))

    # driving

    def attempt(self) -> contextvars.Token[Scope | None]:
        """Start an attempt."""
        run = self.run
        self.attempts += 1
        self.turn_started = run.monotonic()
        if not self.started_at:
            self.started_at = run.now()
            self.started = self.turn_started
        self.thread_id = threading.get_ident()
        if self.plan.is_async:
            self.task = asyncio.current_task()
        retries = self.plan.retries
        if retries:
            self.marked = True  # before the pulse sees the call: this mark is committed here
        run.open[self.identity] = self
        if retries:
            self._prepare_retries()
        if self.parent is not None and self.parent.deadline is not None:
            self.parent.deadline = self.parent.deadline.paused(self.turn_started)
        for listener in run.listeners:
            if listener.hears_starts:  # making the row costs as much as the rest of a call
                listener.started(self.row_of(Status.RUNNING))
        return current.set(self)

    def _prepare_retries(self) -> None:
        """The budget must survive a kill, and each further attempt gets arguments as they were."""
        self._mark_durably()
        if self.pristine is None:
            if FLAT.issuperset(map(type, self.args)) and not self.kwargs:
                self.pristine = (self.args, self.kwargs)  # nobody can change them, and a deep copy costs 20 us here
                return
            try:
                self.pristine = copy.deepcopy((self.args, self.kwargs))
            except Exception as error:  # noqa: BLE001 - __deepcopy__ of the user's objects was called
                self.run.warn(
                    f"{self.name}: its arguments cannot be copied ({type(error).__name__}: {error}); "
                    "a retry gets the objects as the failed attempt left them"
                )
                self.pristine = (self.args, self.kwargs)
        elif self.attempts > 1:
            with contextlib.suppress(TypeError):
                self.args, self.kwargs = copy.deepcopy(self.pristine)

    def _leave(self) -> None:
        """The function has ended: the clock of the caller runs again."""
        parent = self.parent
        if parent is not None and parent.deadline is not None:
            parent.deadline = parent.deadline.resumed(self.run.monotonic())

    def resolve(self, value: Any) -> Any:
        """The result of a tail call."""
        if isinstance(value, Future) and value.started:
            raise SDKUsageError(f"{self.name} returned a running Future; return its .result(), or do not start it")
        return settled([value], self)[0]

    async def resolve_async(self, value: Any) -> Any:
        """As `resolve`, in the running loop."""
        if isinstance(value, Future) and value.started:
            raise SDKUsageError(f"{self.name} returned a Future that is running; await it, or do not start it")
        return (await settled_async([value]))[0]

    def succeed(self, value: Any) -> Any:
        """Settle as succeeded; returns the value once it is durable (for map items: once it is handed over)."""
        if self.start_over is not None:
            self.fail(StartOver())
            return drive(self)
        if self.body is not None:
            waiting.for_children(self)
        row, writes = self.completed(value)
        run = self.run
        if self.parent is None:
            run.finish(row, Status.SUCCEEDED, None, writes)
        elif self.handoff is not None:
            run.post(row, self.handoff, writes)
        else:
            run.record(row, writes)
        self.ended(row)
        return value

    async def succeed_async(self, value: Any) -> Any:
        """As `succeed`; while a group commits the loop goes on."""
        if self.start_over is not None:
            self.fail(StartOver())
            return await drive_async(self)
        await waiting.for_children_async(self)
        row, writes = self.completed(value)
        run = self.run
        if self.parent is None:
            run.finish(row, Status.SUCCEEDED, None, writes)
        elif run.journal.alone():
            run.record(row, writes)
        else:
            loop = asyncio.get_running_loop()
            durable: asyncio.Future[BaseException | None] = loop.create_future()
            run.post(row, lambda error: _set_soon(loop, durable, error), writes)
            error = await durable
            if error is not None:
                run.stop(error)
                raise RunStopped
        self.ended(row)
        return value

    def completed(self, value: Any) -> tuple[CallRow, Sequence[Write]]:
        """The row of a success, with what has to commit together with it."""
        self._leave()
        writes = self.close_body()
        run = self.run
        if self.watched is not None:
            self._warn_of_changes(self.watched.changed(value))
        kept = self._keep(value)
        if self.kind == Kind.REDUCE_STEP:
            self.result_digest = value_digest(value)[0]
        self._take_out()
        return self.row_of(Status.SUCCEEDED, kept, run.monotonic() - self.started), writes

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
            return run.sealer.keep(value, self.identity, self.pass_no * 4096 + self.attempts)
        except SerializationError as error:
            if self.parent is None and run.must_store_output:
                raise
            self.flags |= Flag.NOT_STORED
            run.warn(
                f"{self.name}: completed, not checkpointed. {error} "
                "The value goes on; on replay only this call runs again."
            )
            return NOTHING

    def close_body(self) -> list[Write]:
        """The body has ended: its stretches of reused calls, to be committed with the outcome."""
        body = self.body
        if body is None:
            return []
        if body.strict is not None:
            self.run.end_strict(body)
        return list(body.take_reached())

    def close_reached(self) -> list[Write]:
        """The stretches of reused calls of a body that was cut off."""
        return list(self.body.take_reached()) if self.body is not None else []

    def _take_out(self) -> None:
        if self.run.open.pop(self.identity, None) is None:
            raise Cancelled(f"{self.text()}: this attempt is no longer the current one; its result is not kept")

    def ended(self, row: CallRow) -> None:
        """The outcome is durable."""
        run, parent = self.run, self.parent
        if parent is not None:
            parent._called(row.name, row.code, row.below)
            if self.writes:
                run.merge_writes(parent, self.writes)
            if self.row is not None and self.row.flags & Flag.SET_ASIDE and parent.body is not None:
                with parent.body.lock:
                    if parent.body.matcher is not None:
                        parent.body.matcher.ended(self.row)
        run.count_executed(self)
        for listener in run.listeners:
            listener.settled(row)

    def _called(self, name: str, code: bytes, below: bytes | None) -> None:
        """Remember the code that ran below this call."""
        known = self.below
        if known is None:
            known = self.below = {}
        if code:
            known[name] = code
        if below is not None:
            known.update(unpack_codes(below))

    def fail(self, error: BaseException) -> float:
        """Settle the attempt as failed: the delay before the next one in seconds; raises when there is none."""
        __tracebackhide__ = True
        run = self.run
        if self.start_over is not None and not isinstance(error, RunStopped):
            self._begin_again()
            return 0.0
        if isinstance(error, StoreError):
            run.stop(error)
            error = RunStopped()
        if isinstance(error, UNWRAPPED):
            self._interrupted(error)
        waiting.settle_children(self)
        delay = decide(self.plan.policy, self.attempts, error, random.random())
        if delay is not None and run.stopped is None:
            self._record_attempt(error)
            return delay
        self._failed(error)

    def _failed(self, error: BaseException) -> NoReturn:
        """Record the final failure and raise it as the caller gets it."""
        __tracebackhide__ = True
        run = self.run
        self._leave()
        writes = self.close_body()
        self._take_out()
        kept = self._keep_failure(error)
        row = self.row_of(Status.FAILED, kept, run.monotonic() - self.started)
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
        return self.run.sealer.keep(
            encode_failure(error, self.run.is_user_frame), self.identity, self.pass_no * 4096 + self.attempts
        )

    def _interrupted(self, error: BaseException) -> NoReturn:
        """The call was cut off: it executes again on replay. What it started is given up."""
        __tracebackhide__ = True
        run = self.run
        self.fenced = True
        self._leave()
        waiting.abandon_children(self)
        if self.parent is not None and run.open.pop(self.identity, None) is not None:
            status = Status.INTERRUPTED if run.interrupted_by_store else Status.CANCELLED
            run.later(self.row_of(status, NOTHING, run.monotonic() - self.started))
            run.later_all(self.close_reached())
        raise error

    def _begin_again(self) -> None:
        """A match by place was wrong: arguments decide, and the body starts over. Not an attempt."""
        run, wrong, body = self.run, self.start_over, self.body
        waiting.settle_children(self)
        if wrong is not None and body is not None:
            run.later_all(body.take_reached())
            run.later(ArgumentsDecide(self.identity, wrong.name, body.pass_no))
        self.start_over = None
        self.body = None
        self.attempts -= 1
        self._drop_writes()

    def _record_attempt(self, error: BaseException) -> None:
        run, body = self.run, self.body
        if body is not None:
            run.later_all(body.take_reached())
        run.later(
            Attempted(
                self.identity,
                self.pass_no,
                self.attempts,
                run.now() - (run.monotonic() - self.turn_started),
                run.monotonic() - self.turn_started,
                run.serializer.encode(encode_failure(error, run.is_user_frame)).head,
            )
        )
        self.body = None
        self._drop_writes()

    def _drop_writes(self) -> None:
        if self.writes:
            self.run.state.drop(self.writes)
            self.writes = None

    def pause(self, delay: float) -> None:
        """Wait for the next attempt."""
        if delay > 0:
            with self.blocked():
                self.run.sleep(delay)
        self.check()

    async def pause_async(self, delay: float) -> None:
        """As `pause`, in the running loop."""
        await self.run.sleep_async(delay)
        self.check()

    # rows

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

    def row_of(self, status: str, kept: Kept = NOTHING, duration: float | None = None) -> CallRow:
        """This call as a row."""
        run, plan, parent, body = self.run, self.plan, self.parent, self.body
        turn = self.pass_no * 4096 + self.attempts
        codec, value, blob, mac = kept
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
            mac,
            run.seal_inputs(self, turn),
            run.seal_writes(self, turn) if self.writes and status == Status.SUCCEEDED else None,
            None if duration is None else body.next_seq if body is not None else 0,
            self.result_digest,
            pack_codes(self.below) if self.below and status == Status.SUCCEEDED else None,
        )
        return tuple.__new__(CallRow, columns)  # its own constructor is a Python function of 22 parameters

    # what user code asks of its call (Scope)

    @property
    def request_id(self) -> str:
        """Id of the request."""
        return self.run.id

    @property
    def attempt_number(self) -> int:
        """Number of this attempt, from 1."""
        return max(1, self.attempts)

    @property
    def is_replay(self) -> bool:
        """Whether this run is a replay."""
        return self.run.number > 1

    @property
    def cancelled(self) -> bool:
        """Whether this call should stop."""
        return self.fenced or self.run.stopped is not None

    @property
    def headers(self) -> Headers:
        """Headers of the request."""
        return self.run.headers

    def check(self) -> None:
        """Raises when the request was cancelled or the attempt was given up."""
        if self.start_over is not None:
            raise StartOver
        if self.fenced:
            raise Cancelled(f"{self.text()}: this attempt was given up; nothing it does is kept any more")
        if self.run.stopped is not None:
            raise RunStopped
        if self.run.ended:
            raise SDKUsageError(
                f"request {self.run.id} has ended; a durable call made in {self.name} came too late. "
                "Wait for your threads inside the function that starts them."
            )

    def reserve(self) -> int:
        """Keep a place in this body."""
        self.check()
        body = self.body or self.open_body()
        with body.lock:
            seq = body.next_seq
            body.next_seq = seq + 1
        return seq

    def map(self, spec: Spec, items: Iterable[Any], options: MapOptions, seq: int | None = None) -> list[Any]:
        """Call `spec` for each item."""
        return collection.run_map(self, spec, items, options, seq)

    def map_async(
        self, spec: Spec, items: Iterable[Any], options: MapOptions, seq: int | None = None
    ) -> Coroutine[Any, Any, list[Any]]:
        """As `map`, for async functions, in the running loop."""
        return collection.run_map_async(self, spec, items, options, seq)

    def reduce(self, spec: Spec, items: Iterable[Any], initial: tuple[Any, ...], seq: int | None = None) -> Any:
        """Fold the items."""
        return collection.run_reduce(self, spec, items, initial, seq)

    def reduce_async(
        self, spec: Spec, items: Iterable[Any], initial: tuple[Any, ...], seq: int | None = None
    ) -> Coroutine[Any, Any, Any]:
        """As `reduce`, for async functions."""
        return collection.run_reduce_async(self, spec, items, initial, seq)

    def recorded(self, name: str, make: Callable[[], Any]) -> Any:
        """A value that is made once and recorded: the time, a random number."""
        return collection.recorded_value(self, name, make)

    def spawn(
        self, body: Callable[[], Any], is_async: bool, *, blocking: bool = False
    ) -> concurrent.futures.Future[Any]:
        """Run `body` beside this one; this call ends only when it has ended."""
        self.check()
        own = self.body or self.open_body()
        future = waiting.start(self, in_copied_context(body) if not is_async else body, is_async, blocking=blocking)
        own.spawned.append(future)
        return future

    @contextlib.contextmanager
    def blocked(self) -> Iterator[None]:
        """While the calling thread waits for durable calls: its slot is free, the clock stands still."""
        run = self.run
        if self.deadline is not None:
            self.deadline = self.deadline.paused(run.monotonic())
        try:
            with blocked():
                yield
        finally:
            if self.deadline is not None:
                self.deadline = self.deadline.resumed(run.monotonic())

    def idempotency_key(self) -> str:
        """Stable for this call: its identity is made durable before the key is handed out."""
        if not self.durable_mark:
            self._mark_durably()
        return f"{self.run.id}-{self.identity}"

    def set_state(self, key: str, value: Any) -> None:
        """Write a state value; it belongs to this call."""
        self.check()
        stamp = self.run.state.write(key, value)
        if self.writes is None:
            self.writes = {}
        self.writes[key] = (stamp, value)

    def get_state(self, key: str, default: Any) -> Any:
        """The newest value of a key in this run."""
        return self.run.state.read(key, default)

    def report_progress(
        self, current: float, total: float, message: str | None, attributes: Mapping[str, str] | None
    ) -> None:
        """Report progress; the timeout begins anew."""
        self.check()
        if self.deadline is not None:
            self.deadline = self.deadline.progressed(self.run.monotonic())
        self.run.progressed(self, current, total, message, attributes)

    def measure(self, kind: str, name: str, value: float) -> None:
        """Record a metric."""
        self.run.later(Metric(self.identity, kind, name, value))

    def log(self, stream: str, text: str) -> None:
        """Keep what this call printed."""
        self.run.log(self, stream, text)


def _set_soon(
    loop: asyncio.AbstractEventLoop, durable: asyncio.Future[BaseException | None], error: BaseException | None
) -> None:
    def settle() -> None:
        if not durable.done():
            durable.set_result(error)

    loop.call_soon_threadsafe(settle)


__all__ = ["ActiveCall", "Served"]
