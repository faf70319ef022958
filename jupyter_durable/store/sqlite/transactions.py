"""One transaction of the store's thread, and what is done after one that failed.

Rules of this file
- Only the store's thread comes here, and it holds the lock of the link.
- Whatever is raised inside rolls back; a transaction is counted when its COMMIT has returned, not before.
- After an input/output error nothing may be acknowledged before `reopened` says that all that is readable is synced.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import cast

from jupyter_durable.core.model import Write
from jupyter_durable.errors import StoreError
from jupyter_durable.store.pending import Pending
from jupyter_durable.store.sqlite.link import Link
from jupyter_durable.store.sqlite.writing import lost, write_all


class Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when anything is raised."""

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def __enter__(self) -> sqlite3.Cursor:
        self._link.cursor.execute("BEGIN IMMEDIATE")
        return cast(sqlite3.Cursor, self._link.cursor)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._link.cursor.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
            self._link.commits += 1
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        if self._link.connection.in_transaction:  # a full disk and an I/O error roll back by themselves
            self._link.cursor.execute("ROLLBACK")


def write_pending(cursor: sqlite3.Cursor, pending: Pending, writes: Iterable[Write]) -> None:
    """Write what a journal has queued; where its run has lost the request, whoever waits for it next is told."""
    refused = lost(cursor, pending.fence) if writes else None
    if refused is None:
        write_all(cursor, pending.fence, writes)
    else:
        pending.failure = refused


def reopened(link: Link) -> StoreError | None:
    """After an input/output error: a new connection on which everything readable is synced, or the error."""
    try:
        link.reopen()
    except sqlite3.Error as error:
        return link.failed(error)
    except StoreError as error:
        return error
    return None
