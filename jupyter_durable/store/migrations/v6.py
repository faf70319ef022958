"""Schema 6: what vouches for where calls stood, and for where arguments alone decide.

Rules of this file
- The columns may be NULL: what was written before is taken as it is in requests whose ids say that they were accepted
  then (`runner.vouching`).
"""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = (
    "ALTER TABLE reached ADD COLUMN mac BLOB",
    "ALTER TABLE decided ADD COLUMN mac BLOB",
)
"""Adds `mac` to the stretches of reused calls and to the decisions for arguments."""
