"""A statement that reads is looked in on while it runs: a file can be made so that one never ends.

Rules of this file
- SQLite asks every `STEPS` steps, which is some times a millisecond. Python runs there, so that a signal is seen too:
  what its handler raises ends the statement, and is raised to whoever reads.
- It is set for a statement that reads and taken off behind it: a commit is never ended from here.
- Who only looks at files of others sets a `Limit`; a kernel reads for as long as it takes.
- What counts is the time that the reading thread had a processor: a sound store is not refused because the machine is
  busy. On the clock it may take `SLOWER` times as long, for what waits without end uses no processor.
- It is looked in on between rows too: one row of a text of 16 MB takes longer than the steps it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from time import monotonic, thread_time
from typing import Any, Final, TypeAlias

from jupyter_durable.errors import StoreError
from jupyter_durable.store.base import TookTooLong
from jupyter_durable.store.sqlite.faults import code_of

STEPS: Final = 20_000
MOST: Final = 1_000_000
"""Rows of one answer, where there is a limit: memory ends before time does."""
SLOWER: Final = 20
"""How many times longer than its time on a processor a statement may take."""
GLANCE_SECONDS: Final = 0.01
"""Between two looks at the time of the thread, which costs ten times as much to ask for as that of the clock."""
Limit: TypeAlias = Callable[[], float]
"""Seconds of a processor that the statement which begins now may take.

Raises `TookTooLong` where nothing may be read any more.
"""


class Watch:
    """Of one statement, in the thread that reads. `seconds`: of a processor; None is without limit."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        if seconds is not None:
            self._used, self._until = thread_time() + seconds, monotonic() + SLOWER * seconds
        self._over = False
        self._raised: BaseException | None = None

    def __call__(self) -> bool:
        """Whether the statement must end."""
        try:
            self._over = self._seconds is not None and (thread_time() > self._used or monotonic() > self._until)
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
            return cursor.fetchall() if self._seconds is None else self._rows(cursor)
        except sqlite3.OperationalError as error:
            if code_of(error) == sqlite3.SQLITE_INTERRUPT and not self._over:
                raise self._raised or KeyboardInterrupt from None  # None: it came up before our first line
            raise
        finally:
            connection.set_progress_handler(None, 0)

    def _rows(self, cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        glance = monotonic() + GLANCE_SECONDS
        for row in cursor:
            found.append(row)
            if len(found) == MOST:
                raise StoreError(f"there are more than {MOST:,} rows of one request or call: too many to look at")
            if monotonic() > glance:
                if self():
                    raise self._raised or _interrupted()
                glance = monotonic() + GLANCE_SECONDS
        return found

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


def _interrupted() -> sqlite3.OperationalError:
    """As SQLite says it of a statement that was ended from here."""
    error = sqlite3.OperationalError("interrupted")
    error.sqlite_errorcode = sqlite3.SQLITE_INTERRUPT
    return error
