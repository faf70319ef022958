"""The store's thread: everything that is queued goes to the server as one batch, one batch at a time.

Rules of this file
- A batch holds, for each journal, first what was queued with `later`, then its outcomes: the marks of a call's
  ancestors are never durable after its outcome.
- Nobody is told of success before the server has said that it is durable. `done` is called without a lock.
- What could not be sent stays queued, or is refused to whoever waits. That it may have arrived all the same is
  remembered: when it comes again the server is told so, and looks.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final

from jupyter_durable.core.model import CallRow, Lease
from jupyter_durable.errors import DurableError, InternalError, StoreError, StoreGone
from jupyter_durable.records import NamedTuple
from jupyter_durable.store.base import FLUSH_SECONDS
from jupyter_durable.store.http import wire
from jupyter_durable.store.http.link import Link
from jupyter_durable.store.http.outage import log
from jupyter_durable.store.http.wire import Answered, Outcome, Part, Refused, Tagged

CLOSE_SECONDS: Final = 10.0
"""How long closing waits for what is queued."""
Done = Callable[[BaseException | None], None]


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
        taken = [mark for identity in list(self.marks) if (mark := self.marks.pop(identity, None)) is not None]
        taken.extend(self.deferred.popleft() for _ in range(len(self.deferred)))
        return taken

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


class Waiting:
    """Waits for what becomes of something queued; an interrupt in an outage gives the server up."""

    __slots__ = ("_link", "done", "error", "gate")

    def __init__(self, link: Link) -> None:
        self._link = link
        self.done = False
        self.error: BaseException | None = None
        self.gate = threading.Lock()
        self.gate.acquire()

    def __call__(self, error: BaseException | None) -> None:
        self.error = error
        self.done = True
        self.gate.release()

    def wait(self) -> None:
        try:
            while not self.done:
                self.gate.acquire()
        except KeyboardInterrupt:
            self._link.outage.give_up()
            raise
        if self.error is not None:
            raise self.error


_ARM: Final = "arm"
_STOP: Final = "stop"
_Item = Post | Flush | str


class Sender:
    """Owns the thread. Started on first need; a daemon, so that it never keeps a kernel from ending."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.journals: dict[int, Queued] = {}
        self.beside: list[Callable[[], str | None]] = []
        """Say what happened to what is needed to read the store later."""
        self._armed = False
        self._inbox: SimpleQueue[_Item] = SimpleQueue()  # its put is one C call: no interrupt can lose a wake-up
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._in_hand: list[Post | Flush] = []
        self._doubtful: set[tuple[int, ...]] = set()
        """Outcomes that were given up and may have arrived."""

    # from any thread

    def put(self, item: Post | Flush) -> None:
        """Have it sent."""
        self._put(item)

    def arm(self) -> None:
        """Send within `FLUSH_SECONDS`."""
        if not self._armed:
            self._armed = True
            self._put(_ARM)

    def stop(self) -> None:
        """Send what is queued and end the thread; what takes too long is refused."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._inbox.put(_STOP)
            thread.join(CLOSE_SECONDS)
            self.link.outage.give_up()

    def _put(self, item: _Item) -> None:
        self.link.usable()
        if threading.current_thread() is self._thread and not isinstance(item, str):
            raise InternalError("a callback of the store asked the store to commit; that would wait for itself")
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    thread = threading.Thread(target=self._main, name="jupyter-durable-store", daemon=True)
                    self._thread = thread  # first: an interrupt that comes up in the next line starts no second one
                    try:
                        thread.start()
                    except RuntimeError:  # there can be no more threads
                        self._thread = None
                        raise
        self._inbox.put(item)

    # in the store's thread

    def _main(self) -> None:
        try:
            self._loop()
        finally:
            self._refuse_rest()

    def _loop(self) -> None:
        deadline: float | None = None
        stopped = False
        while not stopped:
            items, stopped = self._next(deadline)
            if items == [_ARM]:
                deadline = deadline or time.monotonic() + FLUSH_SECONDS
                continue
            deadline, self._armed = None, False  # disarmed first: what comes after is seen now or arms again
            self._in_hand = [item for item in items if not isinstance(item, str)]
            while self._in_hand:
                self._send(self._cut())
            if not items or stopped:
                self._send([])

    def _next(self, deadline: float | None) -> tuple[list[_Item], bool]:
        """All that is queued; nothing when the deadline has come. Whether a stop was among it."""
        try:
            items = [self._inbox.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))]
        except Empty:
            return [], False
        while items[0] != _ARM and not self._inbox.empty():
            items.append(self._inbox.get_nowait())
        return items, _STOP in items

    def _cut(self) -> list[Post | Flush]:
        """The next batch of what is in hand: as much as is sent at once."""
        size, taken = 0, 0
        for item in self._in_hand:
            size += _size(item)
            if taken and size > wire.BATCH_BYTES:
                break
            taken += 1
        return self._in_hand[:taken]

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
        del self._in_hand[: len(items)]
        for done, error in told:
            _tell(done, error)
        for item in items:
            if isinstance(item, Flush):
                failure, item.queued.failure = item.queued.failure, None
                _tell(item.done, failure)

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

    def _refuse_rest(self) -> None:
        """The thread ends: tell everybody who still waits."""
        rest: list[_Item] = [*self._in_hand]
        while not self._inbox.empty():
            rest.append(self._inbox.get_nowait())
        self._thread = None
        failure = StoreError(f"the store {self.link.url} is closed, and this was not written before; open it again")
        for item in rest:
            if not isinstance(item, str):
                _tell(item.done, failure)


def _size(item: Post | Flush) -> int:
    if isinstance(item, Flush):
        return 0
    row = item.outcome.row
    parts = (row.value, row.inputs, row.writes, row.below, row.files)
    return 256 + sum(len(part) for part in parts if part) + sum(len(each.row) for each in item.outcome.writes)


def _error(refused: Refused | None) -> DurableError | None:
    return None if refused is None else wire.error_of(200, *refused)


def _tell(done: Done, error: BaseException | None) -> None:
    try:
        done(error)
    except Exception:  # noqa: BLE001 - the log says it
        log.exception("a callback of the store raised")
