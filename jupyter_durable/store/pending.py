"""What journals have queued for the thread of their store, and how whoever waits for it is told.

Rules of this file
- Nothing here knows what a store is made of: those that commit in a thread of their own share it.
- The dict and the deque are never replaced: other threads hold them and add to them without a lock. Each operation
  used here is atomic under the interpreter's lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from jupyter_durable.core.model import CallRow, Write
from jupyter_durable.errors import InternalError, StoreError
from jupyter_durable.records import NamedTuple

T = TypeVar("T")
M = TypeVar("M")
W = TypeVar("W")


class Fence(NamedTuple):
    """What every write of a journal is conditional on, and the request's id for messages."""

    serial: int
    epoch: int
    id: str


class Pending:
    """The queued writes of one journal."""

    __slots__ = ("deferred", "failure", "fence", "marks")

    def __init__(self, fence: Fence) -> None:
        self.fence = fence
        self.marks: dict[int, CallRow] = {}
        """Started marks by identity; the outcome of a call removes its mark."""
        self.deferred: deque[Write] = deque()
        self.failure: StoreError | None = None
        """Why queued writes were given up; raised to whoever waits next."""

    def take(self) -> list[Write]:
        """Everything queued: marks, then the rest in order."""
        return drained(self.marks, self.deferred)

    def restore(self, writes: Sequence[Write]) -> None:
        """Queue again what could not be written, before what came since."""
        for write in reversed(writes):
            if isinstance(write, CallRow) and write.status == "running":
                self.marks.setdefault(write.identity, write)
            else:
                self.deferred.appendleft(write)


Taken: TypeAlias = Sequence[tuple[Pending, list[Write]]]
"""What was queued, by journal."""


def drained(marks: dict[int, M], deferred: deque[W]) -> list[M | W]:
    """What is taken out of both, while others add to them: marks, then the rest in order."""
    taken: list[M | W] = [mark for identity in list(marks) if (mark := marks.pop(identity, None)) is not None]
    taken.extend(deferred.popleft() for _ in range(len(deferred)))
    return taken


class Post(NamedTuple):
    """An outcome that waits for the next group."""

    pending: Pending
    row: CallRow
    writes: Sequence[Write]
    done: Callable[[BaseException | None], None]
    suspect: bool = False
    """A commit of it failed so that it may be there."""


class Waiting(Generic[T]):
    """Waits for an answer of the store's thread.

    Looks at `done` before it waits, so that an exception between two bytecodes cannot make it wait for ever.
    """

    __slots__ = ("done", "error", "gate", "result")

    def __init__(self) -> None:
        self.done = False
        self.error: BaseException | None = None
        self.result: T | None = None
        self.gate = threading.Lock()
        self.gate.acquire()

    def __call__(self, error: BaseException | None) -> None:
        self.error = error
        self.done = True
        self.gate.release()

    def wait(self) -> None:
        while not self.done:
            self.gate.acquire()
        if self.error is not None:
            raise self.error

    def answer(self) -> T:
        """The result of the work. Raises what the work raised."""
        self.wait()
        if self.result is None:
            raise InternalError("the store's thread gave no answer; please report this")
        return self.result


class Work(NamedTuple):
    """Statements to run as one transaction, with what the store executes them by. `pending` is written in the same one,
    when given."""

    run: Callable[[Any], object]
    done: Waiting[object]
    pending: Pending | None = None
