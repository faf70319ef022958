"""Where a piece of user code is: which call of which request, and what it may ask of it.

Rules of this file
- The running call is a context variable; it follows `await`, and into threads that run in a copy of the context.
- `drive` and `drive_async` are the only places where a user's function is called. Everything that is decided about a
  call is decided by the `Execution` they turn.
- Functions know requests only through the two Protocols here: `Scope` (the running call) and `Engine` (how a request
  starts). The runner implements the first, the client the second and puts it into `engine`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import math
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from types import CodeType, CoroutineType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from jupyter_durable.errors import SDKUsageError

if TYPE_CHECKING:
    from jupyter_durable.function import Spec
    from jupyter_durable.values import Headers

T = TypeVar("T")


class Execution(Protocol):
    """One call that was begun: reused, or to be executed. `function.drive` turns it."""

    @property
    def reused(self) -> bool:
        """Whether it was served from its checkpoint; then `value` is its result."""

    @property
    def value(self) -> Any: ...
    @property
    def args(self) -> tuple[Any, ...]: ...
    @property
    def kwargs(self) -> dict[str, Any]: ...
    @property
    def invoke(self) -> Callable[..., Any]:
        """The function itself, or what runs it elsewhere: a worker thread under a deadline, a fresh stack."""

    def attempt(self) -> contextvars.Token[Scope | None]:
        """Start an attempt: the running call of this context is now this one."""

    def resolve(self, value: Any) -> Any:
        """The result of a tail call: a Future that the function returned unstarted, or a coroutine."""

    async def resolve_async(self, value: Any) -> Any:
        """As `resolve`, in the running loop."""

    def succeed(self, value: Any) -> Any:
        """Settle as succeeded; returns the value once it is durable."""

    async def succeed_async(self, value: Any) -> Any:
        """As `succeed`, without blocking the loop while a group commits."""

    def fail(self, error: BaseException) -> float:
        """Settle the attempt as failed: the delay before the next one in seconds; raises when there is none."""

    def pause(self, delay: float) -> None:
        """Wait for the next attempt; ends early, by raising, when the request is cancelled."""

    async def pause_async(self, delay: float) -> None:
        """As `pause`, in the running loop."""


class Scope(Protocol):
    """The running call, seen from inside."""

    @property
    def request_id(self) -> str: ...
    @property
    def attempt_number(self) -> int: ...
    @property
    def is_replay(self) -> bool: ...
    @property
    def cancelled(self) -> bool: ...
    @property
    def headers(self) -> Headers: ...

    def begin(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], seq: int | None = None) -> Execution:
        """Begin a call at the next place of this body, or at a place that was reserved for it."""

    def reserve(self) -> int:
        """Keep a place in this body for a Future that starts later."""

    def map(self, spec: Spec, items: Iterable[Any], options: MapOptions, seq: int | None = None) -> list[Any]: ...

    def map_async(
        self, spec: Spec, items: Iterable[Any], options: MapOptions, seq: int | None = None
    ) -> Coroutine[Any, Any, list[Any]]: ...

    def reduce(self, spec: Spec, items: Iterable[Any], initial: tuple[Any, ...], seq: int | None = None) -> Any: ...

    def reduce_async(
        self, spec: Spec, items: Iterable[Any], initial: tuple[Any, ...], seq: int | None = None
    ) -> Coroutine[Any, Any, Any]: ...

    def spawn(
        self, body: Callable[[], Any], is_async: bool, *, blocking: bool = False
    ) -> concurrent.futures.Future[Any]:
        """Run `body` beside the calling code, in a copy of its context; the call ends only when it has ended.

        `blocking`: the caller waits for it in its thread, so an async body must not run on the loop of this thread.
        """

    def blocked(self) -> contextlib.AbstractContextManager[None]:
        """While the calling thread waits for durable calls: its slot is free, the clock of its call stands still."""

    def check(self) -> None:
        """Raises when the request was cancelled or the attempt was given up."""

    def pause(self, delay: float) -> None:
        """Let `delay` seconds pass, without a slot; ends early, by raising, when the request is cancelled."""

    async def pause_async(self, delay: float) -> None:
        """As `pause`, in the running loop."""

    def recorded(self, name: str, make: Any) -> Any: ...

    def idempotency_key(self) -> str: ...

    def set_state(self, key: str, value: Any) -> None: ...

    def get_state(self, key: str, default: Any) -> Any: ...

    def report_progress(
        self, current: float, total: float, message: str | None, attributes: Mapping[str, str] | None
    ) -> None: ...

    def measure(self, kind: str, name: str, value: float) -> None: ...


class MapOptions(NamedTuple):
    """How a map runs."""

    max_concurrency: int | None = None
    return_exceptions: bool = False

    def checked(self, name: str) -> MapOptions:
        """Itself. Raises `SDKUsageError` for a limit that is none."""
        limit: object = self.max_concurrency
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise SDKUsageError(f"{name}.map: max_concurrency must be a whole number >= 1, not {limit!r}")
        return self


class Engine(Protocol):
    """How a durable function that is called outside of any request gets one."""

    def outermost(self, spec: Spec | None) -> Scope | None:
        """The root call that owns durable calls made here: of the cell, of the script.

        None when a call of `spec` is to be a request of its own.
        """

    def call_application(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an application as a request of its own; its output (a coroutine for an async one)."""

    def submit(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], idempotency_key: str | None) -> Any:
        """Accept a request and return it at once."""


