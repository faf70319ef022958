"""Durable calls that run beside the code that started them.

Rules of this file
- A Future takes its place in the body of its call when it is made, so that the order of starting does not matter.
- It starts at most once: by `run`, by `result`, by `await`, as an argument of another call, or as a tail call.
- Waiting gives the thread's slot back; that is why nested waits cannot deadlock.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar

from jupyter_durable.context import Deferred, awaited, begin_late, current, drive, in_turn, scope_here
from jupyter_durable.coroutine import DurableCoroutine
from jupyter_durable.entry import called_by_user
from jupyter_durable.errors import Cancelled, SDKUsageError, SerializationError, TimeoutError
from jupyter_durable.executor.outcomes import new_outcome, wait_for
from jupyter_durable.loops import running_loop
from jupyter_durable.options import refuse_unless_limit, refuse_unless_seconds
from jupyter_durable.protocols import MapOptions, Scope
from jupyter_durable.spec import Spec

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

R = TypeVar("R")


class RETURN_WHEN(IntEnum):  # noqa: N801 - the public name of Tensorlake
    """When `Future.wait` returns."""

    FIRST_COMPLETED = 0
    FIRST_FAILURE = 1
    ALL_COMPLETED = 2


_WHEN: Final = {
    RETURN_WHEN.FIRST_COMPLETED: "FIRST_COMPLETED",
    RETURN_WHEN.FIRST_FAILURE: "FIRST_EXCEPTION",
    RETURN_WHEN.ALL_COMPLETED: "ALL_COMPLETED",
}
"""The same for `concurrent.futures`."""


class Future(Deferred, Generic[R]):
    """The result, to come, of a durable call, map or reduce. It runs when it is started or asked for."""

    __slots__ = ("_body", "_coroutine", "_is_async", "_lock", "_loop", "_name", "_outcome", "_scope", "_started")

    def __init__(self, scope: Scope, name: str, body: Callable[[], Any], is_async: bool) -> None:
        self._scope = scope
        self._name = name
        self._body = body
        self._is_async = is_async
        self._lock = threading.Lock()
        self._started = False
        self._coroutine: DurableCoroutine[R] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outcome: concurrent.futures.Future[R] = new_outcome()
        self._outcome.set_running_or_notify_cancel()  # who stops waiting for it does not cancel it for the others

    def __repr__(self) -> str:
        state = "done" if self.done() else "running" if self._started else "not started"
        return f"<Future {self._name}: {state}>"

    def __reduce__(self) -> NoReturn:
        raise SerializationError(
            f"a Future of {self._name} cannot be stored: pass it as an argument by itself, not inside a list or dict, "
            "or pass its .result()"
        )

    @property
    def started(self) -> bool:
        """Whether it was started."""
        return self._started

    def _claim(self) -> bool:
        with self._lock:
            first, self._started = not self._started, True
        return first

    def _launch(self, *, blocking: bool = False) -> None:
        spawned = self._scope.spawn(self._body, self._is_async, blocking=blocking)
        self._loop = getattr(spawned, "loop", None)
        spawned.given_up = self._fail  # type: ignore[attr-defined]
        spawned.add_done_callback(self._settle)

    def _settle(self, done: concurrent.futures.Future[R]) -> None:
        if done.cancelled():
            self._fail(Cancelled(f"the Future of {self._name} did not begin: the attempt that started it has ended"))
            return
        error = done.exception()
        if error is not None:
            self._fail(error)
            return
        with self._lock:
            if not self._outcome.done():
                self._outcome.set_result(done.result())

    def _fail(self, error: BaseException) -> None:
        """What it comes to, unless that is known: what was given up may end much later, or never."""
        with self._lock:
            if not self._outcome.done():
                self._outcome.set_exception(error)

    def _seen(self, error: BaseException) -> BaseException:
        """What code gets to see here of what the call was left with."""
        return self._scope.seen_from(current.get(), error)

    @called_by_user
    def run(self) -> Future[R]:
        """Start it now; returns itself. Raises `SDKUsageError` when it was started before."""
        if not self._claim():
            raise SDKUsageError(f"the Future of {self._name} was started before; ask for its .result()")
        self._launch()
        return self

    @called_by_user
    def run_later(self, start_delay: float) -> Future[R]:
        """Start it after `start_delay` seconds (>= 0)."""
        refuse_unless_seconds("run_later: the delay", start_delay)
        if not self._claim():
            raise SDKUsageError(f"the Future of {self._name} was started before; ask for its .result()")
        # The delay is part of what the call waits for, so it runs in the call's own thread or loop.
        work, is_async = self._body, self._is_async
        scope = self._scope
        self._body = _later_async(scope, work, start_delay) if is_async else _later(scope, work, start_delay)
        self._launch()
        return self

    @called_by_user
    def result(self, timeout: float | None = None) -> R:
        """The result; starts it if need be. Raises what the call raised, `TimeoutError` after `timeout` seconds."""
        __tracebackhide__ = True
        refuse_unless_limit("Future.result: the timeout", timeout)
        if self._claim():
            self._launch(blocking=True)
        if not self._outcome.done():
            self._wait_here(timeout)
        error = self._outcome.exception()
        if error is not None and (seen := self._seen(error)) is not error:
            raise seen
        return self._outcome.result()

    def _wait_here(self, timeout: float | None) -> None:
        self._not_on_this_loop()
        if not _wait([self._outcome], timeout, RETURN_WHEN.ALL_COMPLETED, current.get() or self._scope):
            raise TimeoutError(f"{self._name} has not ended within {timeout} s; it goes on, ask again later")

    def _not_on_this_loop(self) -> None:
        """Raises `SDKUsageError` where waiting would stop the loop that it runs on."""
        if self._loop is not None and self._loop is running_loop() and not self._outcome.done():
            raise SDKUsageError(f"the Future of {self._name} runs on this event loop: `await` it instead of waiting")

    def done(self) -> bool:
        """Whether it has ended, in success or failure."""
        return self._outcome.done()

    @property
    def exception(self) -> BaseException | None:
        """What the call raised; None while it runs and after a success."""
        error = self._outcome.exception() if self._outcome.done() else None
        return None if error is None else self._seen(error)

    def coroutine(self) -> Coroutine[Any, Any, R]:
        """A coroutine that gives the result, the same one each time. Only in a running loop, before the start."""
        if running_loop() is None:
            raise SDKUsageError(f"{self._name}: a coroutine needs a running loop; ask for .result()")
        if self._coroutine is None:
            if self._started:
                raise SDKUsageError(f"the Future of {self._name} was started before; await it instead")
            self._coroutine = DurableCoroutine(self._name, self._await())
        return self._coroutine

    async def _await(self) -> R:
        if self._claim():
            if self._is_async:
                # `await` runs in the awaiting loop, so that clients bound to it work.
                self._loop = running_loop()
                return await self._in_this_loop()
            self._launch()
        import asyncio

        try:
            return await asyncio.wrap_future(self._outcome)
        except BaseException as error:
            if self._outcome.done() and (seen := self._seen(error)) is not error:
                raise seen from None
            raise

    async def _in_this_loop(self) -> R:
        try:
            value: R = await self._body()
        except BaseException as error:
            self._outcome.set_exception(error)
            await in_turn(error)
            raise
        self._outcome.set_result(value)
        await in_turn()
        return value

    def __await__(self) -> Generator[Any, None, R]:
        return self._await().__await__()

    @staticmethod
    @called_by_user
    def wait(
        futures: Iterable[Future[Any]],
        timeout: float | None = None,
        return_when: RETURN_WHEN = RETURN_WHEN.ALL_COMPLETED,
    ) -> tuple[list[Future[Any]], list[Future[Any]]]:
        """Start those that were not, wait, and split them into (done, not done), each in the given order.

        Errors of single calls are not raised here, see `exception`. Raises `SDKUsageError`, before any is started,
        for an unknown `return_when` and a `timeout` that is no finite number of seconds.
        """
        if return_when not in list(RETURN_WHEN):
            raise SDKUsageError(f"Future.wait: return_when is one of {', '.join(map(str, _WHEN))}, not {return_when!r}")
        refuse_unless_limit("Future.wait: the timeout", timeout)
        given = list(futures)
        for future in given:
            if not isinstance(future, Future):
                raise SDKUsageError(f"Future.wait takes Futures, such as f.future(1) makes, not {future!r}")
        for future in given:
            if future._claim():
                future._launch(blocking=True)
            future._not_on_this_loop()
        if given:
            outcomes = [future._outcome for future in given]
            _wait(outcomes, timeout, RETURN_WHEN(return_when), current.get() or given[0]._scope)
        return [f for f in given if f.done()], [f for f in given if not f.done()]


POLL_SECONDS = 0.2
"""How soon a waiting thread sees that its request was cancelled."""


LONGEST_POLL_SECONDS = 2.0
"""Long waits look less often: a thousand nested ones would keep a processor busy with looking. A cancelled request
does not wait for them."""


def _wait(
    outcomes: list[concurrent.futures.Future[Any]], timeout: float | None, return_when: RETURN_WHEN, scope: Scope
) -> bool:
    """Whether the wait ended before the time did. Raises when the request is cancelled meanwhile."""
    left = timeout
    patience = POLL_SECONDS
    with scope.blocked():
        while True:
            turn = patience if left is None else min(patience, left)
            patience = min(2 * patience, LONGEST_POLL_SECONDS)
            done, not_done = wait_for(outcomes, turn, _WHEN[return_when])
            failed = any(outcome.exception() is not None for outcome in done)
            early = return_when == RETURN_WHEN.FIRST_COMPLETED or (return_when == RETURN_WHEN.FIRST_FAILURE and failed)
            if not not_done or (done and early):
                return True
            scope.check()
            if left is not None:
                left -= turn
                if left <= 0:
                    return False


def _later(scope: Scope, body: Callable[[], Any], delay: float) -> Callable[[], Any]:
    def delayed() -> Any:
        scope.pause(delay)
        return body()

    return delayed


def _later_async(scope: Scope, body: Callable[[], Awaitable[Any]], delay: float) -> Callable[[], Any]:
    async def delayed() -> Any:
        await scope.pause_async(delay)
        return await body()

    return delayed


def settled(values: Sequence[Any], scope: Scope) -> list[Any]:
    """The values, with Futures and coroutines of durable calls among them replaced by their results.

    All of them run beside each other; `scope` is the call that waits.
    """
    given = [_as_future(value, scope) if isinstance(value, Deferred) else value for value in values]
    for value in given:
        if isinstance(value, Future) and value._claim():
            value._launch(blocking=True)
    return [value.result() if isinstance(value, Future) else value for value in given]


def _as_future(value: Any, scope: Scope) -> Future[Any]:
    if isinstance(value, Future):
        return value
    future: Future[Any] = Future(scope, value.__name__, lambda: awaited(value), True)
    future._loop = value.loop
    future._not_on_this_loop()
    return future


def refuse_nested(name: str, values: Iterable[Any]) -> None:
    """Raises `SerializationError` for a Future inside a list, tuple, set or dict among the arguments of a call."""
    pending = [value for value in values if isinstance(value, (dict, *_CONTAINERS))]
    seen = set(map(id, pending))
    for value in pending:  # grows while it is read: values are deep, and may hold themselves
        parts = value.values() if isinstance(value, dict) else value
        if _is_flat(map(type, parts)):
            continue
        for part in parts:
            if isinstance(part, Deferred):
                raise SerializationError(
                    f"{name}: a Future or coroutine stands inside a {type(value).__name__}; pass it as an argument by "
                    "itself, not inside a list or dict, or pass its .result()"
                )
            if isinstance(part, (dict, *_CONTAINERS)) and id(part) not in seen:
                seen.add(id(part))
                pending.append(part)


_CONTAINERS: Final = (list, tuple, set, frozenset)
_is_flat: Final = frozenset({type(None), bool, int, float, str, bytes}).issuperset


def refuse_returned(name: str, value: Any) -> None:
    """Raises `SDKUsageError` for a result that holds a Future or coroutine: its call would be lost with it."""
    try:
        refuse_nested(name, [value])
    except SerializationError:
        raise SDKUsageError(
            f"{name} returned a {type(value).__name__} that holds a Future or coroutine: return results (`.result()`, "
            "`await`, or the list that `.map(items)` gives), or one Future by itself as a tail call"
        ) from None


async def settled_async(values: Sequence[Any]) -> list[Any]:
    """As `settled`, in the running loop."""
    import asyncio

    return list(await asyncio.gather(*map(awaited, values)))


class FutureMaker:
    """`f.future`: makes Futures of calls, maps and reduces of one durable function."""

    __slots__ = ("_spec",)

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    @called_by_user
    def __call__(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """A Future of one call."""
        spec, scope = self._spec, scope_here()
        seq = scope.reserve()

        def body() -> Any:
            call = scope.begin(spec, args, kwargs, seq)
            return call.value if call.reused else drive(call)

        async def body_async() -> Any:
            return await begin_late(scope, spec, args, kwargs, seq)

        return Future(scope, spec.name, body_async if spec.is_async else body, spec.is_async)

    @called_by_user
    def map(
        self, items: Any, *, max_concurrency: int | None = None, return_exceptions: bool = False
    ) -> Future[list[Any]]:
        """A Future of a map over `items`."""
        spec, scope = self._spec, scope_here()
        options = MapOptions(max_concurrency, return_exceptions).checked(spec.name)
        seq = scope.reserve()
        start = scope.map_async if spec.is_async else scope.map
        return Future(scope, f"{spec.name}.map", lambda: start(spec, items, options, seq), spec.is_async)

    @called_by_user
    def reduce(self, items: Any, *initial: Any) -> Future[Any]:
        """A Future of a reduce over `items`."""
        spec, scope = self._spec, scope_here()
        seq = scope.reserve()
        start = scope.reduce_async if spec.is_async else scope.reduce
        return Future(scope, f"{spec.name}.reduce", lambda: start(spec, items, initial, seq), spec.is_async)


def in_copied_context(body: Callable[[], Any]) -> Callable[[], Any]:
    """`body` in a copy of the present context, so that prints and the running call land where it was started."""
    context = contextvars.copy_context()
    return lambda: context.run(body)
