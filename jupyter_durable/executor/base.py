"""Where a function runs: in the calling thread, or beside it.

Rules of this file
- An executor runs bodies; it knows nothing of calls. What a body needs (context, deadline) is bound into it.
- Waiting for durable calls gives the slot back (`blocked`), so nested waits never deadlock, at any depth, with any
  number of slots.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import concurrent.futures

T = TypeVar("T")


class Executor(Protocol):
    """Runs bodies, at most `slots` at a time."""

    slots: int

    def submit(self, body: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Run `body` as soon as a slot is free."""

    def blocked(self) -> contextlib.AbstractContextManager[None]:
        """While a body of this executor waits for others: its slot is free. Elsewhere it does nothing."""
