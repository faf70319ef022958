"""Bodies run in the calling thread, at once."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class InlineExecutor:
    """Runs each body in the thread that submits it, before `submit` returns."""

    slots = 1

    def submit(self, body: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Run `body` now."""
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
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
