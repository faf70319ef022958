"""What a call leaves behind besides its value: what it wrote, read, measured, and what ran below it.

Rules of this file
- A call without any of it has no `Traces`: most calls are leaves.
- Several threads of one call, and its children, leave theirs side by side: what one step does not do is done under the
  lock of the run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from jupyter_durable.core import metrics
from jupyter_durable.core.metrics import Totals
from jupyter_durable.core.model import CallRow, unpack_codes
from jupyter_durable.runner.opened import Opened


class Traces:
    """What one call leaves behind."""

    __slots__ = ("_lock", "below", "files", "measured", "measured_below", "writes")

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self.writes: dict[str, tuple[int, Any]] = {}
        """State of the request, with the order in which it was written."""
        self.below: dict[str, bytes] = {}
        """Code of the functions that ran below it."""
        self.files: Opened | None = None
        self.measured: Totals = {}
        self.measured_below: Totals = {}

    def called(self, row: CallRow) -> None:
        """A call below has ended or was served: the code that ran there, and the files that were read."""
        if row.code:
            self.below[row.name] = row.code
        if row.below is not None:
            self.below.update(unpack_codes(row.below))
        if row.files:
            self.opened_files().called(row.files)
        if row.metrics:
            with self._lock:
                metrics.merge(self.measured_below, metrics.unpacked(row.metrics))

    def opened_files(self) -> Opened:
        """What it opened; made when it is first needed, which several threads may find at once."""
        with self._lock:
            if self.files is None:
                self.files = Opened()
            return self.files

    def merge_writes(self, writes: Mapping[str, tuple[int, Any]]) -> None:
        """What a call wrote belongs to its caller too, once the call has ended."""
        with self._lock:
            own = self.writes
            for key, (stamp, value) in writes.items():
                if key not in own or own[key][0] < stamp:
                    own[key] = (stamp, value)

    def measures(self, kind: str, name: str, value: float) -> None:
        """The call itself measured something."""
        with self._lock:
            metrics.add(self.measured, kind, name, value)

    def sums(self) -> str | None:
        """What it and the calls below it measured."""
        with self._lock:
            totals = dict(self.measured)
            metrics.merge(totals, self.measured_below)
        return metrics.packed(totals)

    def forget_pass(self) -> None:
        """What a pass read has no part in the result of the next one, which makes the calls below anew."""
        self.measured_below = {}
        if self.files is not None:
            self.files.again()
