"""What user code sees of the call it runs in (`context.Scope`), and all that it begins there.

Rules of this file
- A `Scope` holds its call and nothing else: each attempt has one, and they are all the same.
- While the code of a call is in ours, nothing is thrown into its thread (`executor/visit.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_durable.code.credentials import masked, masked_field
from jupyter_durable.context import Deferred
from jupyter_durable.core.model import Flag, Kind, Metric, Progressed
from jupyter_durable.core.replay import WrongMatch, drift_of, reusable
from jupyter_durable.core.strict import Divergence
from jupyter_durable.coroutine import DurableCoroutine
from jupyter_durable.errors import Cancelled
from jupyter_durable.executor.visit import Visit, left
from jupyter_durable.future import in_copied_context, refuse_nested, settled
from jupyter_durable.loops import cancellation
from jupyter_durable.protocols import MapOptions, Scope
from jupyter_durable.runner import mapping, nodes, reducing, waiting
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.children import start
from jupyter_durable.runner.lending import Holder
from jupyter_durable.runner.matching import mismatched, open_body, refused
from jupyter_durable.runner.rows import mark_durably
from jupyter_durable.runner.run import CallRecord
from jupyter_durable.runner.serving import serve
from jupyter_durable.runner.stop import AttemptGivenUp, RunStopped
from jupyter_durable.serializer.digest import args_digest
from jupyter_durable.spec import Spec

if TYPE_CHECKING:
    import concurrent.futures

    from jupyter_durable.values import Headers


class CallScope:
    """The running call, seen from inside."""

    __slots__ = ("__weakref__", "_call")

    def __init__(self, call: CallRecord) -> None:
        self._call = call

    @property
    def visit(self) -> Visit | None:
        """The stay in its function, where an error may be thrown into that thread."""
        return self._call.visit

    @property
    def call(self) -> CallRecord:
        """The call itself."""
        return self._call

    @property
    def identity(self) -> int:
        """Identity of the call in its request."""
        return self._call.identity

    @property
    def ended(self) -> bool:
        """Whether the call has its outcome."""
        call = self._call
        return call not in call.run.open

    @property
    def described(self) -> str:
        """Which call this is."""
        return self._call.text()

    @property
    def request_id(self) -> str:
        """Id of the request."""
        return self._call.run.id

    @property
    def attempt_number(self) -> int:
        """Number of this attempt, from 1."""
        return max(1, self._call.attempts)

    @property
    def is_replay(self) -> bool:
        """Whether this run is a replay."""
        return self._call.run.number > 1

    @property
    def cancelled(self) -> bool:
        """Whether this call should stop."""
        return self._call.cancelled

    @property
    def headers(self) -> Headers:
        """Headers of the request."""
        from jupyter_durable import values

        return self._call.run.options.headers or values.Headers()

    def seen_from(self, here: Scope | None, error: BaseException) -> BaseException:
        """What a call below was left with, as code sees it whose running call is `here`.

        What leaves the code of a run is nothing for code that goes on after it, or in another one.
        """
        run = self._call.run
        if not isinstance(error, (RunStopped, AttemptGivenUp, *cancellation())):
            return error
        if not run.ended and (here is None or here.request_id == run.id):
            return error
        reason = error.args[0] if error.args else None
        if isinstance(reason, Exception):
            return reason
        return Cancelled(f"the call was given up: request {run.id} has ended")

    # calls below

    def begin(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], seq: int | None = None) -> Any:
        """Begin a call of `spec` in this body: serve it from its checkpoint, or return what is to be driven."""
        parent = self._call
        run = parent.run
        if run.stopped is not None or parent.fenced or run.closed:
            parent.check()
        if spec.owner is not None:
            args = spec.bind(args)
        for value in args:
            if isinstance(value, Deferred):
                args = tuple(settled(args, self))
                break
        if kwargs:
            kwargs = dict(zip(kwargs, settled(list(kwargs.values()), self), strict=True))
        digest, weak = args_digest(spec.params, args, kwargs, run.digesting)
        if weak:
            refuse_nested(spec.name, [*args, *kwargs.values()])
            if weak & Flag.TOO_LARGE:
                run.notices.too_large(spec, args, kwargs)
        plan = run.plans.get(spec)
        if plan is None or plan.holds is not None:
            plan = run.planner.plan(spec)
        body = parent.body or open_body(parent)
        with body.lock:
            if seq is None:
                seq = body.next_seq
                body.next_seq = seq + 1
            row = again = None
            if body.matcher is not None:
                try:
                    row, changed = body.matcher.match(seq, Kind.FUNCTION, plan.name, digest)
                except (WrongMatch, Divergence) as found:
                    row, changed = mismatched(parent, found)
                if row is not None and plan.durable and reusable(row):
                    why = 0 if run.options.reuse_changed else refused(run, row, plan, changed)
                    if not why:
                        if weak:
                            run.unread.served(plan.name, spec.params, (args, kwargs))
                        return serve(parent, body, row, seq, plan, changed and drift_of(row, weak))
                    again = row.identity if changed else None
                    row = row._replace(flags=row.flags | why)
                elif row is None:
                    again = body.matcher.stands_at(seq, Kind.FUNCTION, plan.name)
                # What was served so far is known at the latest with the outcome of what executes after it: a wrong
                # match of a pass that is killed is found through these.
                run.later_all(run.sealer.placed(body.matcher.take_reached()))
        if weak:
            run.unread.refuse(plan.name, spec.params, (args, kwargs))
        if again is not None:
            run.notices.ran_again(parent.identity, again, spec, (args, kwargs), sure=row is not None)
        call = ActiveCall(parent, run, spec, Kind.FUNCTION, plan, (body.pass_no, seq, digest, plan.flags | weak))
        call.enter(row, args, kwargs)
        return call

    def reserve(self) -> int:
        """Keep a place in this body."""
        return nodes.reserve(self._call)

    def map(self, spec: Spec, items: Iterable[Any], options: MapOptions, seq: int | None = None) -> list[Any]:
        """Call `spec` for each item."""
        return mapping.run_map(self._call, self, spec, items, options, seq)

    def map_async(
        self, spec: Spec, items: Iterable[Any], options: MapOptions, seq: int | None = None
    ) -> Coroutine[Any, Any, list[Any]]:
        """As `map`, for async functions, in the running loop."""
        results = mapping.run_map_async(self._call, self, spec, items, options, seq)
        return DurableCoroutine(f"{spec.name}.map", results, self.request_id)

    def reduce(self, spec: Spec, items: Iterable[Any], initial: tuple[Any, ...], seq: int | None = None) -> Any:
        """Fold the items."""
        return reducing.run_reduce(self._call, self, spec, items, initial, seq)

    def reduce_async(
        self, spec: Spec, items: Iterable[Any], initial: tuple[Any, ...], seq: int | None = None
    ) -> Coroutine[Any, Any, Any]:
        """As `reduce`, for async functions."""
        result = reducing.run_reduce_async(self._call, self, spec, items, initial, seq)
        return DurableCoroutine(f"{spec.name}.reduce", result, self.request_id)

    def recorded(self, name: str, make: Callable[[], Any]) -> Any:
        """A value that is made once and recorded: the time, a random number."""
        return nodes.recorded_value(self._call, name, make)

    def spawn(
        self, body: Callable[[], Any], is_async: bool, *, blocking: bool = False
    ) -> concurrent.futures.Future[Any]:
        """Run `body` beside this one; this call ends only when it has ended."""
        call = self._call
        call.check()
        own = call.body or open_body(call)
        future = start(call, in_copied_context(body) if not is_async else body, is_async, blocking=blocking)
        own.spawned.append(future)
        return future

    # waiting

    def blocked(self) -> contextlib.AbstractContextManager[None]:
        """While the calling thread waits for durable calls: its slot is free, the clock stands still."""
        return self._call.blocked()

    @property
    def is_lent(self) -> bool:
        """Whether others have the permit of this call while it waits in a loop."""
        clock = self._call.deadline
        return isinstance(clock, Holder) and not clock.is_held

    def check(self) -> None:
        """Raises when the request was cancelled or the attempt was given up."""
        self._call.check()

    def pause(self, delay: float) -> None:
        """Let `delay` seconds pass, without a slot; ends early, by raising, when the request is cancelled."""
        waiting.pause(self._call, delay)

    async def pause_async(self, delay: float) -> None:
        """As `pause`, in the running loop."""
        await waiting.pause_async(self._call, delay)

    # what it says and keeps

    def idempotency_key(self) -> str:
        """Stable for this call: its identity is made durable before the key is handed out."""
        call = self._call
        if not call.durable_mark:
            call.check()
            with left(call.visit):
                mark_durably(call)
        return f"{call.run.id}-{call.identity}"

    def set_state(self, key: str, value: Any) -> None:
        """Write a state value; it belongs to this call."""
        self._call.write_state(key, value)

    def get_state(self, key: str, default: Any) -> Any:
        """The newest value of a key in this run."""
        with left(self._call.visit):
            return self._call.run.state.read(key, default)

    def report_progress(
        self, current: float, total: float, message: str | None, attributes: Mapping[str, str] | None
    ) -> None:
        """Report progress: to the listeners at once, to the store with the pulse. The timeout begins anew."""
        call = self._call
        call.check()
        with left(call.visit):
            if (clock := call.deadline) is not None:
                clock.progressed()
            run = call.run
            import json

            shown = {masked(str(key)): masked_field(str(key), str(value)) for key, value in (attributes or {}).items()}
            text = json.dumps(shown) if shown else None
            said = masked(message) if message else message
            progress = Progressed(call.identity, current, total, said, text, run.now())
            run.reports.progress[call.identity] = progress
            for listener in run.listeners:
                listener.progressed(progress)

    def measure(self, kind: str, name: str, value: float) -> None:
        """Record a metric."""
        call, name = self._call, masked(name)
        with left(call.visit):
            call.run.later(Metric(call.identity, kind, name, value))
            call.leave_traces().measures(kind, name, value)

    def log(self, stream: str, text: str) -> None:
        """Keep what this call printed."""
        call = self._call
        with left(call.visit):
            run = call.run
            run.reports.printing.add((call.identity, call.pass_no), stream, text, run.now())
