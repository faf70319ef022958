"""The index an adaptive matcher loads when calls stop arriving in the recorded order.

Rules of this file
- It holds no values and no row objects: arrays by position (order of identity) and one dictionary from the key of a
  call (function, kind, digest) to positions. A claimed row is read again.
- A row whose pass is that of the running body was written by it and is no record; such rows as they were before
  are given by `moved`.
- Suspect passes: those named by `ArgumentsDecide`, and those in which a call of such a function was taken by place.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

from jupyter_durable.core.model import CallRow, Flag, Kind, Reached
from jupyter_durable.core.places import NOBODY, Places, Reader, Recorded, every

__all__ = ["Index"]


class Index:
    """Unclaimed records of one parent, by arguments and by place."""

    def __init__(self, recorded: Recorded, pass_no: int, claimed_up_to: int, moved: Sequence[CallRow]) -> None:
        self._recorded = recorded
        self._pass_no = pass_no
        self._codes: dict[tuple[str, str], int] = {}
        self._code = array("L")
        self._identities = array("q")
        self._passes = array("q")
        self._seqs = array("q")
        self._flags = array("L")
        self._claimed = bytearray()
        self._by_key: dict[bytes, int | deque[int]] = {}
        self._reader = Reader(recorded)
        for row in every(recorded):
            if row.pass_no < pass_no:
                self._add(row, claimed_up_to)
        self._moved_codes = [
            self._codes.get((row.kind, row.name), -1) for row in moved if self._position(row.identity) is None
        ]
        decided = [one for one in recorded.decided() if one.pass_no < pass_no]
        self._by_arguments_only = frozenset(one.name for one in decided)
        self._suspect = frozenset(one.pass_no for one in decided) | self._found_suspect()
        self._places = self._make_places(moved)

    def first(self, kind: str, name: str, digest: bytes) -> int | None:
        """Position of the first unclaimed record of this call."""
        code = self._codes.get((kind, name))
        if code is None:
            return None
        positions = self._by_key.get(digest + code.to_bytes(4, "big"))
        if positions is None:
            return None
        if isinstance(positions, int):
            return None if self._claimed[positions] else positions
        while positions and self._claimed[positions[0]]:
            positions.popleft()
        return positions[0] if positions else None

    def at_place(self, seq: int, kind: str, name: str) -> int | None:
        """Position of the unclaimed record that stood last at `seq`, if rule (2) may give it to this function."""
        if name in self._by_arguments_only:
            return None
        position = self._position(self._places.at(seq))
        if position is None or self._claimed[position] or self._passes[position] in self._suspect:
            return None
        return position if self._codes.get((kind, name)) == self._code[position] else None

    def stands_at(self, seq: int, kind: str, name: str) -> int | None:
        """Identity of the unclaimed record of this function that stood last at `seq`."""
        identity = self._places.at(seq)
        position = self._position(identity)
        if position is None or self._claimed[position] or self._codes.get((kind, name)) != self._code[position]:
            return None
        return identity

    def is_claimed(self, identity: int) -> bool:
        """Whether a call of this body is that record."""
        position = self._position(identity)
        return position is None or bool(self._claimed[position])

    def claim(self, position: int) -> CallRow:
        """Take the record; its row with its value, and with what being executed in a suspect pass means for it."""
        self._claimed[position] = 1
        row = self._reader.read(self._identities[position])
        if row.pass_no not in self._suspect:
            return row
        if row.flags & Flag.WEAK:
            return row._replace(flags=row.flags | Flag.SET_ASIDE)
        if row.kind in (Kind.MAP, Kind.REDUCE) and row.name in self._by_arguments_only:
            return row._replace(flags=row.flags | Flag.TAKEN_OVER)  # its items may have matched those of another map
        return row

    def only_one(self, position: int) -> bool:
        """Whether no other call of this kind and function is recorded here."""
        code = self._code[position]
        return self._code.count(code) + self._moved_codes.count(code) == 1

    def _add(self, row: CallRow, claimed_up_to: int) -> None:
        position = len(self._identities)
        code = self._codes.setdefault((row.kind, row.name), len(self._codes))
        self._code.append(code)
        self._identities.append(row.identity)
        self._passes.append(row.pass_no)
        self._seqs.append(row.seq)
        self._flags.append(row.flags)
        claimed = row.identity <= claimed_up_to
        self._claimed.append(claimed)
        if claimed:
            return
        key = row.digest + code.to_bytes(4, "big")
        before = self._by_key.get(key)
        if before is None:
            self._by_key[key] = position
        elif isinstance(before, int):
            self._by_key[key] = deque((before, position))
        else:
            before.append(position)

    def _found_suspect(self) -> frozenset[int]:
        """Passes in which a call of a function that now matches by arguments only was taken by place."""
        if not self._by_arguments_only:
            return frozenset()
        codes = {code for (_, name), code in self._codes.items() if name in self._by_arguments_only}
        executed = {
            self._passes[n] for n, flags in enumerate(self._flags) if flags & Flag.TAKEN_OVER and self._code[n] in codes
        }
        reached = {
            one.pass_no
            for one in self._recorded.reached()
            if one.flags & Flag.ARGS_CHANGED and one.pass_no < self._pass_no and self._any_of(one, codes)
        }
        return frozenset(executed | reached)

    def _any_of(self, stretch: Reached, codes: set[int]) -> bool:
        most = min(stretch.count, len(self._identities))  # a damaged count has no end
        positions = (self._position(stretch.identity + n) for n in range(most))
        return any(position is not None and self._code[position] in codes for position in positions)

    def _make_places(self, moved: Sequence[CallRow]) -> Places:
        renewed = max(
            [self._passes[n] for n, flags in enumerate(self._flags) if flags & Flag.RENEWED]
            + [row.pass_no for row in moved if row.flags & Flag.RENEWED],
            default=0,
        )
        suspect, present = self._suspect, self._pass_no

        def usable(pass_no: int) -> bool:
            return renewed <= pass_no < present and pass_no not in suspect

        places = Places(usable)
        for stood in zip(self._passes, self._seqs, self._identities, strict=True):
            places.stood(*stood)
        for row in moved:
            places.stood(row.pass_no, row.seq, row.identity)
        places.reached(self._recorded.reached())
        return places

    def _position(self, identity: int) -> int | None:
        if identity == NOBODY:
            return None
        position = bisect_left(self._identities, identity)
        found = position < len(self._identities) and self._identities[position] == identity
        return position if found else None
