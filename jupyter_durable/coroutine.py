"""What calling an async durable function gives: a coroutine that is a value like a Future.

Rules of this file
- Awaited twice it gives the same result, also in another loop or while the first await goes on; it may be an argument,
  an item, the input of a map or reduce, or the tail call that is returned.
- The call has its place before this is made; it runs where it is first awaited.
- No lock, since each call of an async function pays for this: whoever pops `_unclaimed` runs it, and `_ended` is
  written before those who wait are told.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from jupyter_durable.context import Deferred, in_turn
from jupyter_durable.errors import SerializationError
from jupyter_durable.executor.outcomes import new_outcome
from jupyter_durable.loops import running_task

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

R = TypeVar("R")


class DurableCoroutine(Deferred, Coroutine[Any, Any, R]):
    """The coroutine of one call of an async durable function; `asyncio` takes it for any other."""

    __slots__ = (
        "__name__",
        "__qualname__",
        "__weakref__",
        "_ended",
        "_stepped",
        "_unclaimed",
        "_waiting",
        "loop",
        "request",
    )

    def __init__(self, name: str, native: Coroutine[Any, Any, R], request: str = "") -> None:
        self.request = request
        """The request that its call has its place in."""
        self.__name__ = self.__qualname__ = name
        self._unclaimed = [native]
        self._ended: tuple[R | None, BaseException | None] | None = None
        self._waiting: list[concurrent.futures.Future[None]] = []
        self._stepped: dict[asyncio.Task[Any] | None, Coroutine[Any, Any, R]] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where it runs, once it was awaited: code that blocks this loop would wait for ever."""

    def __await__(self) -> Generator[Any, Any, R]:
        return self._result().__await__()

    async def _result(self) -> R:
        __tracebackhide__ = True
        try:
            native = self._unclaimed.pop()
        except IndexError:
            return await self._of_another()
        import asyncio

        self.loop = asyncio.get_running_loop()
        try:
            value = await native
        except BaseException as error:
            self._end(None, error)
            await in_turn(error)
            raise
        self._end(value, None)
        await in_turn()
        return value

    def _end(self, value: R | None, error: BaseException | None) -> None:
        self._ended = value, error
        while self._waiting:
            self._waiting.pop().set_result(None)

    async def _of_another(self) -> R:
        """The result of the await that came first."""
        __tracebackhide__ = True
        import asyncio

        told: concurrent.futures.Future[None] = new_outcome()
        told.set_running_or_notify_cancel()  # who stops waiting does not cancel it: it is told all the same
        self._waiting.append(told)
        if self._ended is None:  # else it ended before we stood in the list, and nobody may look there again
            await asyncio.wrap_future(told)
        value, error = self._ended or (None, None)
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    # as asyncio steps a coroutine

    def send(self, value: Any) -> Any:
        """One step."""
        return self._steps().send(value)

    def throw(self, *error: Any) -> Any:
        """One step that begins with an exception."""
        return self._steps().throw(*error)

    def close(self) -> None:
        """Give it up; a call that was never awaited never ran."""
        for steps in self._stepped.values():
            steps.close()
        while self._unclaimed:
            self._unclaimed.pop().close()

    def _steps(self) -> Coroutine[Any, Any, R]:
        """What the running task steps: each has its own, so that two tasks may be made of one coroutine."""
        task = running_task()  # None where it is stepped by hand, without a loop
        steps = self._stepped.get(task)
        if steps is None:
            steps = self._stepped[task] = self._result()
        return steps

    def __repr__(self) -> str:
        state = "not awaited" if self._unclaimed else "running" if self._ended is None else "done"
        return f"<coroutine of {self.__name__}: {state}>"

    def __reduce__(self) -> NoReturn:
        raise SerializationError(
            f"a coroutine of {self.__name__} cannot be stored: await it, or pass it as an argument by itself"
        )
