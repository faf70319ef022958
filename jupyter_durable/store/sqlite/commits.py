"""What the store's thread does on SQLite: group commits, transactions of several statements, checkpoints.

Rules of this file
- How a group is written, and what is done when it fails, stands in `groups`; here it is begun, with the lock held.
- What is queued is taken under the lock: a lone commit of another thread sees whether there is any.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from jupyter_durable.errors import DurableError, LeaseLost, StoreError, StoreGone
from jupyter_durable.store.blobs import BlobFolder
from jupyter_durable.store.pending import Pending, Post, Work
from jupyter_durable.store.sqlite.faults import FAULTS, code_of, is_io_error
from jupyter_durable.store.sqlite.groups import Groups
from jupyter_durable.store.sqlite.link import CHECKPOINT_EVERY, Link
from jupyter_durable.store.sqlite.patience import logger
from jupyter_durable.store.sqlite.transactions import Transaction, reopened, write_pending


class SqliteCommits:
    """See `jupyter_durable.store.writer.Commits`."""

    def __init__(self, link: Link, blobs: BlobFolder) -> None:
        self._link = link
        self._blobs = blobs
        self._groups = Groups(link, blobs)

    def usable(self) -> None:
        if self._link.unusable is not None:
            raise StoreError(self._link.unusable)

    def closed(self) -> str:
        return f"the store {self._link.name} was closed before this was written; open it again"

    def group(self, group: Sequence[Post], journals: Mapping[int, Pending]) -> Sequence[BaseException | None]:
        patience, outcomes = self._link.patience(), None
        while outcomes is None:
            with self._link.lock:
                taken = [(p, p.take()) for p in list(journals.values())]
                outcomes = self._groups.commit(group, taken, patience)
        for post, error in zip(group, outcomes, strict=True):
            if error is None and post.row.blob is not None:
                self._blobs.release(post.row.blob)
        return outcomes

    def work(self, work: Work) -> BaseException | None:
        patience = self._link.patience()
        while True:
            error = self._worked(work)
            if error is None or not patience.again(error):
                break
        if error is not None and not isinstance(error, DurableError):
            error = self._link.failed(patience.over(error))
        return error

    def _worked(self, work: Work) -> BaseException | None:
        """Try it once; what was raised."""
        with self._link.lock:
            writes = work.pending.take() if work.pending is not None else []
            try:
                self._link.check_place()
                with self._link.working(), Transaction(self._link) as cursor:
                    if work.pending is not None:
                        write_pending(cursor, work.pending, writes)
                    work.done.result = work.run(cursor)
                writes = []
                self._link.check_place()  # what was written while the file was taken away is not acknowledged
            except (*FAULTS, DurableError) as raised:
                if work.pending is not None and not isinstance(raised, LeaseLost):
                    work.pending.restore(writes)
                return (reopened(self._link) or raised) if is_io_error(raised) else raised
        return None

    def tend(self, *, asked: bool) -> None:
        if asked or self._link.commits >= CHECKPOINT_EVERY:
            self._checkpoint()

    def _checkpoint(self) -> None:
        try:
            with self._link.lock:
                self._link.check_place()
                self._link.checkpoint()
        except StoreGone as error:  # whoever writes next is told
            self._link.commits = 0
            logger(__name__).warning("%s", error)
        except sqlite3.Error as error:  # nothing is lost: the WAL holds it all, and the next one moves it
            if code_of(error) == sqlite3.SQLITE_BUSY:
                return
            logger(__name__).warning("a checkpoint of %s failed: %s", self._link.name, error)
