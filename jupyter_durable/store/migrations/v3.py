"""Schema 3: what a call and the calls below it measured, summed.

Rules of this file
- Columns are added at the end and may be NULL: no row is written again, and a call that measured nothing costs a byte.
"""

from __future__ import annotations

from sqlite_utils import Database


def apply(database: Database) -> None:
    """Add `metrics` to the calls, and to those that were set aside."""
    for table in ("call", "history"):
        database.conn.execute(f"ALTER TABLE {table} ADD COLUMN metrics TEXT")
