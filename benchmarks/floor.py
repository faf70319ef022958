"""The floors: what the machine does without us."""

from __future__ import annotations

import os
import pickle
import sqlite3
import time
from pathlib import Path
from typing import Any

from jupyter_durable.client import this_engine
from jupyter_durable.core.model import ROOT, CallRow

_VALUE = 1 + CallRow._fields.index("value")


def recorded_row() -> CallRow:
    """A call as this library has just recorded it: the floor writes the same bytes."""
    engine = this_engine()
    row = engine.sessions.row
    assert row is not None
    return engine.store.children(row.serial, ROOT, 0, 1)[0]


class BareTable:
    """The same row in the same table by bare sqlite3: WAL, synchronous=FULL, the WAL recycled before each block."""

    def __init__(self, path: Path, row: CallRow) -> None:
        self._row = row
        self._identity = 0
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
            self._connection.execute(f"PRAGMA {pragma}")
        columns = ", ".join(("request", *CallRow._fields))
        self._connection.execute(
            f"CREATE TABLE call ({columns}, PRIMARY KEY (request, parent, identity)) WITHOUT ROWID"
        )
        self._insert = f"INSERT INTO call VALUES ({', '.join('?' * (len(CallRow._fields) + 1))})"

        self._select = "SELECT * FROM call WHERE request = 1 AND parent = ? AND identity = ?"

    def rows(self, count: int) -> list[tuple[Any, ...]]:
        """New rows; making them is not part of the floor."""
        self._identity += count
        return [(1, *self._row._replace(identity=self._identity - count + n)) for n in range(count)]

    def commits(self, count: int) -> float:
        """`count` rows, each INSERT then COMMIT; seconds per row."""
        rows = self.rows(count)
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        execute, insert = self._connection.execute, self._insert
        start = time.perf_counter()
        for row in rows:
            execute("BEGIN")
            execute(insert, row)
            execute("COMMIT")
        return (time.perf_counter() - start) / count

    def load(self, count: int) -> float:
        """Point reads of the `count` rows that `together` wrote, each with its value loaded; seconds per row."""
        execute, select, parent = self._connection.execute, self._select, self._row.parent
        start = time.perf_counter()
        for identity in range(self._identity - count, self._identity):
            row = execute(select, (parent, identity)).fetchone()
            pickle.loads(row[_VALUE])
        return (time.perf_counter() - start) / count

    def together(self, count: int) -> float:
        """`count` rows in one transaction; seconds in all."""
        rows = self.rows(count)
        start = time.perf_counter()
        self._connection.execute("BEGIN")
        self._connection.executemany(self._insert, rows)
        self._connection.execute("COMMIT")
        return time.perf_counter() - start


def pickled_file(path: Path, value: object) -> float:
    """pickle protocol 5 with out-of-band buffers, written one after the other to a file that is synced; seconds.

    In-band, pickle copies the array first: this is the faster way, so the harder floor. The file stays: to delete it
    would cost the next fsync, which is not what is measured.
    """
    start = time.perf_counter()
    buffers: list[pickle.PickleBuffer] = []
    with path.open("wb", buffering=0) as file:
        file.write(pickle.dumps(value, protocol=5, buffer_callback=buffers.append))
        for buffer in buffers:
            file.write(buffer.raw())
        os.fsync(file.fileno())
    return time.perf_counter() - start


def loaded_file(path: Path, value: object) -> float:
    """Seconds to load what pickle protocol 5 wrote."""
    path.write_bytes(pickle.dumps(value, protocol=5))
    start = time.perf_counter()
    with path.open("rb") as file:
        pickle.load(file)
    taken = time.perf_counter() - start
    path.unlink()
    return taken
