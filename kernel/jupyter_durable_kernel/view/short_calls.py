"""Durability where it does not pay: many calls so short that their checkpoints cost more than they do.

Rules of this file
- One notice a function and kernel, with the cost as it was measured; durability never changes by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from jupyter_durable.core.model import CallRow, Kind

CALLS: Final = 1_000
SHORT_SECONDS: Final = 0.001


@dataclass(slots=True)
class _Short:
    """Short calls of one function, one after the other."""

    calls: int = 0
    ended: float = 0.0
    gaps: list[float] = field(default_factory=list)


class Thrift:
    """Watches the calls of one run."""

    def __init__(self, told: set[str]) -> None:
        self._told = told
        self._short: dict[str, _Short] = {}

    def settled(self, row: CallRow) -> str | None:
        """A call ended; the notice, when it is due. Items of a map share their commits, so they do not count."""
        if row.kind != Kind.FUNCTION or row.duration is None or row.duration > SHORT_SECONDS or row.name in self._told:
            return None
        seen = self._short.setdefault(row.name, _Short())
        seen.calls += 1
        if seen.ended:
            seen.gaps.append(max(0.0, row.started_at - seen.ended))
        seen.ended = row.started_at + row.duration
        if seen.calls < CALLS:
            return None
        self._told.add(row.name)
        cost = sorted(seen.gaps)[len(seen.gaps) // 4]
        return (
            f"{row.name} was called {CALLS:,} times for less than 1 ms; being durable costs it about "
            f"{cost * 1000:.2f} ms a call. %%durable --plain {row.name} leaves it a plain function, "
            f"{row.name}.map(items) shares the cost"
        )
