"""The laws of matching over random journals: the code against `naive.py`. Each raises `AssertionError`."""

from __future__ import annotations

import random

from jupyter_durable.core.model import ArgumentsDecide, CallRow, Flag, Kind, Reached, Status
from jupyter_durable.core.replay import AdaptiveMatcher, Body, WrongMatch, reusable
from jupyter_durable.core.strict import Divergence, StrictMatcher
from tests.core.naive import NaiveAdaptive, NaiveWrongMatch, naive_strict
from tests.core.simulate import DRIFTING, STABLE, trial
from tests.core.support import RUN_9, Records, digest, row

__all__ = ["adaptive_equals_model", "nothing_wrong_unmarked", "random_journal", "strict_equals_model"]

KINDS = (Kind.FUNCTION, Kind.FUNCTION, Kind.FUNCTION, Kind.MAP_ITEM, Kind.MAP)


def random_journal(draw: random.Random, *, strange: bool = True) -> tuple[list[CallRow], list[Reached]]:
    """Children of one parent after up to four passes, one place for each call in each pass."""
    size = draw.randrange(0, 9)
    identities = sorted(draw.sample(range(2, 40), size))
    passes = [run << 16 | body for run in range(1, draw.randrange(2, 4)) for body in range(1, draw.randrange(2, 4))]
    standing: dict[int, list[int]] = {
        pass_no: draw.sample(identities, draw.randrange(0, size + 1)) for pass_no in passes
    }
    rows: list[CallRow] = []
    reached: list[Reached] = []
    one_map = strange and draw.random() < 0.2
    for identity in identities:
        home = draw.choice(passes)
        if identity not in standing[home]:
            standing[home].append(identity)
        statuses = [Status.SUCCEEDED] * 3 + [Status.FAILED, Status.RUNNING]
        flags = [0] * 6 + ([Flag.WEAK, Flag.SET_ASIDE, Flag.VOLATILE, Flag.RENEWED, Flag.TAKEN_OVER] if strange else [])
        one = row(
            identity, 0, draw.choice("fg"), draw.choice("abcd"), kind=draw.choice(KINDS if strange else KINDS[:1])
        )
        one = one._replace(kind=Kind.MAP_ITEM, name="f") if one_map else one
        rows.append(one._replace(pass_no=home, status=draw.choice(statuses), flags=draw.choice(flags)))
    homes = {one.identity: one.pass_no for one in rows}
    seqs: dict[int, int] = {}
    for pass_no in passes:
        for seq, identity in enumerate(standing[pass_no]):
            if homes[identity] == pass_no:
                seqs[identity] = seq
            else:
                drift = draw.choice([0, 0, Flag.ARGS_CHANGED])
                last = reached[-1] if reached else None
                follows = last and (last.pass_no, last.seq + last.count, last.identity + last.count, last.flags)
                if last and follows == (pass_no, seq, identity, drift):
                    reached[-1] = last._replace(count=last.count + 1)
                else:
                    reached.append(Reached(1, pass_no, seq, identity, 1, drift))
    return [one._replace(seq=seqs[one.identity]) for one in rows], reached