current: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("jupyter_durable_call", default=None)
"""The running call of this context."""


class EngineHolder:
    """The engine of this process; empty until the client is imported."""

    __slots__ = ("_engine", "_lock")

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def set(self, engine: Engine) -> None:
        """Make `engine` the one that starts requests in this process."""
        with self._lock:
            self._engine = engine

    def get(self) -> Engine:
        """The engine of this process. Raises `SDKUsageError` when only parts of the package were imported."""
        if self._engine is None:
            raise SDKUsageError("no engine: `import jupyter_durable` before a durable function is called")
        return self._engine


engine = EngineHolder()


def scope_here() -> Scope:
    """The running call, or the root call of the cell or script.

    Raises `SDKUsageError` where no request can own a durable call.
    """
    scope = current.get() or engine.get().outermost(None)
    if scope is None:
        raise SDKUsageError("no request can own a durable call here: call it from a cell, a script or an application")
    return scope


class Deferred:
    """Stands for a result to come: a Future that a function may return as a tail call."""

    __slots__ = ()


DEFERRED: Final = (Deferred, CoroutineType)
"""Types of what may be deferred; a quick look before `is_deferred`."""


def is_deferred(value: Any) -> bool:
    """Whether a value is a Future, or the coroutine that calling an async durable function gave."""
    return isinstance(value, Deferred) or (type(value) is CoroutineType and value.cr_code in DURABLE_CODE)


def drive(call: Execution) -> Any:
    """Run one call to its end: one turn per attempt."""
    __tracebackhide__ = True
    while True:
        token = call.attempt()
        try:
            value = call.invoke(*call.args, **call.kwargs)
            if isinstance(value, DEFERRED) and is_deferred(value):
                value = call.resolve(value)
        except BaseException as error:  # noqa: BLE001 - a user's function was called; `fail` decides, and raises
            current.reset(token)
            delay = call.fail(error)
        else:
            current.reset(token)
            return call.succeed(value)
        call.pause(delay)


async def drive_async(call: Execution) -> Any:
    """Run one call of an async function to its end, in the running loop."""
    __tracebackhide__ = True
    while True:
        token = call.attempt()
        try:
            value = await call.invoke(*call.args, **call.kwargs)
            if isinstance(value, DEFERRED) and is_deferred(value):
                value = await call.resolve_async(value)
        except BaseException as error:  # noqa: BLE001 - a user's function was called; `fail` decides, and raises
            current.reset(token)
            delay = call.fail(error)
        else:
            current.reset(token)
            return await call.succeed_async(value)
        await call.pause_async(delay)


async def begin_late(scope: Scope, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], seq: int) -> Any:
    """Call an async function at a place kept for it, once its deferred arguments are there."""
    __tracebackhide__ = True
    names, given = list(kwargs), [*args, *kwargs.values()]
    values = await asyncio.gather(*map(_awaited, given))
    call = scope.begin(spec, tuple(values[: len(args)]), dict(zip(names, values[len(args) :], strict=True)), seq)
    return call.value if call.reused else await drive_async(call)


