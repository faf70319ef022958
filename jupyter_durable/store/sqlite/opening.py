"""How a connection to the file of a store is opened: what is asked of the file, and set, before it is used.

Rules of this file
- The order counts. A file is foreign until its schema is seen to be ours (`foreign`); what its log holds is read
  through before anything is written over it; only then are journal and syncs set, and an older schema made ours.
- What decides whether a commit survives is set here, `synchronous` and the journal mode: a weaker word loses results.
- Whoever holds the file is waited for with the patience of the caller. A connection is handed out ready, or closed.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from jupyter_durable.errors import StoreError, StoreVersionError
from jupyter_durable.store.sqlite.faults import broken, code_of
from jupyter_durable.store.sqlite.foreign import OBJECTS, refuse_other_schemas, restrict
from jupyter_durable.store.sqlite.frames import file_size, kept_aside, lost_commits
from jupyter_durable.store.sqlite.patience import SLICE_SECONDS, Patience
from jupyter_durable.store.sqlite.watch import Limit, Watch

APPLICATION_ID: Final = 0x4A44_5552
"""The bytes JDUR in the header of the file."""
SCHEMA: Final = 6
LOOK_SECONDS: Final = 1.0
"""How long it may take to read what a file defines, seconds of a processor: it takes less than a thousandth."""
LOOKING_SLICE_SECONDS: Final = 0.2
"""As `SLICE_SECONDS`, of who only looks and may be interrupted."""


class Opener:
    """Opens the file of one store, as often as its link asks, and knows the schema that was seen to be ours."""

    def __init__(self, path: Path, *, network: bool, limit: Limit | None) -> None:
        self._path = path
        self._name = str(path)
        self._network = network
        self._limit = limit
        self._schema = 0
        """What SQLite counts the changes of the schema with, when it was seen to be ours."""

    def open(self, patience: Patience) -> sqlite3.Connection:
        """A connection on which everything is set.

        Raises `StoreError`, `sqlite3.Error`, and `UnicodeDecodeError` for names that are none.
        """
        slice = SLICE_SECONDS if self._limit is None else LOOKING_SLICE_SECONDS
        connection = sqlite3.connect(
            self._name, timeout=slice, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            self._prepare_patiently(connection, patience)
        except BaseException:
            connection.close()
            raise
        return connection

    def refuse_changed_schema(self, connection: sqlite3.Connection) -> None:
        """Look again where the schema is another one by now. The caller holds the lock of the connection."""
        (now,) = connection.execute("PRAGMA schema_version").fetchone()
        if now != self._schema:
            self._look(connection)

    def _prepare_patiently(self, connection: sqlite3.Connection, patience: Patience) -> None:
        while True:
            try:
                return self._prepare(connection)
            except sqlite3.OperationalError as error:
                if not patience.again(error):
                    raise patience.over(error) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        restrict(connection)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        logged = not self._network and file_size(os.path.realpath(self._path) + "-wal") > 0
        version = self._look(connection)
        if logged:
            self._read_log_through(connection)  # before anything is written over what could not be read
        _set_journal_mode(connection, "TRUNCATE" if self._network else "WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # what was is overwritten, also in pages not needed any more
        if version < SCHEMA:
            from jupyter_durable.store.migrations import migrate

            migrate(connection, APPLICATION_ID)
            self._look(connection)

    def _read_log_through(self, connection: sqlite3.Connection) -> None:
        """Whether all that the log holds can be read back. Raises `StoreError` when it cannot, to who sees it first.

        Others are told by `kept_logs`.
        """
        log = Path(os.path.realpath(self._path) + "-wal")
        with contextlib.suppress(sqlite3.OperationalError):  # others write: they found it good, or are to say so
            connection.execute("BEGIN IMMEDIATE")
            try:
                with contextlib.closing(sqlite3.connect(self._name, timeout=0, isolation_level=None)) as second:
                    (_, frames, _) = second.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    lost = lost_commits(log, max(0, frames), lambda: second.serialize())
                aside = kept_aside(log) if lost else None
            finally:
                connection.execute("ROLLBACK")
            if aside is not None:
                raise StoreError(
                    f"the log of the store {self._name} is damaged: {lost} commits in it cannot be read back, so "
                    f"results that were recorded are missing. It was kept as {aside}. Open the store again to go on "
                    "without them: the calls that are missing execute again"
                )

    def _look(self, connection: sqlite3.Connection) -> int:
        """The version of the schema. Raises `StoreError` for a file that is not ours, through and through."""
        watch = Watch(LOOK_SECONDS if self._limit is None else min(LOOK_SECONDS, self._limit()))
        try:
            connection.execute("BEGIN")  # one moment for all: another process may be making the store just now
            # The first statement that needs the schema parses it: of a foreign file even that may never end.
            ((objects,),) = watch.read(connection, "SELECT count(*) FROM (SELECT 1 FROM sqlite_master LIMIT 1000)")
            ((version,),) = watch.read(connection, "PRAGMA user_version")
            ((application,),) = watch.read(connection, "PRAGMA application_id")
            if application != APPLICATION_ID and (application, version, objects) != (0, 0, 0):
                raise StoreError(f"{self._name} is a database of another program; give the store another path")
            if version > SCHEMA:
                raise StoreVersionError(
                    f"the store {self._name} has schema {version}, this jupyter-durable knows {SCHEMA}:"
                    " upgrade jupyter-durable, or use another store"
                )
            refuse_other_schemas(watch.read(connection, OBJECTS), self._name, version)
            ((self._schema,),) = watch.read(connection, "PRAGMA schema_version")
        except sqlite3.OperationalError as error:
            raise watch.over(self._name) if watch.ended(error) else error from None
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return int(version)


def _set_journal_mode(connection: sqlite3.Connection, mode: str) -> None:
    """SQLite does not wait for others here, so we do."""
    deadline = time.monotonic() + SLICE_SECONDS
    while True:
        try:
            (got,) = connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
        except sqlite3.OperationalError as error:
            if code_of(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if got.upper() != mode:
            raise broken(connection.execute("PRAGMA database_list").fetchone()[2], OSError(f"journal mode is {got}"))
        return
