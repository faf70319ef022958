"""Strict matching: the calls of a body must be those of the reference path.

Rules of this file
- The reference path gives each place of the parent's body the call that stood there in the newest pass of a good run
  (one that ended or was interrupted without a `ReplayError`), up to the length of the parent's last ended body. Where
  that call has since executed in a run that is not good, it still holds its place.
- A call matches the recorded one at its place. It diverges when that one is another function, or when its arguments
  are those of another recorded sibling of the path and not those of its own place.
- A call at a place that the path does not have is new, which alone is no divergence; nor is it one when recorded calls
  are missing at the end. Both together are (`end`).
- `durable=False` calls are not compared.
- Where matching by place is off (`Body.place_rule`, or a set-aside call has ended), a call with other arguments keeps
  its identity, but its outcome is set aside.
- The matcher reads all rows once when the first call arrives, and keeps their identities by place.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from jupyter_durable.core.model import CallRow, Flag, Kind
from jupyter_durable.core.places import NOBODY, Places, Reader, Recorded, every
from jupyter_durable.core.replay import NEW, WITH_ARGUMENTS, Body, Matched, Matcher, reusable

__all__ = ["Divergence", "StrictMatcher"]

REMEDY = "Replay in adaptive mode, which matches calls by their arguments, or fork the request to keep both paths."


class Divergence(Exception):
    """The body left the reference path. Its text names both sides and the remedy."""

    def __init__(self, place: int, recorded: CallRow, found: str, what: str) -> None:
        super().__init__(f"Strict replay diverged at call {place} of its caller (counted from 0): {what}. {REMEDY}")
        self.place = place
        """Sequence number at which it was found."""
        self.recorded = recorded
        """The recorded call that does not run, or that stands elsewhere."""
        self.found = found
        """Name of the function that was called instead."""
        self.what = what
        """The difference in words, without place and remedy."""


class StrictMatcher(Matcher):
    """Matches the calls of one body by their places, and raises `Divergence`. Same interface as `AdaptiveMatcher`."""

    def __init__(self, recorded: Recorded, body: Body, good_runs: frozenset[int], length: int | None) -> None:
        super().__init__(recorded, body)
        self._good_runs = good_runs
        self._length = length
        self._path: array[int] | None = None
        self._places_of: dict[tuple[str, str, bytes], int] | None = None
        self._reader = Reader(recorded)
        self._executing: dict[tuple[str, str, bytes], int] = {}
        self._new: tuple[int, str] | None = None

    def match(self, seq: int, kind: str, name: str, digest: bytes) -> Matched:
        """The recorded call at `seq`. Raises `Divergence`."""
        row = self._stood(seq)
        if row is None or (row.flags & Flag.VOLATILE and (row.kind, row.name) != (kind, name)):
            self._new = self._new or (seq, name)
            return NEW
        if (row.kind, row.name) != (kind, name):
            found = f"{_call(kind, name)} was called where {_call(row.kind, row.name)} is recorded"
            raise Divergence(seq, row, name, found)
        if row.flags & Flag.VOLATILE:
            return Matched(row, False)
        if row.digest != digest:
            self._refuse_sibling(seq, kind, name, digest)
        if not reusable(row):
            self._executing.setdefault((kind, name, row.digest), seq)  # its record will soon hold other arguments
        return Matched(row, False) if row.digest == digest else self._drifted(row)

    def match_items(self, first_seq: int, name: str, digests: Sequence[bytes]) -> list[Matched]:
        """The recorded items at `first_seq…`."""
        return [self.match(first_seq + n, Kind.MAP_ITEM, name, digest) for n, digest in enumerate(digests)]

    def end(self, count: int) -> None:
        """The body has ended after `count` calls. Raises `Divergence` when one was new and a recorded one missing."""
        if self._new is None:
            return
        path = self._loaded()
        for seq in range(count, len(path)):
            row = self._stood(seq)
            if row is not None and not row.flags & Flag.VOLATILE:
                place, name = self._new
                what = f"`{name}` is new at call {place}, and {_call(row.kind, row.name)} at call {seq} did not run"
                raise Divergence(seq, row, name, what)

    def _refuse_sibling(self, seq: int, kind: str, name: str, digest: bytes) -> None:
        key = kind, name, digest
        place = self._executing.get(key, self._siblings().get(key))
        if place is None:
            return
        row = self._stood(place)
        assert row is not None
        what = f"{_call(kind, name)} was called with the arguments that are recorded for its call {place}"
        raise Divergence(seq, row, name, what)

    def _drifted(self, row: CallRow) -> Matched:
        """The call at its own place, with arguments that are nowhere recorded."""
        flags = 0
        rule = self._body.place_rule
        if self._place_off or (rule is not None and row.name not in rule):
            flags |= Flag.SET_ASIDE
        if row.kind in WITH_ARGUMENTS and not reusable(row):
            flags |= Flag.TAKEN_OVER
        return Matched(row._replace(flags=row.flags | flags), row.kind in WITH_ARGUMENTS)

    def _stood(self, seq: int) -> CallRow | None:
        path = self._loaded()
        if seq >= len(path) or path[seq] == NOBODY:
            return None
        return self._reader.read(path[seq])

    def _loaded(self) -> array[int]:
        """Identities of the path by place."""
        if self._path is None:
            present = self._body.pass_no
            good = Places(lambda pass_no: pass_no < present and pass_no >> 16 in self._good_runs)
            any_run = Places(lambda pass_no: pass_no < present)
            for row in every(self._recorded):
                good.stood(row.pass_no, row.seq, row.identity)
                any_run.stood(row.pass_no, row.seq, row.identity)
            good.reached(self._recorded.reached())
            length = len(good) if self._length is None else self._length
            path = _newest([good.last(seq) for seq in range(length)])
            known = set(path) - {NOBODY}
            for seq, identity in enumerate(path):
                if identity == NOBODY and any_run.at(seq) not in known:
                    path[seq] = any_run.at(seq)
            self._path = array("q", path)
        return self._path

    def _siblings(self) -> dict[tuple[str, str, bytes], int]:
        """First place of each recorded call of the path, by what it is."""
        if self._places_of is None:
            place = {identity: seq for seq, identity in enumerate(self._loaded()) if identity != NOBODY}
            found: dict[tuple[str, str, bytes], int] = {}
            for row in every(self._recorded):
                seq = place.get(row.identity)
                if seq is not None and not row.flags & Flag.VOLATILE and row.pass_no < self._body.pass_no:
                    key = (row.kind, row.name, row.digest)
                    found[key] = min(seq, found.get(key, seq))
            self._places_of = found
        return self._places_of


def _newest(stood: list[tuple[int, int]]) -> list[int]:
    """Identities by place. One that moved between runs keeps only the place where it stood last."""
    last: dict[int, int] = {}
    for pass_no, identity in stood:
        last[identity] = max(pass_no, last.get(identity, pass_no))
    return [identity if last[identity] == pass_no else NOBODY for pass_no, identity in stood]


def _call(kind: str, name: str) -> str:
    return f"`{name}`" if kind == Kind.FUNCTION else f"{kind.replace('_', ' ')} of `{name}`"
