"""A statement that reads is looked in on while it runs: a file can be made so that one never ends.

Rules of this file
- SQLite asks every `STEPS` steps, which is some times a millisecond. Python runs there, so that a signal is seen too:
  what its handler raises ends the statement, and is raised to whoever reads.
- It is set for a statement that reads and taken off behind it: a commit is never ended from here.
- Who only looks at files of others sets a `Limit`; a kernel reads for as long as it takes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final, TypeAlias

from jupyter_durable.errors import StoreError
from jupyter_durable.store.base import TookTooLong
from jupyter_durable.store.sqlite.faults import code_of

STEPS: Final = 20_000
MOST: Final = 1_000_000
"""Rows of one answer, where there is a limit: memory ends before time does."""
Limit: TypeAlias = Callable[[], float]
"""Seconds that the statement which begins now may take. Raises `TookTooLong` where nothing may be read any more."""


class Watch:
    """Of one statement. `seconds`: None is without limit."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._until = None if seconds is None else monotonic() + seconds
        self._over = False
        self._raised: BaseException | None = None

    def __call__(self) -> bool:
        """Whether the statement must end."""
        try:
            self._over = self._until is not None and monotonic() > self._until
        # Whatever a signal raises: out of here it would be lost.
        except BaseException as error:  # noqa: BLE001
            self._raised = error
            return True
        return self._over

    def read(self, connection: sqlite3.Connection, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows. Raises what a signal raised, and `sqlite3.Error`."""
        try:
            connection.set_progress_handler(self, STEPS)
            cursor = connection.execute(sql, values)
            if self._until is None:
                return cursor.fetchall()
            found = cursor.fetchmany(MOST)
            cursor.close()
            if len(found) == MOST:
                raise StoreError(f"there are more than {MOST:,} rows of one request or call: too many to look at")
            return found
        except sqlite3.OperationalError as error:
            if code_of(error) == sqlite3.SQLITE_INTERRUPT and not self._over:
                raise self._raised or KeyboardInterrupt from None  # None: it came up before our first line
            raise
        finally:
            connection.set_progress_handler(None, 0)

    def ended(self, error: BaseException) -> bool:
        """Whether `error` is ours: the time was over."""
        return self._over and code_of(error) == sqlite3.SQLITE_INTERRUPT

    def over(self, name: str) -> TookTooLong:
        """The error for that."""
        return TookTooLong(
            f"the store {name} was not read in {self._seconds:.3g} seconds, and reading it was given up. It is very"
            " large, or was made so that reading it never ends; `jupyter durable doctor` looks at it, and moving it"
            " aside takes it off the list"
        )
