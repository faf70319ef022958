"""Where a piece of user code is: which call of which request, and what it may ask of it.

Rules of this file
- The running call is a context variable; it follows `await`, and into threads that run in a copy of the context.
- `drive` and `drive_async` are the only places where a user's function is called. Everything that is decided about a
  call is decided by the `Execution` they turn.
- Functions know requests only through two Protocols: `Scope` (the running call) and `Engine` (how a request starts).
  The client puts what implements the second into `engine`.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from jupyter_durable.errors import SDKUsageError
from jupyter_durable.protocols import Engine, Execution, Scope
from jupyter_durable.protocols import MapOptions as MapOptions  # pickled durable functions name it here
from jupyter_durable.spec import Spec

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
    try:
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
    except BaseException as error:
        call.leave(error)
        raise


async def drive_async(call: Execution) -> Any:
    """Run one call of an async function to its end, in the running loop."""
    __tracebackhide__ = True
    call = call.in_time()
    if call.reused:
        return call.value
    try:
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
    except BaseException as error:
        call.leave(error)
        raise


async def begin_late(scope: Scope, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], seq: int) -> Any:
    """Call an async function at a place kept for it, once its deferred arguments are there."""
    __tracebackhide__ = True
    import asyncio

    names, given = list(kwargs), [*args, *kwargs.values()]
    values = await asyncio.gather(*map(awaited, given))
    call = scope.begin(spec, tuple(values[: len(args)]), dict(zip(names, values[len(args) :], strict=True)), seq)
    return call.value if call.reused else await drive_async(call)


async def in_turn(error: BaseException | None = None) -> None:
    """What was awaited has ended: where others have the permit of the running call, its body takes one again."""
    scope = current.get()
    if scope is not None and scope.is_lent and not isinstance(error, GeneratorExit):
        import asyncio

        await asyncio.sleep(0)


async def awaited(value: Any) -> Any:
    """The value, once it is there."""
    return await value if isinstance(value, Deferred) else value


async def reused_value(call: Execution) -> Any:
    """What calling an async function gives when the call is served from its checkpoint."""
    return call.value
