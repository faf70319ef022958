"""Adaptive matching: which recorded call, if any, a call of the running body is.

Rules of this file
- Pure: recorded calls come in through `Recorded`, decisions go out as values. The caller holds a lock around every
  method of a matcher and makes one matcher for each body (pass) of a parent, so claims belong to one attempt.
- (1) The first unclaimed recorded call of the same kind, function and arguments, in order of identity (order of first
  execution; calls with equal arguments are claimed in that order each time, so it is the order of the last run too).
- (2) Else the one that stood at this place in the last pass that reached it, if it is unclaimed and of the same kind
  and function, whatever its arguments. Else the call is new.
- A weak digest is over the pickled bytes of what has no canonical ones. Where it is equal the arguments are, so (1)
  holds for it as for any other. Where it is not, nobody knows: what (2) serves then is marked (`drift_of`).
- Every recorded call can be matched whatever its status; whether its outcome may be reused is `reusable(row)`.
- A call whose arguments are recorded, but whose record was taken by (2), raises `WrongMatch` (when an unclaimed
  record with the same arguments is left it takes that one instead). The caller records `ArgumentsDecide` and starts
  the body over; in a cell (`Body.place_rule` is a set) it cannot, and decides what to do.
- Under `ArgumentsDecide` rule (2) is off for that function, and the passes in which one of its calls was taken by place
  are suspect, not only the pass that found it: an earlier pass may have died before it could find out. What executed
  in a suspect pass matches by (1) only, and is set aside when its digest is weak.
- An unfinished call that is matched by (2) with other arguments executes under the identity of another call. It is
  returned with `Flag.TAKEN_OVER`: in its own body rule (2) must be off (the caller passes an empty `place_rule`), since
  there other arguments follow from its own. The caller keeps the flag on the row (`carried`), so this survives a kill.
  The same holds for a map or reduce node, unless it is the only recorded one of its function here: several are a loop,
  whose next map must not be served the items of another; a single one may have items that hold the current time.
- After a set-aside call has executed and ended, rule (2) is off: in this body through `ended`, in later ones through
  `Flag.RENEWED` on its row, for siblings that were not reached since.
- Memory: on the straight path (calls arrive in order of identity) one page of rows. The first call that is not the next
  recorded one loads an index without values; values are read again by `Recorded.row`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jupyter_durable.core.index import Index
from jupyter_durable.core.model import CallRow, Flag, Kind, Reached, Status
from jupyter_durable.core.places import PAGE, Recorded
from jupyter_durable.records import NamedTuple

__all__ = ["AdaptiveMatcher", "Body", "Matched", "Recorded", "WrongMatch", "carried", "drift_of", "reusable"]

NOT_REUSABLE: Final = Flag.SET_ASIDE | Flag.NOT_STORED | Flag.VOLATILE
WITH_ARGUMENTS: Final = frozenset({Kind.FUNCTION, Kind.MAP_ITEM, Kind.REDUCE_STEP})
"""Kinds of which other arguments are drift. A map or reduce node is never reused, so it cannot drift."""


class Body(NamedTuple):
    """One pass through a parent's code."""

    pass_no: int
    place_rule: frozenset[str] | None
    """None: rule (2) for every function. A set: only for these (the body of a cell; empty: off)."""


class Matched(NamedTuple):
    """What a call is. Without a row it is new."""

    row: CallRow | None
    args_changed: bool


NEW: Final = Matched(None, False)


class WrongMatch(Exception):
    """A call arrived whose record an earlier call of this body took by its place."""

    def __init__(self, name: str, row: CallRow) -> None:
        super().__init__(
            f"{name}: a call with arguments recorded before arrived after another call had taken its record by place"
        )
        self.name = name
        self.row = row
        """The record that was taken, as it was before."""


def reusable(row: CallRow) -> bool:
    """Whether the recorded outcome may be served instead of executing the call."""
    return row.status == Status.SUCCEEDED and not row.flags & NOT_REUSABLE


def drift_of(row: CallRow, weak: int) -> int:
    """The marks of a call that is served from a record that it matched by place; `weak`: its own digest is."""
    return Flag.ARGS_CHANGED | Flag.NOT_COMPARABLE if weak or row.flags & Flag.WEAK else Flag.ARGS_CHANGED


def carried(flags: int) -> int:
    """Flags that a row keeps when its call executes again after it was matched with `flags`."""
    kept = flags & (Flag.TAKEN_OVER | Flag.RENEWED)
    return kept | Flag.RENEWED if flags & Flag.SET_ASIDE else kept


class Stretches:
    """Reused calls of one body, folded into `Reached` stretches."""

    def __init__(self, pass_no: int) -> None:
        self._pass_no = pass_no
        self._closed: list[Reached] = []
        self._parent = self._seq = self._identity = self._count = self._flags = 0

    def add(self, seq: int, row: CallRow, flags: int) -> None:
        """`row` was reused at `seq`."""
        count = self._count
        if count and seq == self._seq + count and row.identity == self._identity + count and flags == self._flags:
            self._count = count + 1
            return
        self._close()
        self._parent, self._seq, self._identity, self._flags, self._count = row.parent, seq, row.identity, flags, 1

    def take(self) -> list[Reached]:
        """All since the last take; the next one begins a new stretch, so that none is written twice."""
        self._close()
        taken, self._closed = self._closed, []
        return taken

    def _close(self) -> None:
        if self._count:
            self._closed.append(
                Reached(self._parent, self._pass_no, self._seq, self._identity, self._count, self._flags)
            )
            self._count = 0


