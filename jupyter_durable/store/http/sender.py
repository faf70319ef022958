"""The store's thread: everything that is queued goes to the server as one batch, one batch at a time.

Rules of this file
- A batch holds, for each journal, first what was queued with `later`, then its outcomes: the marks of a call's
  ancestors are never durable after its outcome.
- Nobody is told of success before the server has said that it is durable. `done` is called without a lock.
- What could not be sent stays queued, or is refused to whoever waits. That it may have arrived all the same is
  remembered: when it comes again the server is told so, and looks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from jupyter_durable.core.model import CallRow, Lease
from jupyter_durable.errors import DurableError, StoreGone
from jupyter_durable.records import NamedTuple
from jupyter_durable.store.http import wire
from jupyter_durable.store.http.link import Link
from jupyter_durable.store.http.wire import Answered, Outcome, Part, Refused, Tagged
from jupyter_durable.store.pending import Waiting, drained
from jupyter_durable.store.thread import STOP, Done, StoreThread, tell

CLOSE_SECONDS: Final = 10.0
"""How long closing waits for what is queued."""


class Queued:
    """What one journal has for the next batch. The dict and the deque are never replaced."""

    __slots__ = ("deferred", "failure", "in_doubt", "lease", "marks")

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.marks: dict[int, Tagged] = {}
        """Started marks by identity; the outcome of a call removes its mark."""
        self.deferred: deque[Tagged] = deque()
        self.failure: DurableError | None = None
        """Why queued writes were given up; raised to whoever waits next."""
        self.in_doubt = False
        """Of what is queued some may have arrived."""

    def take(self) -> list[Tagged]:
        return drained(self.marks, self.deferred)

    def restore(self, writes: Sequence[Tagged]) -> None:
        """Queue again, before what came since. A mark that is late changes nothing."""
        self.deferred.extendleft(reversed(writes))
        self.in_doubt = True


class Post(NamedTuple):
    """An outcome that waits for the next batch."""

    queued: Queued
    outcome: Outcome
    done: Done

    def place(self) -> tuple[int, ...]:
        """Which outcome it is."""
        row: CallRow = self.outcome.row
        return self.queued.lease.serial, row.parent, row.identity, row.pass_no, row.attempts


class Flush(NamedTuple):
    """Somebody waits until all that a journal queued before is durable."""

    queued: Queued
    done: Done


def wait(link: Link, waiting: Waiting[None]) -> None:
    """Until it is known what became of something queued; an interrupt in an outage gives the server up."""
    try:
        waiting.wait()
    except KeyboardInterrupt:
        link.outage.give_up()
        raise


class Sender:
    """What is sent in the store's thread."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.thread: StoreThread[Post | Flush] = StoreThread(self._serve, link.usable, self._closed)
        self.journals: dict[int, Queued] = {}
        self.beside: list[Callable[[], str | None]] = []
        """Say what happened to what is needed to read the store later."""
        self._doubtful: set[tuple[int, ...]] = set()
        """Outcomes that were given up and may have arrived."""

    def stop(self) -> None:
        """Send what is queued and end the thread; what takes too long is refused."""
        if not self.thread.own() and self.thread.stop(CLOSE_SECONDS):
            self.link.outage.give_up()

    # in the store's thread

    def _closed(self) -> str:
        return f"the store {self.link.url} is closed, and this was not written before; open it again"

    def _serve(self) -> None:
        stopped = False
        while not stopped:
            items = self._next()
            stopped = STOP in items
            self.thread.disarm()
            self.thread.in_hand = [item for item in items if not isinstance(item, str)]
            while self.thread.in_hand:
                self._send(self._cut())
            if not items or stopped:
                self._send([])

    def _next(self) -> list[Post | Flush | str]:
        """All that is queued; nothing when a flush is due."""
        items: list[Post | Flush | str] = []
        item = self.thread.next()
        while item is not None:
            items.append(item)
            item = self.thread.more()
        return items

    def _cut(self) -> list[Post | Flush]:
        """The next batch of what is in hand: as much as is sent at once."""
        size, taken = 0, 0
        for item in self.thread.in_hand:
            size += _size(item)
            if taken and size > wire.BATCH_BYTES:
                break
            taken += 1
        return self.thread.in_hand[:taken]

    def _send(self, items: Sequence[Post | Flush]) -> None:
        posts = [item for item in items if isinstance(item, Post)]
        taken = {id(queued): (queued, queued.take()) for queued in list(self.journals.values())}
        for item in items:
            taken.setdefault(id(item.queued), (item.queued, []))
        parts = [
            Part(queued.lease, later, [post.outcome for post in posts if post.queued is queued])
            for queued, later in taken.values()
        ]
        told = self._deliver(list(taken.values()), parts, posts)
        del self.thread.in_hand[: len(items)]
        for done, error in told:
            tell(done, error)
        for item in items:
            if isinstance(item, Flush):
                failure, item.queued.failure = item.queued.failure, None
                tell(item.done, failure)

    def _deliver(
        self, taken: list[tuple[Queued, list[Tagged]]], parts: list[Part], posts: Sequence[Post]
    ) -> list[tuple[Done, DurableError | None]]:
        """What became of each outcome."""
        wanted = [n for n, part in enumerate(parts) if part.later or part.outcomes]
        if not wanted:
            return []
        doubt = any(queued.in_doubt for queued, _ in taken) or any(post.place() in self._doubtful for post in posts)
        try:
            self._look_beside()
            answers: list[Answered] = self.link.ask("write", [parts[n] for n in wanted], again=doubt)
        except DurableError as error:
            return self._failed(error, taken, posts)
        self._doubtful.difference_update(post.place() for post in posts)
        told: list[tuple[Done, DurableError | None]] = []
        for n, answer in zip(wanted, answers, strict=True):
            queued, _ = taken[n]
            queued.in_doubt = False
            queued.failure = _error(answer.later) or queued.failure
            own = (post for post in posts if post.queued is queued)
            told += [(post.done, _error(each)) for post, each in zip(own, answer.outcomes, strict=True)]
        return told

    def _failed(
        self, error: DurableError, taken: list[tuple[Queued, list[Tagged]]], posts: Sequence[Post]
    ) -> list[tuple[Done, DurableError | None]]:
        """Nobody knows whether the batch arrived."""
        for queued, later in taken:
            if later:
                queued.restore(later)
                queued.failure = error
        self._doubtful.update(post.place() for post in posts)
        return [(post.done, error) for post in posts]

    def _look_beside(self) -> None:
        for look in self.beside:
            what = look()
            if what is not None:
                raise StoreGone(f"{what}. Results are kept in memory: put it back, and replay the request to go on")


def _size(item: Post | Flush) -> int:
    if isinstance(item, Flush):
        return 0
    row = item.outcome.row
    parts = (row.value, row.inputs, row.writes, row.below, row.files)
    return 256 + sum(len(part) for part in parts if part) + sum(len(each.row) for each in item.outcome.writes)


def _error(refused: Refused | None) -> DurableError | None:
    return None if refused is None else wire.error_of(200, *refused)