def random_calls(draw: random.Random, rows: list[CallRow]) -> list[tuple[str, str, bytes]]:
    """Mostly the recorded order, edited."""
    calls = [(one.kind, one.name, one.digest) for one in sorted(rows, key=lambda one: (one.pass_no, one.seq))]
    if draw.random() < 0.3:
        calls = [(one.kind, one.name, one.digest) for one in sorted(rows, key=lambda one: one.identity)]
    begin = draw.choice([0, len(calls) // 2])
    for _edit in range(draw.choice([0, 1, 1, 2, 5])):
        at = draw.randrange(min(begin, len(calls)), len(calls) + 1)
        fresh = draw.choice(KINDS), draw.choice("fgh"), digest(draw.choice("abcdef"))
        if calls and draw.random() < 0.5:
            fresh = *draw.choice(calls)[:2], fresh[2]
        action = draw.choice(["insert", "delete", "swap", "change"])
        if action == "insert":
            calls.insert(at, fresh)
        elif at < len(calls):
            if action == "delete":
                del calls[at]
            elif action == "swap":
                calls[0], calls[at] = calls[at], calls[0]
            else:
                calls[at] = (*calls[at][:2], fresh[2])
    return calls


def _live(records: Records, seq: int, key: tuple[str, str, bytes], found: CallRow | None) -> None:
    """The journal as the runner changes it below the matcher: what executes gets a row of this pass."""
    if found is not None and reusable(found):
        return
    identity = found.identity if found is not None else max([*records.rows, 100]) + 1
    kind, name, args = key
    records.rows[identity] = row(identity, seq, name, "", kind=kind, digest=args, pass_no=RUN_9)


def adaptive_equals_model(seed: int) -> None:
    """Every answer of the matcher is the model's, `WrongMatch` included, while the journal grows below it."""
    draw = random.Random(seed)
    rows, reached = random_journal(draw)
    names = draw.choice([[], [], ["f"], ["f", "g"]])
    decided = [ArgumentsDecide(1, name, draw.choice(rows).pass_no) for name in names if rows]
    place_rule = draw.choice([None, None, None, frozenset("f"), frozenset()])
    records = Records(rows, reached, decided)
    matcher = AdaptiveMatcher(records, Body(RUN_9, place_rule))
    model = NaiveAdaptive(rows, reached, decided, place_rule)
    calls = random_calls(draw, rows)
    seq = 0
    while seq < len(calls):
        kind, name, args = calls[seq]
        items = 1
        if kind == Kind.MAP_ITEM:
            while seq + items < len(calls) and calls[seq + items][:2] == (kind, name):
                items += 1
        try:
            if kind == Kind.MAP_ITEM:
                expected = model.match_items(seq, name, [call[2] for call in calls[seq : seq + items]])
            else:
                expected = [model.match(seq, kind, name, args)]
        except NaiveWrongMatch:
            expected = None
        try:
            if kind == Kind.MAP_ITEM:
                found = matcher.match_items(seq, name, [call[2] for call in calls[seq : seq + items]])
            else:
                found = [matcher.match(seq, kind, name, args)]
        except WrongMatch:
            assert expected is None, "the matcher alone says that a match was wrong"
            return
        assert expected is not None, "only the model says that a match was wrong"
        answers = [(m.row and m.row.identity, m.args_changed, m.row.flags if m.row else 0) for m in found]
        assert answers == expected
        for n, one in enumerate(found):
            _live(records, seq + n, calls[seq + n], one.row)
        for one in found:
            if one.row is not None and draw.random() < 0.5:
                matcher.ended(one.row)
                model.ended(one.row.flags)
        seq += items


def strict_equals_model(seed: int) -> None:
    """Strict raises `Divergence` if and only if the model says so, and else serves what the model serves."""
    draw = random.Random(seed)
    rows, reached = random_journal(draw, strange=draw.random() < 0.2)
    good_runs = frozenset(draw.choice([{1, 2}, {1, 2}, {1}, {2}]))
    length = draw.choice([None, None, len(rows), draw.randrange(0, 6)])
    calls = random_calls(draw, rows)
    if draw.random() < 0.5:
        path = [one for one in rows if one.pass_no >> 16 in good_runs]
        calls = [(one.kind, one.name, one.digest) for one in sorted(path, key=lambda one: one.seq)]
        calls += random_calls(draw, rows[:1])
    expected = naive_strict(rows, reached, good_runs, length, calls)
    records = Records(rows, reached)
    matcher = StrictMatcher(records, Body(RUN_9, None), good_runs, length)
    found: list[int | None] = []
    try:
        for seq, call in enumerate(calls):
            matched = matcher.match(seq, *call)
            found.append(matched.row.identity if matched.row else None)
            _live(records, seq, call, matched.row)
        matcher.end(len(calls))
    except Divergence:
        assert expected is None, "the matcher alone diverges"
    else:
        assert expected == found, "None: the model alone diverges"


def nothing_wrong_unmarked(seed: int) -> None:
    """Over edits, kills and replays of replays a result is right or marked; with stable arguments it is right."""
    kind = (*STABLE, *DRIFTING)[seed % len((*STABLE, *DRIFTING))]
    outcome = trial(seed, kind, chained=kind in ("reorder", "swap") and seed % 2 == 0)
    assert not outcome.wrong or outcome.marks, f"{kind}: wrong without a mark"
    assert not outcome.wrong or kind not in NEVER_WRONG, f"{kind}: wrong"


NEVER_WRONG = tuple(kind for kind in STABLE if kind != "delete")
"""A call deleted where another of its function was never recorded cannot be told from a changed argument: marked."""