class Matcher:
    """What both ways to match know of a body: what was reused, and whether matching by place has ended."""

    def __init__(self, recorded: Recorded, body: Body) -> None:
        self._recorded = recorded
        self._body = body
        self._stretches = Stretches(body.pass_no)
        self.reuse = self._stretches.add
        """`reuse(seq, row, flags)`: the outcome of `row` was served at `seq`; `flags` are its marks (`Reached`)."""
        self._place_off = False
        self._index: Index | None = None
        """Loaded when calls stop arriving in the recorded order."""

    def take_reached(self) -> list[Reached]:
        """Stretches of reused calls since the last take, to be written with the next commit."""
        return self._stretches.take()

    def stands_at(self, seq: int, kind: str, name: str) -> int | None:
        """Identity of the unclaimed record of this function that stood last at `seq`."""
        return None if self._index is None else self._index.stands_at(seq, kind, name)

    def is_claimed(self, identity: int) -> bool:
        """Whether a call of this body is that record."""
        return self._index is None or self._index.is_claimed(identity)

    def ended(self, row: CallRow) -> None:
        """The call that matched `row`, which was set aside, has executed and ended."""
        if row.flags & Flag.SET_ASIDE:
            self._place_off = True


class AdaptiveMatcher(Matcher):
    """Matches the calls of one body against the recorded children of its parent, rules (1) and (2)."""

    def __init__(self, recorded: Recorded, body: Body) -> None:
        super().__init__(recorded, body)
        self._rows: Sequence[CallRow] = ()
        self._at = 0
        self._claimed_up_to = 0
        self._exhausted = False
        self._moved: list[CallRow] = []
        self._taken: dict[tuple[str, str, bytes], CallRow] = {}
        self._begun = False

    def match(self, seq: int, kind: str, name: str, digest: bytes) -> Matched:
        """Claim the record of the call at `seq`. Raises `WrongMatch`."""
        found = self._by_arguments(kind, name, digest)
        if found is not None:
            # As Matched(found, False), whose constructor is a Python function: this is done for every reused call.
            return tuple.__new__(Matched, (found, False))
        return self._by_place(seq, kind, name, digest)

    def match_items(self, first_seq: int, name: str, digests: Sequence[bytes]) -> list[Matched]:
        """Claim the records of the items of a map at `first_seq…`, all by (1) before any by (2)."""
        found = [self._by_arguments(Kind.MAP_ITEM, name, digest) for digest in digests]
        return [
            Matched(row, False) if row is not None else self._by_place(first_seq + n, Kind.MAP_ITEM, name, digests[n])
            for n, row in enumerate(found)
        ]

    def _by_arguments(self, kind: str, name: str, digest: bytes) -> CallRow | None:
        """Rule (1)."""
        rows, at = self._rows, self._at
        if at < len(rows):
            row = rows[at]
        else:
            next_row = None if self._index is not None else self._read()
            if next_row is None:
                return self._from_index(kind, name, digest)
            row = next_row
        if row.digest == digest and row.name == name and row.kind == kind:
            self._at += 1
            self._claimed_up_to = row.identity
            if row.status != Status.SUCCEEDED or row.flags & NOT_REUSABLE:
                self._moved.append(row._replace(value=None, inputs=None, writes=None))
            return row
        self._leave_path()
        return self._from_index(kind, name, digest)

    def _from_index(self, kind: str, name: str, digest: bytes) -> CallRow | None:
        index = self._index
        if index is None:
            return None
        position = index.first(kind, name, digest)
        return None if position is None else index.claim(position)

    def _by_place(self, seq: int, kind: str, name: str, digest: bytes) -> Matched:
        """Rule (2), for a call that (1) did not find."""
        index = self._index
        if index is None:
            return NEW  # every record there is has been claimed in order
        wrong = self._taken.get((kind, name, digest))
        if wrong is not None:
            raise WrongMatch(name, wrong)
        if self._place_off or not self._allowed(name):
            return NEW
        position = index.at_place(seq, kind, name)
        if position is None:
            return NEW
        row = index.claim(position)
        if row.digest == digest:
            return Matched(row, False)
        self._taken[kind, name, row.digest] = row
        drifts = kind in WITH_ARGUMENTS
        if not reusable(row) if drifts else not index.only_one(position):
            row = row._replace(flags=row.flags | Flag.TAKEN_OVER)
        return Matched(row, drifts)

    def _allowed(self, name: str) -> bool:
        rule = self._body.place_rule
        return rule is None or name in rule

    def _read(self) -> CallRow | None:
        """The next recorded row of the straight path; None when there is none, or when it has just been left."""
        while not self._exhausted:
            page = self._recorded.page(self._claimed_up_to, PAGE)
            rows = [row for row in page if row.pass_no < self._body.pass_no]  # the others are this body's own
            if rows and not self._begun:
                decided = self._recorded.decided()  # may raise, then again for the next call
                self._begun = True
                if decided:
                    self._leave_path()
                    return None
            self._exhausted = len(page) < PAGE
            if rows:
                self._rows, self._at = rows, 0
                return rows[0]
            if page:
                self._claimed_up_to = page[-1].identity
        return None

    def _leave_path(self) -> None:
        self._index = Index(self._recorded, self._body.pass_no, self._claimed_up_to, self._moved)
        self._rows, self._at, self._moved, self._exhausted = (), 0, [], True
