"""Bodies run in the calling thread, at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from jupyter_durable.executor.outcomes import new_outcome

if TYPE_CHECKING:
    import concurrent.futures

T = TypeVar("T")


class InlineExecutor:
    """Runs each body in the thread that submits it, before `submit` returns."""

    slots = 1

    def submit(self, body: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Run `body` now."""
        done: concurrent.futures.Future[T] = new_outcome()
        try:
            done.set_result(body())
        except BaseException as error:
            done.set_exception(error)
            if not isinstance(error, Exception):
                raise
        return done

    def blocked(self) -> contextlib.AbstractContextManager[None]:
        """Nothing is held, so nothing is given back."""
        return contextlib.nullcontext()
