"""Which recorded call stood at which place of a parent's body.

Rules of this file
- A call stands at `(pass_no, seq)` where it last executed, and wherever a `Reached` stretch says that it was reused.
- Of several at one `seq` the one of the greatest pass counts: the last run that reached the place.
- Only passes that `usable` accepts count.
- Places are kept in arrays, not objects: a parent may have a million children.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

from jupyter_durable.core.model import ArgumentsDecide, CallRow, Reached

__all__ = ["NOBODY", "PAGE", "Places", "Reader", "Recorded", "every"]

NOBODY: Final = 0
"""No identity: identities begin at 1."""
PAGE: Final = 512
"""Rows read at once."""


class Recorded(Protocol):
    """The recorded children of one parent, read lazily. Rows that the present body wrote may appear in it."""

    def page(self, after: int, limit: int) -> Sequence[CallRow]:
        """At most `limit` rows with an identity above `after`, in order of identity."""

    def reached(self) -> Sequence[Reached]:
        """All stretches of reused calls."""

    def decided(self) -> Sequence[ArgumentsDecide]:
        """All decisions for arguments under this parent."""

    def row(self, identity: int) -> CallRow:
        """One row, with its value."""


def every(recorded: Recorded) -> Iterator[CallRow]:
    """All rows in order of identity, at most one page of them in memory."""
    after = 0
    while True:
        rows = recorded.page(after, PAGE)
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].identity


class Reader:
    """Reads rows one by one, in growing pages while they are asked for one after the other. Each row once."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._window: dict[int, CallRow] = {}
        self._size = 1

    def read(self, identity: int) -> CallRow:
        """The row of a recorded call."""
        row = self._window.pop(identity, None)
        if row is None:
            self._size = 1 if self._window else min(self._size * 2, PAGE)
            self._window = {row.identity: row for row in self._recorded.page(identity - 1, self._size)}
            row = self._window.pop(identity)
        return row


class Places:
    """Newest usable occupant of each place."""

    def __init__(self, usable: Callable[[int], bool]) -> None:
        self._usable = usable
        self._passes = array("q")
        self._identities = array("q")
        self._stretches: list[tuple[int, list[int], list[Reached]]] = []

    def __len__(self) -> int:
        """One more than the last place at which somebody stood."""
        ends = [run[-1].seq + run[-1].count for _, _, run in self._stretches]
        return max([len(self._passes), *ends])

    def stood(self, pass_no: int, seq: int, identity: int) -> None:
        """A call executed at `(pass_no, seq)`."""
        if not self._usable(pass_no):
            return
        missing = seq + 1 - len(self._passes)
        if missing > 0:
            self._passes.extend([-1] * missing)
            self._identities.extend([NOBODY] * missing)
        if pass_no > self._passes[seq]:
            self._passes[seq] = pass_no
            self._identities[seq] = identity

    def reached(self, stretches: Iterable[Reached]) -> None:
        """Calls were reused at these places. To be called once."""
        by_pass: dict[int, list[Reached]] = {}
        for stretch in stretches:
            if self._usable(stretch.pass_no):
                by_pass.setdefault(stretch.pass_no, []).append(stretch)
        for pass_no in sorted(by_pass, reverse=True):
            run = sorted(by_pass[pass_no], key=lambda stretch: stretch.seq)
            self._stretches.append((pass_no, [stretch.seq for stretch in run], run))

    def at(self, seq: int) -> int:
        """Identity of who stood at `seq` in the last pass that reached it, `NOBODY` when none did."""
        return self.last(seq)[1]

    def last(self, seq: int) -> tuple[int, int]:
        """The last pass that reached `seq`, and the identity of who stood there; (-1, `NOBODY`) when none did."""
        pass_no, identity = -1, NOBODY
        if seq < len(self._passes):
            pass_no, identity = self._passes[seq], self._identities[seq]
        for reached_in, starts, run in self._stretches:
            if reached_in < pass_no:
                break
            found = bisect_right(starts, seq) - 1
            if found >= 0 and seq < run[found].seq + run[found].count:
                return reached_in, run[found].identity + seq - run[found].seq
        return pass_no, identity
