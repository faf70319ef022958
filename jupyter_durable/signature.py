"""What a durable function looks like to a type checker: its own signature, and what the wrapper adds.

Rules of this file
- Types only, and the list that a map returns. A call keeps the parameters and the result of the function; for an async
  one the result is awaited.
- Maps, reduces and Futures take Futures among their arguments, so those are not checked; their results are.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from jupyter_durable.future import Future
from jupyter_durable.spec import Spec

P = ParamSpec("P")
Q = ParamSpec("Q")
T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Results(list[R], Generic[R]):
    """What a map returns: a list, in the order of the items, that can be reduced."""

    __module__ = "jupyter_durable.function"  # its address in the pickles of stores

    def reduce(self, fn: DurableFunction[..., Any], *initial: Any) -> Any:
        """`fn.reduce(self, initial)`."""
        return fn.reduce(self, *initial)


class FutureFactory(Protocol[R_co]):
    """What `f.future` is."""

    @overload
    def __call__(self: FutureFactory[Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> Future[T]: ...
    @overload
    def __call__(self: FutureFactory[T], *args: Any, **kwargs: Any) -> Future[T]: ...

    @overload
    def map(
        self: FutureFactory[Coroutine[Any, Any, T]],
        items: Any,
        *,
        max_concurrency: int | None = None,
        return_exceptions: bool = False,
    ) -> Future[Results[T]]: ...
    @overload
    def map(
        self: FutureFactory[T], items: Any, *, max_concurrency: int | None = None, return_exceptions: bool = False
    ) -> Future[Results[T]]: ...

    @overload
    def reduce(self: FutureFactory[Coroutine[Any, Any, T]], items: Any, *initial: Any) -> Future[T]: ...
    @overload
    def reduce(self: FutureFactory[T], items: Any, *initial: Any) -> Future[T]: ...


class DurableFunction(Protocol[P, R_co]):
    """A durable function: called like the undecorated one."""

    __name__: str
    __durable__: Spec

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    @overload
    def __get__(self, instance: None, owner: type) -> DurableFunction[P, R_co]: ...
    @overload
    def __get__(
        self: DurableFunction[Concatenate[Any, Q], T], instance: object, owner: type
    ) -> DurableFunction[Q, T]: ...

    def local(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """The undecorated function."""

    @overload
    def map(
        self: DurableFunction[..., Coroutine[Any, Any, T]],
        items: Any,
        *,
        max_concurrency: int | None = None,
        return_exceptions: bool = False,
    ) -> Coroutine[Any, Any, Results[T]]: ...
    @overload
    def map(
        self: DurableFunction[..., T],
        items: Any,
        *,
        max_concurrency: int | None = None,
        return_exceptions: bool = False,
    ) -> Results[T]:
        """Call it for each item, each with its own checkpoint; results in the order of the items."""

    def reduce(self, items: Any, *initial: Any) -> R_co:
        """`functools.reduce` with a checkpoint at each step: `fn(accumulated, item)`."""

    def submit(self, *args: Any, idempotency_key: str | None = None, **kwargs: Any) -> Any:
        """Accept a request of this application and return it at once."""

    @property
    def future(self) -> FutureFactory[R_co]:
        """`f.future(...)`, `f.future.map(items)`, `f.future.reduce(items, initial)`: a Future that was not started."""

    @property
    def awaitable(self) -> FutureFactory[R_co]:
        """The older name of `future`."""
