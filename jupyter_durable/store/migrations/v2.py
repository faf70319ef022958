"""Schema 2: the files that a call read.

Rules of this file
- Columns are added at the end and may be NULL: no row is written again, and a call that read nothing costs a byte.
"""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = ("ALTER TABLE call ADD COLUMN files BLOB", "ALTER TABLE history ADD COLUMN files BLOB")
"""Adds `files` to the calls, and to those that were set aside."""
