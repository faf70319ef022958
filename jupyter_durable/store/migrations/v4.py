"""Schema 4: leases by a clock that nobody sets.

Rules of this file
- The column may be NULL: a lease that was taken before, or where there is no such clock, is read by the wall clock.
"""

from __future__ import annotations

from sqlite_utils import Database


def apply(database: Database) -> None:
    """Add `lease_boot`, seconds since the boot of the owner's machine, to the requests."""
    database.conn.execute("ALTER TABLE request ADD COLUMN lease_boot REAL")
