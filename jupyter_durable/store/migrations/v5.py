"""Schema 5: what vouches for a request.

Rules of this file
- The column may be NULL: a request that was accepted before is signed when it runs again.
"""

from __future__ import annotations

from sqlite_utils import Database


def apply(database: Database) -> None:
    """Add `mac` to the requests."""
    database.conn.execute("ALTER TABLE request ADD COLUMN mac BLOB")
