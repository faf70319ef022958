"""The schema of the SQLite store: one module per version, applied in order, never edited after a release.

Rules of this file
- A version is its statements: `sqlite/foreign.py` compares the text that SQLite keeps. sqlite-utils, which made some
  of it, writes another text in each of its versions, and imports pandas where it is installed (0.5 s, 80 MB).
- Only imported for a store that is new or older than this library.
- The whole change is one transaction on the store's own connection; `user_version` moves with it.
"""

from __future__ import annotations

import sqlite3
from itertools import chain
from typing import Final

from jupyter_durable.store.migrations import v1, v2, v3, v4, v5, v6

VERSIONS: Final = (v1.STATEMENTS, v2.STATEMENTS, v3.STATEMENTS, v4.STATEMENTS, v5.STATEMENTS, v6.STATEMENTS)
"""`VERSIONS[n]` takes a store from version n to n + 1."""


def migrate(connection: sqlite3.Connection, application_id: int) -> None:
    """Bring the schema to the newest version, or leave it as it was. Safe when several processes do it at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for statement in chain.from_iterable(VERSIONS[version:]):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {application_id:d}")
        connection.execute(f"PRAGMA user_version = {max(version, len(VERSIONS)):d}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
