"""Schema 5: what vouches for a request.

Rules of this file
- The column may be NULL: a request that was accepted before is signed when it runs again.
"""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = ("ALTER TABLE request ADD COLUMN mac BLOB",)
"""Adds `mac` to the requests."""
