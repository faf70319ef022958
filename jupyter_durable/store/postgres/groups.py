"""How a group of outcomes is committed: together, and when that fails one by one.

Rules of this file
- Only the store's thread comes here.
- A group is written with all that its journals had queued, before its outcomes: an outcome is never durable before the
  marks of its callers. What came with an outcome that was refused is not written.
- Nobody is told of anything here: what became of each outcome is returned, in order, after the commit that holds it.
- One outcome alone is one statement. When the answer to it is lost it is sent again, and a refusal is read back:
  exactly this outcome is there, or it is refused.
- What cannot be written for a passing reason is given back to its journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import psycopg

from jupyter_durable.core.model import Write
from jupyter_durable.errors import StoreError
from jupyter_durable.store.pending import Pending, Post, Taken
from jupyter_durable.store.postgres import statements
from jupyter_durable.store.postgres.faults import FAULTS, passing, write_failed
from jupyter_durable.store.postgres.transactions import Session, Transaction
from jupyter_durable.store.postgres.writing import is_there, lost, refusal, write_all


class Groups:
    """Writes groups; keeps nothing between two of them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def commit(self, group: Sequence[Post], taken: Taken) -> list[StoreError | None]:
        """What became of each."""
        queued = [(pending, writes) for pending, writes in taken if writes]
        if len(group) == 1 and not queued and not group[0].writes:
            return [self._alone(group[0])]
        try:
            return self._session.transaction(partial(_written, group=group, queued=queued))
        except FAULTS as error:
            if passing(error):  # no member is to blame, and each would wait as long again
                for pending, writes in queued:
                    self._session.give_back(writes)
                    pending.restore(writes)
                return [self._failed(error)] * len(group)
            return self._singly(group, queued)

    def _failed(self, error: BaseException) -> StoreError:
        return write_failed(self._session.link.address, error)

    def _alone(self, post: Post) -> StoreError | None:
        fence = post.pending.fence
        try:
            if self._session.alone(statements.RECORD, (*post.row, fence.serial, fence.epoch)) == 1:
                return None
        except psycopg.OperationalError as error:
            if not self._session.link.lost():
                return self._failed(error)
        except FAULTS as error:
            return self._failed(error)
        return self._again(post)

    def _again(self, post: Post) -> StoreError | None:
        """The same outcome once more, when it was refused, or may have been written."""
        try:
            return self._session.transaction(partial(_repeated, post=post))
        except FAULTS as error:
            return self._failed(error)

    def _singly(self, group: Sequence[Post], queued: Taken) -> list[StoreError | None]:
        """One transaction each. What stays queued holds up the outcomes of its journal."""
        held: dict[int, StoreError] = {}
        for pending, writes in queued:
            blocked = self._pending_singly(pending, writes)
            if blocked is not None:
                held[id(pending)] = blocked
        return [held.get(id(post.pending)) or self._post_singly(post) for post in group]

    def _pending_singly(self, pending: Pending, writes: list[Write]) -> StoreError | None:
        for n, write in enumerate(writes):
            try:
                self._session.transaction(partial(write_pending, pending=pending, writes=[write]))
            except FAULTS as error:
                failure = self._failed(error)
                if passing(error):
                    self._session.give_back([write])
                    pending.restore(writes[n:])
                    return failure
                pending.failure = failure
        return None

    def _post_singly(self, post: Post) -> StoreError | None:
        try:
            return self._session.transaction(partial(_written, group=[post], queued=[]))[0]
        except FAULTS as error:
            return self._failed(error)


def write_pending(transaction: Transaction, pending: Pending, writes: Sequence[Write]) -> None:
    """Write what a journal has queued; where its run has lost the request, whoever waits for it next is told."""
    refused = lost(transaction, pending.fence) if writes else None
    if refused is None:
        write_all(transaction, pending.fence, writes)
    else:
        pending.failure = refused


def _written(transaction: Transaction, group: Sequence[Post], queued: Taken) -> list[StoreError | None]:
    """The group in two flights: what is queued and the outcomes, then what came with those that were accepted."""
    members = {pending.fence for pending in (*(p for p, _ in queued), *(post.pending for post in group))}
    fences = transaction.execute(statements.FENCES, ([fence.serial for fence in members],))
    for pending, writes in queued:
        write_all(transaction, pending.fence, writes)
    sent = [
        transaction.execute(statements.RECORD, (*post.row, post.pending.fence.serial, post.pending.fence.epoch))
        for post in group
    ]
    transaction.sync()
    held = set(fences.fetchall())
    for pending, _ in queued:
        if (pending.fence.serial, pending.fence.epoch) not in held:
            pending.failure = lost(transaction, pending.fence)
    outcomes: list[StoreError | None] = []
    for post, cursor in zip(group, sent, strict=True):
        accepted = cursor.rowcount == 1
        outcomes.append(None if accepted else refusal(transaction, post.pending.fence, post.row))
        if accepted:
            write_all(transaction, post.pending.fence, post.writes)
    return outcomes


def _repeated(transaction: Transaction, post: Post) -> StoreError | None:
    fence, row = post.pending.fence, post.row
    changed = transaction.changed(statements.RECORD, (*row, fence.serial, fence.epoch))
    if changed == 1 or is_there(transaction, fence, row):
        return None
    return refusal(transaction, fence, row)