async def _awaited(value: Any) -> Any:
    return await value if is_deferred(value) else value


async def reused_value(call: Execution) -> Any:
    """What calling an async function gives when the call is served from its checkpoint."""
    return call.value


DURABLE_CODE: Final[frozenset[CodeType]] = frozenset(made.__code__ for made in (drive_async, begin_late, reused_value))
"""Code of the coroutines that durable functions return."""


class State:
    """Values shared by the calls of a request. What a call wrote is applied again when the call is reused."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def set(self, key: str, value: Any) -> None:
        """Set `key` for the calls that follow in this request."""
        if not isinstance(key, str):
            raise SDKUsageError(f"state.set: the key must be a string, not {type(key).__name__}")
        self._scope.set_state(key, value)

    def get(self, key: str, default: Any = None) -> Any:
        """The newest value of `key` in this run of the request."""
        return self._scope.get_state(key, default)


class Progress:
    """Reports how far the running call is; each report starts the call's timeout anew."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def update(
        self,
        current: float,
        total: float,
        message: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Report `current` of `total` (finite, not negative), with a line of text and string attributes."""
        for what, number in (("current", current), ("total", total)):
            if (
                isinstance(number, bool)
                or not isinstance(number, int | float)
                or not math.isfinite(number)
                or number < 0
            ):
                raise SDKUsageError(f"progress.update: {what} must be a finite number >= 0, not {number!r}")
        if message is not None and not isinstance(message, str):
            raise SDKUsageError(f"progress.update: message must be a string, not {type(message).__name__}")
        for key, value in (attributes or {}).items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise SDKUsageError(f"progress.update: attributes must map strings to strings, not {key!r}: {value!r}")
        self._scope.report_progress(float(current), float(total), message, attributes)

    def track(self, iterable: Iterable[T], total: float | None = None, message: str | None = None) -> Iterator[T]:
        """Loop over `iterable` and report after each item; `total` is its length where it has one."""
        if total is None:
            try:
                total = len(iterable)  # type: ignore[arg-type]
            except TypeError:
                total = 0
        self.update(0, total, message)
        for done, item in enumerate(iterable, start=1):
            yield item
            self.update(done, max(total, done), message)


class Metrics:
    """Numbers that a call leaves beside its result."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def timer(self, name: str, value: float) -> None:
        """Record a duration in seconds."""
        self._scope.measure("timer", name, float(value))

    def counter(self, name: str, value: int = 1) -> None:
        """Add to a counter."""
        self._scope.measure("counter", name, float(value))


class RequestContext:
    """What a durable function can ask of the request it runs in. Get it with `RequestContext.get()`."""

    __slots__ = ("_scope", "metrics", "progress", "state")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.state = State(scope)
        self.progress = Progress(scope)
        self.metrics = Metrics(scope)

    @classmethod
    def get(cls) -> RequestContext:
        """The context of the running call.

        Raises `SDKUsageError` outside of a durable function and in a thread that was started without
        `contextvars.copy_context()`.
        """
        scope = current.get()
        if scope is None:
            raise SDKUsageError(
                "RequestContext.get(): no durable function is running here. Call it inside a durable function; in a "
                "thread of your own, start the thread with contextvars.copy_context().run(...)"
            )
        return cls(scope)

    @property
    def request_id(self) -> str:
        """Id of the request."""
        return self._scope.request_id

    @property
    def headers(self) -> Headers:
        """Headers the request came with; empty in a notebook."""
        return self._scope.headers

    @property
    def idempotency_key(self) -> str:
        """Stable for this call over retries and replays: give it to services that must act only once."""
        return self._scope.idempotency_key()

    @property
    def attempt(self) -> int:
        """Number of the running attempt, from 1."""
        return self._scope.attempt_number

    @property
    def is_replay(self) -> bool:
        """Whether this run of the request is a replay."""
        return self._scope.is_replay

    @property
    def cancelled(self) -> bool:
        """Whether this call should stop: the request was cancelled, or the attempt was given up."""
        return self._scope.cancelled
