"""The schema of the SQLite store: one module per version, applied in order, never edited after a release.

Rules of this file
- Only imported when a store is created or is older than this library: sqlite-utils costs 0.1 s to import.
- The whole change is one transaction on the store's own connection; `user_version` moves with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

from sqlite_utils import Database

from jupyter_durable.store.migrations import v1, v2, v3, v4, v5

VERSIONS: Final[tuple[Callable[[Database], None], ...]] = (v1.apply, v2.apply, v3.apply, v4.apply, v5.apply)
"""`VERSIONS[n]` takes a store from version n to n + 1."""


def migrate(connection: sqlite3.Connection, application_id: int) -> None:
    """Bring the schema to the newest version, or leave it as it was. Safe when several processes do it at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        database = Database(connection)
        for apply in VERSIONS[version:]:
            apply(database)
        connection.execute(f"PRAGMA application_id = {application_id:d}")
        connection.execute(f"PRAGMA user_version = {max(version, len(VERSIONS)):d}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def made(version: int) -> list[tuple[str, str, str, str]]:
    """Type, name, table and text of all that a new store of `version` defines."""
    connection = sqlite3.connect(":memory:")
    try:
        database = Database(connection)
        for apply in VERSIONS[:version]:
            apply(database)
        return connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master").fetchall()
    finally:
        connection.close()
