"""How a group of outcomes is committed: together, and when that fails one by one.

Rules of this file
- Only the store's thread comes here, and it holds the lock of the link.
- A group is written with all that its journals had queued, before its outcomes: an outcome is never durable before the
  marks of its callers.
- Nobody is told of anything here: what became of each outcome is returned, in order, after the commit that holds it.
- What cannot be written for a passing reason is given back to its journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from jupyter_durable.core.model import Write
from jupyter_durable.errors import CheckpointError, StoreError, StoreGone
from jupyter_durable.store.blobs import BlobFolder
from jupyter_durable.store.pending import Pending, Post, Taken
from jupyter_durable.store.sqlite.faults import FAULTS, PASSING, code_of, is_io_error
from jupyter_durable.store.sqlite.link import Link
from jupyter_durable.store.sqlite.patience import Patience
from jupyter_durable.store.sqlite.transactions import Transaction, reopened, write_pending
from jupyter_durable.store.sqlite.writing import is_there, record, write_all


class Groups:
    """Writes groups on the link of a store; keeps nothing between two of them."""

    def __init__(self, link: Link, blobs: BlobFolder) -> None:
        self._link = link
        self._blobs = blobs

    def commit(self, group: Sequence[Post], taken: Taken, patience: Patience) -> list[StoreError | None] | None:
        """What became of each; None: another process holds the file, nothing was written, and it is waited for."""
        outcomes: list[StoreError | None] = []
        if self._link.gone is not None:
            return self._singly(group, taken, self._out_of_place())
        try:
            if any(post.suspect for post in group):
                return self._singly(group, taken, reopened(self._link), verify=True)
            with Transaction(self._link) as cursor:
                for pending, writes in taken:
                    write_pending(cursor, pending, writes)
                for post in group:
                    outcomes.append(self._write_post(cursor, post))
        except (*FAULTS, StoreGone) as error:
            if patience.again(error):
                for pending, writes in taken:
                    pending.restore(writes)
                return None
            if code_of(error) == sqlite3.SQLITE_BUSY:  # no member is to blame, and each would wait as long again
                return self._singly(group, taken, self._link.failed(patience.over(error)))
            suspect = is_io_error(error)
            return self._singly(group, taken, reopened(self._link) if suspect else None, verify=suspect)
        return outcomes

    def _out_of_place(self) -> StoreError | None:
        """Why nothing may be written: the files are not where they were opened."""
        try:
            self._link.check_place()
        except StoreError as error:
            return error
        return None

    def _singly(
        self, group: Sequence[Post], taken: Taken, failure: StoreError | None, *, verify: bool = False
    ) -> list[StoreError | None]:
        """One transaction each, or `failure` for all.

        What cannot be written for a passing reason stays queued, and holds up the outcomes of its journal: they must
        not be durable before the marks of their callers.
        """
        held: dict[int, StoreError] = {}
        for pending, writes in taken:
            blocked = failure or self._pending_singly(pending, writes)
            if blocked is not None:
                held[id(pending)] = blocked
                if failure is not None:
                    pending.restore(writes)
        return [held.get(id(post.pending)) or failure or self._post_singly(post, verify=verify) for post in group]

    def _write_post(self, cursor: sqlite3.Cursor, post: Post) -> StoreError | None:
        if post.row.blob is not None:
            try:
                self._blobs.ensure(post.row.blob)
            except CheckpointError as error:
                return error
        refused = record(cursor, post.pending.fence, post.row)
        if refused is None:
            write_all(cursor, post.pending.fence, post.writes)
        return refused

    def _pending_singly(self, pending: Pending, writes: list[Write]) -> StoreError | None:
        for n, write in enumerate(writes):
            try:
                with Transaction(self._link) as cursor:
                    write_pending(cursor, pending, [write])
            except (*FAULTS, StoreGone) as error:
                failure = self._link.failed(error)
                if code_of(error) in PASSING or isinstance(failure, StoreGone):
                    pending.restore(writes[n:])
                    return reopened(self._link) or failure if is_io_error(error) else failure
                pending.failure = failure
        return None

    def _post_singly(self, post: Post, *, verify: bool) -> StoreError | None:
        try:
            if verify and is_there(self._link.cursor, post.pending.fence, post.row):
                return None
            with Transaction(self._link) as cursor:
                return self._write_post(cursor, post)
        except (*FAULTS, StoreGone) as error:
            if is_io_error(error) and reopened(self._link) is None and not verify:
                return self._post_singly(post, verify=True)
            return self._link.failed(error)
