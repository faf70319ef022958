"""What a durable function can ask of the request it runs in: state, progress, metrics, and facts about its call.

Rules of this file
- Every question goes to the running call (`protocols.Scope`); what is wrong in it is said before anything is told on.
- A process that was forked, or was given the context by `multiprocessing`, asks the process of the call (`relay`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_durable.context import current
from jupyter_durable.errors import SDKUsageError, SerializationError
from jupyter_durable.protocols import Scope
from jupyter_durable.relay import Channel, RemoteScope, reached, relay

if TYPE_CHECKING:
    from jupyter_durable.values import Headers

T = TypeVar("T")


class _OfCall:
    """What asks one call."""

    __slots__ = ("_given", "_process")

    def __init__(self, scope: Scope) -> None:
        self._given = scope
        self._process = os.getpid()

    @property
    def _scope(self) -> Scope:
        return self._given if self._process == os.getpid() else reached(self._given)


class State(_OfCall):
    """Values shared by the calls of a request. What a call wrote is applied again when the call is reused."""

    __slots__ = ()

    def set(self, key: str, value: Any) -> None:
        """Set `key` for the calls that follow in this request."""
        if not isinstance(key, str):
            raise SDKUsageError(f"state.set: the key must be a string, not {type(key).__name__}")
        self._scope.set_state(key, value)

    def get(self, key: str, default: Any = None) -> Any:
        """The newest value of `key` in this run of the request."""
        return self._scope.get_state(key, default)


class Progress(_OfCall):
    """Reports how far the running call is; each report starts the call's timeout anew."""

    __slots__ = ()

    def update(
        self,
        current: float,
        total: float,
        message: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Report `current` of `total` (finite, not negative), with a line of text and string attributes."""
        for what, number in (("current", current), ("total", total)):
            if not _is_number(number) or number < 0:
                raise SDKUsageError(f"progress.update: {what} must be a finite number >= 0, not {number!r}")
        if message is not None and not isinstance(message, str):
            raise SDKUsageError(f"progress.update: message must be a string, not {type(message).__name__}")
        if attributes is not None and not isinstance(attributes, Mapping):
            raise SDKUsageError(f"progress.update: attributes must map strings to strings, not {attributes!r}")
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


class Metrics(_OfCall):
    """Numbers that a call leaves beside its result."""

    __slots__ = ()

    def timer(self, name: str, value: float) -> None:
        """Record a duration in seconds."""
        self._measure("timer", name, value)

    def counter(self, name: str, value: int = 1) -> None:
        """Add to a counter."""
        self._measure("counter", name, value)

    def _measure(self, kind: str, name: str, value: float) -> None:
        if not isinstance(name, str) or not _is_number(value):
            raise SDKUsageError(f"metrics.{kind} takes a name and a finite number, not {name!r} and {value!r}")
        self._scope.measure(kind, name, float(value))


def _is_number(value: object) -> bool:
    """Whether it is a finite number, of Python or of numpy."""
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


class RequestContext(_OfCall):
    """What a durable function can ask of the request it runs in. Get it with `RequestContext.get()`."""

    __slots__ = ("metrics", "progress", "state")

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
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

    def __reduce__(self) -> tuple[Any, ...]:
        """For the processes of `multiprocessing`; it is no value to be stored."""
        from multiprocessing.context import get_spawning_popen

        if get_spawning_popen() is None:
            raise SerializationError(
                "a RequestContext cannot be stored: give it to a process or thread that you start inside the call, or "
                "call RequestContext.get() in the function that needs it"
            )
        given: Any = self._given
        channel = given.channel if isinstance(given, RemoteScope) else relay.reach(given)
        return _in_another_process, (channel, given.named if isinstance(given, RemoteScope) else relay.name_of(given))

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


def _in_another_process(channel: Channel, named: int) -> RequestContext:
    remote: Any = RemoteScope(channel, named)
    return RequestContext(remote)
