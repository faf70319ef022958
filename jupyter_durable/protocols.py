"""What functions, Futures and the code that runs them ask of each other.

Rules of this file
- Protocols, and the records that pass between their sides: nothing here runs a call.
- Below the modules that users' names live in: `function` and `future` ask through `Scope` and `Engine`, the runner
  implements `Execution` and `Scope`, the client `Engine`; none of them needs to import another for it.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_durable.errors import SDKUsageError
from jupyter_durable.executor.visit import Visit
from jupyter_durable.records import NamedTuple
from jupyter_durable.spec import Spec

if TYPE_CHECKING:
    import concurrent.futures

    from jupyter_durable.values import Headers


class Execution(Protocol):
    """One call that was begun: reused, or to be executed. `context.drive` turns it."""

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

    def leave(self, error: BaseException) -> None:
        """It is driven no longer: settle it as cut off, if it is not settled."""

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
    def ended(self) -> bool:
        """Whether the call has its outcome, so that nothing can be said of it any more."""

    @property
    def described(self) -> str:
        """Which call this is, for messages and logs."""

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

    def seen_from(self, here: Scope | None, error: BaseException) -> BaseException:
        """What a call below was left with, as code sees it whose running call is `here`."""

    @property
    def is_lent(self) -> bool:
        """Whether others have the `max_concurrency` permit of the call while it waits in a loop."""

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


MapOptions.__module__ = "jupyter_durable.context"  # its address in the pickles of stores


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
