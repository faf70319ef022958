"""What the store's thread does in a database: all that is written is written there.

Rules of this file
- No other thread writes, so no interrupt of user code ever meets a commit.
- How a group is written, and what is done when it fails, stands in `groups`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from jupyter_durable.core.model import Write
from jupyter_durable.errors import DurableError, LeaseLost, StoreError, StoreGone
from jupyter_durable.store.pending import Pending, Post, Work
from jupyter_durable.store.postgres.faults import FAULTS, write_failed
from jupyter_durable.store.postgres.groups import Groups, write_pending
from jupyter_durable.store.postgres.transactions import Session, Transaction
from jupyter_durable.store.writer import nothing


class PostgresCommits:
    """See `jupyter_durable.store.writer.Commits`."""

    def __init__(self, session: Session) -> None:
        self.looks: list[Callable[[], str | None]] = []
        """Say what happened to what else is needed to read the store later."""
        self.gone: str | None = None
        self._session = session
        self._link = session.link
        self._groups = Groups(session)

    def usable(self) -> None:
        if self._link.unusable is not None:
            raise StoreError(self._link.unusable)

    def closed(self) -> str:
        return f"the store {self._link.address.shown} was closed before this was written; open it again"

    def group(self, group: Sequence[Post], journals: Mapping[int, Pending]) -> Sequence[BaseException | None]:
        taken = [(pending, pending.take()) for pending in list(journals.values())]
        if not group and not any(writes for _, writes in taken):
            return []
        return self._groups.commit(group, taken)

    def work(self, work: Work) -> BaseException | None:
        writes = work.pending.take() if work.pending is not None else []
        try:
            if writes or work.run is not nothing:
                self._look()
                work.done.result = self._session.transaction(lambda each: _worked(each, work, writes))
        except (*FAULTS, DurableError) as raised:
            if work.pending is not None and not isinstance(raised, LeaseLost):
                self._session.give_back(writes)
                work.pending.restore(writes)
            return raised if isinstance(raised, DurableError) else write_failed(self._link.address, raised)
        return None

    def tend(self, *, asked: bool) -> None:
        del asked  # the database does

    def _look(self) -> None:
        """Raises `StoreGone` when what is needed to read the store later is not there any more."""
        self.gone = next((text for look in self.looks if (text := look()) is not None), None)
        if self.gone is not None:
            raise StoreGone(
                f"{self.gone}. Nothing more is written to {self._link.address.shown}. Put it back, and go on"
            )


def _worked(transaction: Transaction, work: Work, writes: list[Write]) -> object:
    if work.pending is not None:
        write_pending(transaction, work.pending, writes)
    return work.run(transaction)
