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
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from jupyter_durable.errors import SDKUsageError

if TYPE_CHECKING:
    from jupyter_durable.executor.visit import Visit
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

    def in_time(self) -> Execution:
        """Itself; when the request of its cell ended before it was awaited, the same call made here and now."""

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
    def visit(self) -> Visit | None:
        """The stay in its function, where an error may be thrown into that thread."""

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
    """The engine of this process; made when it is first needed, so that an import costs little."""

    __slots__ = ("_engine", "_lock", "_make")

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._make: Callable[[], Engine] | None = None
        self._lock = threading.RLock()

    def made_by(self, make: Callable[[], Engine]) -> None:
        """Who makes the engine when there is none yet."""
        self._make = make

    def set(self, engine: Engine) -> None:
        """Make `engine` the one that starts requests in this process."""
        with self._lock:
            self._engine = engine

    def get(self) -> Engine:
        """The engine of this process. Raises `SDKUsageError` when only parts of the package were imported."""
        if self._engine is None:
            return self._first()
        return self._engine

    def _first(self) -> Engine:
        with self._lock:
            if self._engine is None:
                if self._make is None:
                    raise SDKUsageError("no engine: `import jupyter_durable` before a durable function is called")
                self._engine = self._make()
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
    """Stands for a result to come: a Future, or the coroutine that calling an async durable function gave.

    A function may return one as a tail call.
    """

    __slots__ = ()

    if TYPE_CHECKING:  # an abstract base class would make `isinstance` slow, which every argument of a call pays

        def __await__(self) -> Generator[Any, Any, Any]: ...


def drive(call: Execution) -> Any:
    """Run one call to its end: one turn per attempt."""
    __tracebackhide__ = True
    while True:
        token = call.attempt()
        try:
            value = call.invoke(*call.args, **call.kwargs)
            if isinstance(value, Deferred):
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
    call = call.in_time()
    if call.reused:
        return call.value
    while True:
        token = call.attempt()
        try:
            value = await call.invoke(*call.args, **call.kwargs)
            if isinstance(value, Deferred):
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
    values = await asyncio.gather(*map(awaited, given))
    call = scope.begin(spec, tuple(values[: len(args)]), dict(zip(names, values[len(args) :], strict=True)), seq)
    return call.value if call.reused else await drive_async(call)


async def awaited(value: Any) -> Any:
    """The value, once it is there."""
    return await value if isinstance(value, Deferred) else value


async def reused_value(call: Execution) -> Any:
    """What calling an async function gives when the call is served from its checkpoint."""
    return call.value
