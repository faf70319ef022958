"""The writer of a store that commits groups: outcomes, what is queued beside them, and works of their own.

Rules of this file
- Only the store's thread begins transactions. A signal in the main thread can therefore never leave one open.
- A group is all queued outcomes and all pending writes of every journal: the marks of a call's ancestors are in the
  same commit as its outcome, or in an earlier one. While it is on its way the next one gathers.
- How it is committed is for the store to say (`Commits`). Nobody is told of success before the commit that holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar, cast

from jupyter_durable.store.pending import Pending, Post, Waiting, Work
from jupyter_durable.store.thread import ARM, STOP, StoreThread, tell

T = TypeVar("T")
By = TypeVar("By")
"""What a work writes with."""
TEND: Final = "tend"


class Commits(Protocol):
    """How a store commits. All but `usable` is called in its thread, and raises nothing."""

    def usable(self) -> None:
        """Raise `StoreError` when nothing more can be written."""

    def closed(self) -> str:
        """What those are told whose writes were still queued when the thread ended."""

    def group(self, group: Sequence[Post], journals: Mapping[int, Pending]) -> Sequence[BaseException | None]:
        """Commit outcomes with what all `journals` have queued; what became of each, in order."""

    def work(self, work: Work) -> BaseException | None:
        """Commit a work with what its journal has queued; why it failed. Its result goes to who waits."""

    def tend(self, *, asked: bool) -> None:
        """What is to be done between two commits; `asked`: it was asked for."""


def nothing(_: object) -> None:
    """The work of who only waits for what is queued."""


class Writer(Generic[By]):
    """What is committed in the store's thread."""

    def __init__(self, commits: Commits) -> None:
        self.journals: dict[int, Pending] = {}
        self.thread: StoreThread[Post | Work] = StoreThread(self._serve, commits.usable, commits.closed)
        self._commits = commits

    # from any thread

    def run(self, work: Callable[[By], T], pending: Pending | None = None) -> T:
        """Run `work` as one transaction in the store's thread, after `pending`; its result."""
        waiting: Waiting[object] = Waiting()
        self.thread.put(Work(work, waiting, pending))
        waiting.wait()
        return cast(T, waiting.result)

    def flush(self, pending: Pending) -> None:
        """Wait until what a journal has queued is durable. Raises why it was given up."""
        self.run(nothing, pending)
        failure, pending.failure = pending.failure, None
        if failure is not None:
            raise failure

    # in the store's thread

    def _serve(self) -> None:
        while True:
            item = self.thread.next()
            if item is None:
                self._commit([])
            elif isinstance(item, Post):
                if self._commit_with_followers(item):
                    return
            elif isinstance(item, Work):
                self._work(item)
            elif item is STOP:
                self._commit([])
                return
            self._commits.tend(asked=item is TEND)

    def _commit_with_followers(self, first: Post) -> bool:
        """Commit all outcomes queued right now as one group; whether a stop came."""
        group: list[Post] = [first]
        last: Work | str | None = None
        while last is None and (item := self.thread.more()) is not None:
            if isinstance(item, Post):
                group.append(item)
            elif item is not TEND:
                last = item
        self._commit(group)
        if isinstance(last, Work):
            self._work(last)
        elif last is ARM:
            self.thread.disarm()
            self._commit([])
        return last is STOP

    def _commit(self, group: list[Post]) -> None:
        if not group and not any(p.marks or p.deferred for p in list(self.journals.values())):
            return
        self.thread.in_hand = [*group]
        outcomes = self._commits.group(group, self.journals)
        self.thread.in_hand = []
        for post, error in zip(group, outcomes, strict=True):
            tell(post.done, error)

    def _work(self, work: Work) -> None:
        self.thread.in_hand = [work]
        error = self._commits.work(work)
        self.thread.in_hand = []
        tell(work.done, error)
