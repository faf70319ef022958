"""Schema 3: what a call and the calls below it measured, summed.

Rules of this file
- Columns are added at the end and may be NULL: no row is written again, and a call that measured nothing costs a byte.
"""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = ("ALTER TABLE call ADD COLUMN metrics TEXT", "ALTER TABLE history ADD COLUMN metrics TEXT")
"""Adds `metrics` to the calls, and to those that were set aside."""
