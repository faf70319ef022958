"""Schema 4: leases by a clock that nobody sets.

Rules of this file
- The column may be NULL: a lease that was taken before, or where there is no such clock, is read by the wall clock.
"""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = ("ALTER TABLE request ADD COLUMN lease_boot REAL",)
"""Adds `lease_boot`, seconds since the boot of the owner's machine, to the requests."""
