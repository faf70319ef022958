"""Which recorded call a call is: the core decides, here its decisions take effect on a run.

Rules of this file
- A wrong match in a function's body starts the body over; in a cell's body, which cannot, the call is new.
- A divergence stops the run: user code cannot go on past it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

from jupyter_durable.core.model import CallRow, Flag, Kind
from jupyter_durable.core.replay import NEW, AdaptiveMatcher, WrongMatch
from jupyter_durable.core.replay import Body as BodyPlace
from jupyter_durable.core.strict import Divergence, StrictMatcher
from jupyter_durable.errors import DeserializationError, ReplayError
from jupyter_durable.options import MAX_RETRIES
from jupyter_durable.runner.body import Body, Journalled
from jupyter_durable.runner.opened import changed_file
from jupyter_durable.runner.plan import Plan
from jupyter_durable.runner.run import CallRecord, Run
from jupyter_durable.runner.stop import RunStopped, StartOver

PAGE: Final = 1000
"""Recorded calls that are read at once."""


def open_body(call: CallRecord) -> Body:
    """Begin a pass through the code of a call, or find the one that goes on."""
    run = call.run
    again = call.row is not None and call.row.pass_no >> 16 == run.number
    if call.body is None and (call.bodies or again):
        run.flush()  # what the passes before left is read back; not under the lock, which the store may wait for
    with run.lock:
        if call.body is None:
            recorded = call.row is not None or call.bodies > 0
            if again and not call.bodies:
                call.bodies = _bodies_before(call)
            call.body = _new_body(call, call.bodies, recorded)
            call.bodies += 1
        return call.body


def _new_body(call: CallRecord, number: int, recorded: bool) -> Body:
    """A pass through the code of a call, with what is recorded of its children."""
    run = call.run
    pass_no = run.number << 16 | number
    if not recorded:
        return Body(pass_no, None)
    rows = Journalled(run.store, run.lease.serial, call.identity, run.sealer)
    place = BodyPlace(pass_no, _place_rule(call))
    retried = call.attempts > 1 or (call.row is not None and call.row.attempts > 1)
    if run.options.strict and not retried and number == 0:
        length = call.row.children if call.row is not None else None
        strict = StrictMatcher(rows, place, run.options.good_runs, length)
        return Body(pass_no, strict, strict)
    return Body(pass_no, AdaptiveMatcher(rows, place))


def _bodies_before(call: CallRecord) -> int:
    """How many bodies a call had in this run already: it executes again in a further attempt of its caller.

    Its passes are counted on, so that what they recorded is found, and is none of the new body's own.
    """
    run = call.run
    run.flush()
    rows = Journalled(run.store, run.lease.serial, call.identity, run.sealer)
    passes = [one.pass_no for one in rows.reached()]
    after = 0
    while page := rows.page(after, PAGE):
        passes += [row.pass_no for row in page]
        after = page[-1].identity
    return max((pass_no & 0xFFFF for pass_no in passes if pass_no >> 16 == run.number), default=-1) + 1


def _place_rule(call: CallRecord) -> frozenset[str] | None:
    options = call.run.options
    if not options.match_by_place or call.flags & Flag.TAKEN_OVER or call.kind == Kind.REDUCE:
        return frozenset()
    if call.kind in (Kind.CELL, Kind.SCRIPT):
        return options.place_rule if options.place_rule is not None else frozenset()
    return None


def match(parent: CallRecord, body: Body, call: tuple[int, str, str, bytes]) -> tuple[CallRow | None, bool]:
    """The recorded call that this one is. The body's lock is held."""
    try:
        return body.matcher.match(*call)  # type: ignore[union-attr]
    except (WrongMatch, Divergence) as found:
        return mismatched(parent, found)


def mismatched(parent: CallRecord, found: WrongMatch | Divergence) -> tuple[CallRow | None, bool]:
    """What a matcher raised takes effect: the call is new, or the body starts over, or the run stops."""
    if isinstance(found, Divergence):
        _diverge(parent.run, found)
    if parent.kind in (Kind.CELL, Kind.SCRIPT):
        return NEW  # the body of a cell cannot start over
    parent.start_over = found
    raise StartOver from None


def match_items(node: CallRecord, digests: Sequence[bytes]) -> Sequence[tuple[CallRow | None, bool]]:
    """The recorded items of a map. The body's lock is held."""
    try:
        return node.body.matcher.match_items(0, node.name, digests)  # type: ignore[union-attr]
    except Divergence as divergence:
        _diverge(node.run, divergence)


def end_strict(run: Run, body: Body) -> None:
    """A strict body has ended: nothing new may have taken the place of what is missing."""
    try:
        body.strict.end(body.next_seq)
    except Divergence as divergence:
        _diverge(run, divergence)


def _diverge(run: Run, divergence: Divergence) -> NoReturn:
    error = ReplayError(f"request {run.id}: {divergence}")
    run.stop(error)
    raise RunStopped(error) from None


def attempts_of(run: Run, row: CallRow) -> int:
    """How many attempts of an interrupted call count: none where nobody vouches for the row that says so."""
    stored = run.store.call(run.lease.serial, row.parent, row.identity)
    if stored is None:
        return 0
    try:
        run.sealer.check(stored)
    except DeserializationError:
        return 0
    return max(0, min(stored.attempts, MAX_RETRIES + 1))


def refused(run: Run, row: CallRow, plan: Plan, changed: bool) -> int:
    """With `rerun="changed"`: the flags under which a recorded success executes; 0 where it may be served."""
    if run.options.reuse_changed:
        return 0
    if changed or row.code != plan.code:  # what changed before the run was set aside; this changed in its course
        return Flag.TAKEN_OVER
    return Flag.SET_ASIDE if row.files and changed_file(row.files, below=True) is not None else 0


def drifted(run: Run, row: CallRow, plan: Plan) -> bool:
    """Whether the code of a recorded call, or of what it called, differs from what this run would execute."""
    return row.code != plan.code or (row.below is not None and run.planner.drifted_below(row.below))
