"""Transactions that happen once, also when the answer to their COMMIT is lost.

Rules of this file
- Only the store's thread comes here: `Session` is the connection that writes.
- Each transaction writes its number into the row of this writer. After a lost connection the row says whether the
  transaction is there; it is read when the server has ended the old connection, so that nothing is on its way any more.
- Statements are sent without waiting for each other's answers (pipeline), `MOST_STATEMENTS` and `MOST_BYTES` at a time:
  more, and client and server can wait for each other to read (psycopg#685).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import psycopg

from jupyter_durable.core.model import Write
from jupyter_durable.errors import InternalError
from jupyter_durable.store.postgres import statements
from jupyter_durable.store.postgres.faults import crossed
from jupyter_durable.store.postgres.link import Connection, Link, Waits

T = TypeVar("T")
MOST_STATEMENTS: Final = 500
MOST_BYTES: Final = 1 << 20
_CROSSINGS: Final = 10
Cursor = psycopg.Cursor[Any]


class Transaction:
    """What a transaction is written by."""

    def __init__(self, connection: Connection, pipeline: psycopg.Pipeline, there: Mapping[int, Write]) -> None:
        self._there = there
        self._connection = connection
        self._pipeline = pipeline
        self._statements = 0
        self._bytes = 0

    def execute(self, sql: str, values: Sequence[object] = ()) -> Cursor:
        """Send a statement; what it gives can be fetched at once, and is counted after `sync`."""
        self._statements += 1
        self._bytes += sum(len(value) for value in values if isinstance(value, bytes | str))
        if self._statements >= MOST_STATEMENTS or self._bytes >= MOST_BYTES:
            self.sync()
        return self._connection.cursor(binary=True).execute(sql, values)

    def sync(self) -> None:
        """Return when the server has done all that was sent. Raises `psycopg.Error`."""
        self._statements = self._bytes = 0
        self._pipeline.sync()

    def missing(self, writes: Sequence[Write]) -> list[Write]:
        """Those that no earlier transaction has written after all."""
        return [write for write in writes if id(write) not in self._there]

    def changed(self, sql: str, values: Sequence[object] = ()) -> int:
        """Rows that a statement changed."""
        cursor = self.execute(sql, values)
        self.sync()
        return cursor.rowcount


class Session:
    """The connection that writes."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._id = uuid.uuid4()
        self._number = 0
        self._unknown = False
        """Whether the last transaction is there is not known: the database was given up before it said so."""
        self._doubtful: list[Write] = []
        self._there: dict[int, Write] = {}
        """Writes that were given back and are there, by `id`: kept, so that no other one gets it."""

    def transaction(self, act: Callable[[Transaction], T]) -> T:
        """The result of `act`, which is run again when what it did is undone. Raises what it or the database raises."""
        waits, crossings = self.link.waits(), 0
        while True:
            done: list[T] = []
            try:
                with self.link.lock:
                    self._settle()
                    self._number += 1
                    return self._once(act, done)
            except psycopg.Error as error:
                if crossed(error) and crossings < _CROSSINGS:
                    crossings += 1
                    continue
                if done and self.link.lost():
                    if self._is_there(waits, error):
                        return done[0]
                elif not waits.again(error):
                    raise

    def give_back(self, writes: Sequence[Write]) -> None:
        """The last transaction failed with these in it, and they will come again."""
        if self._unknown:
            self._doubtful += writes

    def _settle(self) -> None:
        """Find out about the last transaction, before another one takes its place. Raises `psycopg.Error`."""
        if self._unknown:
            there = self._found()
            self._unknown = False
            if there:
                self._there.update((id(write), write) for write in self._doubtful)
            self._doubtful = []

    def _found(self) -> bool:
        with self.link.connection() as connection:
            found = connection.execute(statements.NUMBERED, (self._id,)).fetchone()
            return found is not None and found[0] == self._number

    def _once(self, act: Callable[[Transaction], T], done: list[T]) -> T:
        with self.link.connection() as connection:
            try:
                with connection.pipeline() as pipeline:
                    transaction = Transaction(connection, pipeline, self._there)
                    transaction.execute("BEGIN")
                    transaction.execute(statements.NUMBER, (self._id, self._number))
                    result = act(transaction)
                    transaction.sync()  # all is written, or an error says what is not
                    done.append(result)
                    ended = transaction.execute("COMMIT")
            except BaseException:
                if not connection.closed:
                    connection.execute("ROLLBACK")
                raise
            if ended.statusmessage != "COMMIT":
                raise InternalError(f"a transaction of the store ended with {ended.statusmessage}; please report this")
        return result

    def _is_there(self, waits: Waits, error: BaseException) -> bool:
        """Whether the last transaction was committed, of which that is not known. Raises `psycopg.Error`."""
        while True:
            try:
                with self.link.lock:
                    return self._found()
            except psycopg.OperationalError as again:
                if not waits.again(again):
                    self._unknown = True
                    raise error from again

    def alone(self, sql: str, values: Sequence[object]) -> int:
        """Rows that one statement changed, in a transaction of its own. It is not repeated."""
        with self.link.lock, self.link.connection() as connection:
            return connection.execute(sql, values).rowcount

    def forget(self) -> None:
        """This writer ends: its row is not needed any more."""
        if not self.link.lost() and self._number:
            with self.link.lock, self.link.connection() as connection:
                connection.execute("DELETE FROM writer WHERE id = %s", (self._id,))
