"""The matching rules of design 4.2 once more, written from its text as plainly as possible. Nothing is shared with the
code under test but the records: everything is a list, every answer is a search."""

from __future__ import annotations

from jupyter_durable.core.model import ArgumentsDecide, CallRow, Flag, Reached

ARGUMENT_KINDS = ("function_call", "map_item", "reduce_step")


class NaiveWrongMatch(Exception):
    pass


def stood(rows: list[CallRow], reached: list[Reached], passes, seq: int) -> int | None:
    """Who stood at `seq` in the last of `passes` that reached it."""
    entry = last_stood(rows, reached, passes, seq)
    return entry[1] if entry else None


def last_stood(rows: list[CallRow], reached: list[Reached], passes, seq: int) -> tuple[int, int] | None:
    """As `stood`, with the pass before the identity."""
    at: list[tuple[int, int]] = [(row.pass_no, row.identity) for row in rows if row.seq == seq]
    for one in reached:
        if one.seq <= seq < one.seq + one.count:
            at.append((one.pass_no, one.identity + seq - one.seq))
    at = [entry for entry in at if passes(entry[0])]
    return max(at) if at else None


class NaiveAdaptive:
    """Answers (identity or None, args_changed, flags)."""

    def __init__(self, rows: list[CallRow], reached: list[Reached], decided: list[ArgumentsDecide], place_rule):
        self.rows = sorted(rows, key=lambda row: row.identity)
        self.reached = reached
        self.off_names = {one.name for one in decided}
        self.place_rule = place_rule
        self.claimed: set[int] = set()
        self.by_place: list[CallRow] = []
        self.place_off = False
        self.suspect = {one.pass_no for one in decided}
        for row in rows:
            if row.name in self.off_names and row.flags & Flag.TAKEN_OVER:
                self.suspect.add(row.pass_no)
            for one in reached:
                inside = one.identity <= row.identity < one.identity + one.count
                if inside and row.name in self.off_names and one.flags & Flag.ARGS_CHANGED:
                    self.suspect.add(one.pass_no)
        self.renewed = max([row.pass_no for row in rows if row.flags & Flag.RENEWED], default=0)

    def match(self, seq: int, kind: str, name: str, digest: bytes):
        return self.rule_one(kind, name, digest) or self.rule_two(seq, kind, name, digest)

    def match_items(self, first_seq: int, name: str, digests: list[bytes]):
        first = [self.rule_one("map_item", name, digest) for digest in digests]
        return [found or self.rule_two(first_seq + n, "map_item", name, digests[n]) for n, found in enumerate(first)]

    def rule_one(self, kind: str, name: str, digest: bytes):
        for row in self.rows:
            if row.identity not in self.claimed and (row.kind, row.name, row.digest) == (kind, name, digest):
                self.claimed.add(row.identity)
                return row.identity, False, self.flags(row)
        return None

    def flags(self, row: CallRow) -> int:
        flags = row.flags
        if row.pass_no in self.suspect:
            if row.flags & Flag.WEAK:
                flags |= Flag.SET_ASIDE
            elif row.kind in ("map", "reduce") and row.name in self.off_names:
                flags |= Flag.TAKEN_OVER
        return flags

    def rule_two(self, seq: int, kind: str, name: str, digest: bytes):
        new = None, False, 0
        for taken in self.by_place:
            if (taken.kind, taken.name, taken.digest) == (kind, name, digest):
                raise NaiveWrongMatch(name)
        if self.place_off or name in self.off_names:
            return new
        if self.place_rule is not None and name not in self.place_rule:
            return new
        identity = stood(self.rows, self.reached, lambda p: p not in self.suspect and p >= self.renewed, seq)
        found = [row for row in self.rows if row.identity == identity]
        if not found:
            return new
        row = found[0]
        if row.identity in self.claimed or (row.kind, row.name) != (kind, name) or row.pass_no in self.suspect:
            return new
        self.claimed.add(row.identity)
        if row.digest == digest:
            return row.identity, False, self.flags(row)
        self.by_place.append(row)
        if kind not in ARGUMENT_KINDS:
            alone = [(one.kind, one.name) for one in self.rows].count((kind, name)) == 1
            return row.identity, False, self.flags(row) | (0 if alone else Flag.TAKEN_OVER)
        served = row.status == "succeeded" and not row.flags & (Flag.SET_ASIDE | Flag.NOT_STORED | Flag.VOLATILE)
        return row.identity, True, self.flags(row) | (0 if served else Flag.TAKEN_OVER)

    def ended(self, flags: int) -> None:
        if flags & Flag.SET_ASIDE:
            self.place_off = True


def naive_strict(rows, reached, good_runs, length, calls) -> list[int | None] | None:
    """Identities served at each place, None when the body diverges. `calls`: (kind, name, digest) by place."""

    def good(pass_no):
        return pass_no >> 16 in good_runs

    by_identity = {row.identity: row for row in rows}
    if length is None:
        ends = [row.seq + 1 for row in rows if good(row.pass_no)]
        ends += [one.seq + one.count for one in reached if good(one.pass_no)]
        length = max(ends, default=0)
    path: list[CallRow | None] = []
    entries = [last_stood(rows, reached, good, seq) for seq in range(length)]
    on_path = []
    for entry in entries:  # who moved between the runs stands only where it stood last
        again = entry and any(other and other[1] == entry[1] and other[0] > entry[0] for other in entries)
        on_path.append(entry[1] if entry and not again else None)
    for seq, identity in enumerate(on_path):
        if identity is None:  # it may have executed here since, in a run that diverged
            since = stood(rows, [], lambda p: True, seq)
            identity = since if since not in on_path else None
        path.append(by_identity.get(identity) if identity else None)
    served: list[int | None] = []
    new = False
    for seq, (kind, name, digest) in enumerate(calls):
        here = path[seq] if seq < length else None
        if here is None or (here.flags & Flag.VOLATILE and (here.kind, here.name) != (kind, name)):
            new = True
            served.append(None)
            continue
        if (here.kind, here.name) != (kind, name):
            return None
        if not here.flags & Flag.VOLATILE and here.digest != digest:
            for other in path:
                if other is None or other is here or other.flags & Flag.VOLATILE:
                    continue
                if (other.kind, other.name, other.digest) == (kind, name, digest):
                    return None
        served.append(here.identity)
    missing = [row for row in path[len(calls) :] if row is not None and not row.flags & Flag.VOLATILE]
    return None if new and missing else served
