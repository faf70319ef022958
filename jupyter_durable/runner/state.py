"""The state of a request: which value of each key is the newest, and whose it is."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from typing import Any


class StateLog:
    """Values by key with the order in which they were written; a failed attempt's writes can be taken out."""

    def __init__(self) -> None:
        self._values: dict[str, list[tuple[int, Any]]] = {}
        self._stamps = itertools.count(1)
        self._lock = threading.Lock()

    def write(self, key: str, value: Any) -> int:
        """Set a key; the stamp of the write."""
        with self._lock:
            stamp = next(self._stamps)
            self._values.setdefault(key, []).append((stamp, value))
            return stamp

    def read(self, key: str, default: Any) -> Any:
        """The newest value of a key."""
        with self._lock:
            written = self._values.get(key)
            return written[-1][1] if written else default

    def drop(self, writes: Mapping[str, tuple[int, Any]]) -> None:
        """Take out what a failed attempt, and the calls below it, wrote."""
        with self._lock:
            for key, (stamp, _) in writes.items():
                self._values[key] = [entry for entry in self._values.get(key, []) if entry[0] != stamp]

    def newest(self) -> dict[str, Any]:
        """All keys with their newest values."""
        with self._lock:
            return {key: written[-1][1] for key, written in self._values.items() if written}
