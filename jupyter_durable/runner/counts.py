"""What a run counts: how many calls ran, how many were served, and what of those is not as it was."""

from __future__ import annotations

import threading
from typing import Final

from jupyter_durable.core.model import CallRow, Flag, Kind

COUNTED: Final = frozenset({Kind.FUNCTION, Kind.MAP_ITEM, Kind.REDUCE_STEP})


class Counts:
    """The numbers of one run. Calls end in several threads: they count under the lock of the run."""

    __slots__ = (
        "_lock", "args_changed", "code_changed", "executed", "file_changed", "not_comparable", "reused", "saved",
    )  # fmt: skip

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self.reused = self.executed = 0
        self.args_changed = self.not_comparable = self.code_changed = self.file_changed = 0
        self.saved = 0.0
        """Seconds that the served calls took when they ran."""

    def count_reused(self, row: CallRow, flags: int) -> None:
        """A call was served."""
        if row.kind in COUNTED:
            with self._lock:
                self.reused += 1
                self.saved += row.duration or 0.0
                if flags:
                    self.not_comparable += bool(flags & Flag.NOT_COMPARABLE)
                    self.args_changed += bool(flags & Flag.ARGS_CHANGED) and not flags & Flag.NOT_COMPARABLE
                    self.code_changed += bool(flags & Flag.CODE_CHANGED)
                    self.file_changed += bool(flags & Flag.FILE_CHANGED)

    def count_executed(self, kind: str) -> None:
        """A call that is not the root has executed and ended."""
        if kind in COUNTED:
            with self._lock:
                self.executed += 1
