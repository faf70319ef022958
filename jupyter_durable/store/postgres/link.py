"""One connection to the database, opened when it is needed, and again after it was lost.

Rules of this file
- Whoever uses a connection holds `lock`. What is raised through a statement that was sent leaves the connection in an
  unknown state: it is dropped, and the next use opens another one.
- A commit is acknowledged when it is on the disk of the server, whatever its configuration says for others.
- A transaction of a process that was stopped is ended by the server after `IDLE_SECONDS`, so that it holds up nobody.
- Before another connection is used, the server has ended the last one: what was sent by it is decided by then.
- After a fork the child forgets the connection without closing it: it is the parent's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types.numeric import Int8BinaryDumper

from jupyter_durable.errors import StoreError
from jupyter_durable.store.postgres.address import Address
from jupyter_durable.store.postgres.schema import prepare

IDLE_SECONDS: Final = 60
PATIENCE_SECONDS: Final = 20.0
"""How long a database that does not answer is asked again. A server restarts within."""
TELL_SECONDS: Final = 2.0
_OLDEST: Final = 14
_END: Final = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE (pid, backend_start) = (%s, %s)"
Connection = psycopg.Connection[Any]
logging.getLogger("psycopg").addHandler(logging.NullHandler())  # what it says of a lost connection is said by us


def connected(address: Address) -> Connection:
    """A connection on which everything is set. Raises `psycopg.Error`, `StoreError`."""
    connection: Connection = psycopg.connect(address.conninfo, autocommit=True)
    try:
        _set(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


def _set(connection: Connection, address: Address) -> None:
    version, encoding = connection.info.server_version // 10_000, connection.info.parameter_status("server_encoding")
    if version < _OLDEST:
        raise StoreError(f"{address.shown} is PostgreSQL {version}; a store needs {_OLDEST} or newer")
    if encoding != "UTF8":
        raise StoreError(
            f"{address.shown} keeps texts as {encoding}; a store needs a database made with ENCODING 'UTF8'"
        )
    connection.adapters.register_dumper(int, Int8BinaryDumper)  # one type for all numbers: statements stay prepared
    connection.execute("SET client_encoding = 'UTF8'")
    connection.execute(sql.SQL("SET search_path = {}, pg_temp").format(sql.Identifier(address.schema)))
    connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
    connection.execute("SET default_transaction_isolation = 'read committed'")
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )


class _Forked:
    """Called in the child after a fork; lives as long as the process, and keeps the connection unclosed."""

    def __init__(self, link: Link) -> None:
        self.link = weakref.ref(link)
        self.kept: object = None

    def __call__(self) -> None:
        link = self.link()
        if link is not None:
            self.kept = link.forget()


class Link:
    """A connection, its lock, and the patience with a database that does not answer."""

    def __init__(self, address: Address, tell: Callable[[str], None], limit: Callable[[], float] | None = None) -> None:
        self.address = address
        self.limit = limit
        """Set by who only looks: seconds for the next statement; such a one does not wait for a database."""
        self.lock = threading.Lock()
        self.unusable: str | None = None
        self.patience = 0.0 if limit is not None else PATIENCE_SECONDS
        self._tell = tell
        self._connection: Connection | None = None
        self._last: tuple[int, object] | None = None
        """The server's process of the last connection, and when it began: a number is given again."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_Forked(self))

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """The connection, for who holds the lock. Dropped when anything is raised while it is not idle."""
        if self.unusable is not None:
            raise StoreError(self.unusable)
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._open()
        try:
            yield connection
        except BaseException:
            if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self.drop()
            raise

    def _open(self) -> Connection:
        connection = connected(self.address)
        try:
            if self._last is not None:
                connection.execute(_END, self._last)
            prepare(connection, self.address, make=self.limit is None)
            self._last = connection.execute(
                "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            ).fetchone()
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def lost(self) -> bool:
        """Whether there is no connection: what failed, failed with it."""
        return self._connection is None or self._connection.closed

    def drop(self) -> None:
        """Close the connection; the next use opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Nothing can be done with it afterwards."""
        if self.unusable is None:
            self.unusable = f"the store {self.address.shown} is closed; open it again"
            with self.lock:
                self.drop()

    def forget(self) -> object:
        """In the child of a fork; what must stay alive."""
        kept = (self._connection, self.lock)
        self._connection, self.lock = None, threading.Lock()
        if self.unusable is None:
            self.unusable = f"the store {self.address.shown} was opened before a fork; open it again in this process"
        return kept

    def waits(self) -> Waits:
        """For one piece of work."""
        return Waits(self)

    def tell(self, text: str) -> None:
        self._tell(text)


class Waits:
    """How long one piece of work waits for a database that does not answer."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._began = time.monotonic()
        self._pause = 0.05
        self._told = False

    def again(self, error: BaseException) -> bool:
        """Whether to try again after `error`, when the connection is lost; waits a moment before."""
        waited = time.monotonic() - self._began
        if not isinstance(error, psycopg.OperationalError) or not self._link.lost() or waited > self._link.patience:
            return False
        if waited > TELL_SECONDS and not self._told:
            self._told = True
            self._link.tell(
                f"waiting for the database of the store {self._link.address.shown} to answer again"
                f" ({self._link.address.said(error)})"
            )
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, 1.0)
        return True
