"""What an edit costs: for each one the calls that execute, and those that are reused with changed arguments."""

from __future__ import annotations

import pytest

from jupyter_durable.core.model import ArgumentsDecide, Flag, Kind, Status
from jupyter_durable.core.replay import AdaptiveMatcher, Body, WrongMatch, carried, reusable
from jupyter_durable.core.strict import Divergence, StrictMatcher
from tests.core.support import RUN_1, RUN_2, RUN_9, Records, digest, row

RECORDED = ["f1", "g2", "f3", "g4"]
"""A call is written as its function and its argument."""


def journal(calls) -> list:
    return [row(n + 2, n, call[0], call[1:]) for n, call in enumerate(calls)]


def adaptive(recorded, calls, place_rule=None) -> tuple[list[str], list[str]]:
    """(executed, reused with changed arguments), starting over as the runner does."""
    records = Records(journal(recorded))
    executed: list[str] = []
    for body in range(1, 20):
        pass_no = 9 << 16 | body
        matcher = AdaptiveMatcher(records, Body(pass_no, place_rule))
        marked = []
        try:
            for seq, call in enumerate(calls):
                found = matcher.match(seq, Kind.FUNCTION, call[0], digest(call[1:]))
                if found.row is not None and reusable(found.row):
                    matcher.reuse(seq, found.row, Flag.ARGS_CHANGED if found.args_changed else 0)
                    marked += [call] if found.args_changed else []
                    continue
                executed.append(call)
                identity = found.row.identity if found.row else max([*records.rows, 1]) + 1
                records.rows[identity] = row(identity, seq, call[0], call[1:], pass_no=pass_no)
        except WrongMatch as wrong:
            records.decisions.append(ArgumentsDecide(1, wrong.name, pass_no))
            records.stretches.extend(matcher.take_reached())
            continue
        return executed, marked
    raise AssertionError("the body starts over for ever")


ADAPTIVE = {
    "nothing": (RECORDED, [], []),
    "insert a new name first": (["h9", *RECORDED], ["h9"], []),
    "insert a new name in the middle": (["f1", "h9", "g2", "f3", "g4"], ["h9"], []),
    "insert a new name last": ([*RECORDED, "h9"], ["h9"], []),
    "insert a used name first": (["f9", *RECORDED], ["f9"], []),
    "insert a used name in the middle": (["f1", "g9", "g2", "f3", "g4"], ["g9"], []),
    "insert a used name last": ([*RECORDED, "f9"], ["f9"], []),
    "delete the first": (["g2", "f3", "g4"], [], []),
    "delete one in the middle": (["f1", "f3", "g4"], [], []),
    "delete the last": (["f1", "g2", "f3"], [], []),
    "delete all but the last": (["g4"], [], []),
    "rename": (["f1", "h2", "f3", "g4"], ["h2"], []),
    "swap": (["f1", "g4", "f3", "g2"], [], []),
    "reverse": (["g4", "f3", "g2", "f1"], [], []),
    "change a parameter": (["f1", "g7", "f3", "g4"], [], ["g7"]),
    "change the first parameter": (["f7", "g2", "f3", "g4"], [], ["f7"]),
    "time.time() as every argument": (["f5", "g6", "f7", "g8"], [], ["f5", "g6", "f7", "g8"]),
}


@pytest.mark.parametrize("edit", ADAPTIVE)
def test_adaptive(edit):
    """An edit costs only what it adds; a changed argument is marked."""
    calls, executed, marked = ADAPTIVE[edit]
    assert adaptive(RECORDED, calls) == (executed, marked)


def test_the_same_call_three_times_keeps_three_values():
    """Calls with equal arguments are served in the order in which they ran."""
    records = Records(journal(["f1", "f1", "f1"]))
    matcher = AdaptiveMatcher(records, Body(RUN_9, None))
    served = [matcher.match(seq, Kind.FUNCTION, "f", digest("1")).row for seq in range(4)]
    assert [one and one.identity for one in served] == [2, 3, 4, None]


@pytest.mark.parametrize("done", range(6))
def test_a_set_in_another_order_executes_only_what_had_not_run(done):
    """However far the first run came, no item runs twice and none is served the result of another one."""
    items = ["fa", "fb", "fc", "fd", "fe"]
    order = ["fe", "fc", "fa", "fd", "fb"]
    executed, marked = adaptive(items[:done], order)
    assert (sorted(executed), marked) == (items[done:], [])


def test_a_map_in_another_order_executes_nothing():
    """Items are found by their arguments, all of them before any by its place."""
    rows = [row(n + 2, n, "f", item, kind=Kind.MAP_ITEM) for n, item in enumerate("abcd")]
    matcher = AdaptiveMatcher(Records(rows), Body(RUN_9, None))
    found = matcher.match_items(0, "f", [digest(item) for item in "dxab"])
    assert [(one.row and one.row.identity, one.args_changed) for one in found] == [
        (5, False),
        (None, False),
        (2, False),
        (3, False),
    ]


def test_an_item_changed_in_a_map_takes_the_record_at_its_place():
    """(2) holds for the items that (1) did not find."""
    rows = [row(n + 2, n, "f", item, kind=Kind.MAP_ITEM) for n, item in enumerate("abc")]
    matcher = AdaptiveMatcher(Records(rows), Body(RUN_9, None))
    found = matcher.match_items(0, "f", [digest(item) for item in "axc"])
    assert [(one.row and one.row.identity, one.args_changed) for one in found] == [(2, False), (3, True), (4, False)]


@pytest.mark.parametrize(("maps", "by_arguments_only"), [(1, False), (2, True)])
def test_the_items_of_a_map_in_a_loop_match_by_arguments_only(maps, by_arguments_only):
    """Where several maps of a function are recorded, one at another's place must not be served its items."""
    rows = [row(n + 2, n, "f", n, kind=Kind.MAP) for n in range(maps)]
    found = AdaptiveMatcher(Records(rows), Body(RUN_9, None)).match(0, Kind.MAP, "f", digest("other")).row
    assert found is not None
    assert bool(found.flags & Flag.TAKEN_OVER) is by_arguments_only


def test_in_a_cell_rule_2_holds_only_for_the_names_given():
    """A cell's body cannot start over, so functions called more than once match by arguments only."""
    assert adaptive(RECORDED, ["f5", "g6", "f7", "g8"], frozenset("f")) == (["g6", "g8"], ["f5", "f7"])
    assert adaptive(RECORDED, ["f5", "g6", "f7", "g8"], frozenset()) == (["f5", "g6", "f7", "g8"], [])


def test_an_unfinished_call_gives_its_identity_to_the_call_at_its_place():
    """Its finished children are found; they match by arguments only, which its row remembers."""
    rows = [row(2, 0, "f", 1, status=Status.RUNNING)]
    found = AdaptiveMatcher(Records(rows), Body(RUN_9, None)).match(0, Kind.FUNCTION, "f", digest(2))
    assert found.row is not None
    assert (found.row.identity, found.args_changed) == (2, True)
    assert carried(found.row.flags) == Flag.TAKEN_OVER


def test_wrong_match_names_the_function_and_the_record():
    """A call whose record was taken by place says so, rather than being executed again."""
    matcher = AdaptiveMatcher(Records(journal(["f1"])), Body(RUN_9, None))
    assert matcher.match(0, Kind.FUNCTION, "f", digest("9")).args_changed
    with pytest.raises(WrongMatch) as wrong:
        matcher.match(1, Kind.FUNCTION, "f", digest("1"))
    assert (wrong.value.name, wrong.value.row.identity) == ("f", 2)


def test_after_a_set_aside_call_has_ended_other_arguments_execute():
    """What depends on the new result runs again, also in the next run when this one is killed."""
    rows = journal(["f1", "g2", "g3"])
    rows[0] = rows[0]._replace(flags=Flag.SET_ASIDE)
    matcher = AdaptiveMatcher(Records(rows), Body(RUN_2, None))
    first = matcher.match(0, Kind.FUNCTION, "f", digest("1")).row
    assert first is not None
    assert not reusable(first)
    matcher.ended(first)
    assert matcher.match(1, Kind.FUNCTION, "g", digest("8")).row is None
    rows[0] = rows[0]._replace(flags=carried(first.flags), pass_no=RUN_2)
    again = AdaptiveMatcher(Records(rows), Body(RUN_9, None))
    assert again.match(0, Kind.FUNCTION, "f", digest("1")).row is not None
    assert again.match(1, Kind.FUNCTION, "g", digest("8")).row is None


def test_stretches_join_neighbours_and_are_taken_once():
    """Reused calls one after the other are one record; a gap, a mark or a take begins a new one."""
    rows = journal(["f1", "f2", "f3", "f4", "f5"])
    matcher = AdaptiveMatcher(Records(rows), Body(RUN_9, None))
    for seq, drift in enumerate([0, 0, Flag.ARGS_CHANGED]):
        matcher.reuse(seq, rows[seq], drift)
    taken = matcher.take_reached()
    assert [(one.seq, one.identity, one.count, one.flags) for one in taken] == [(0, 2, 2, 0), (2, 4, 1, 16)]
    matcher.reuse(3, rows[3], 0)
    assert [one.seq for one in matcher.take_reached()] == [3]
    assert matcher.take_reached() == []


def test_the_straight_path_reads_one_page_at_a_time():
    """Memory is flat: each row is read once, and no more than a page ahead."""
    rows = [row(n + 2, n, "f", n) for n in range(2000)]
    records = Records(rows)
    matcher = AdaptiveMatcher(records, Body(RUN_9, None))
    for n in range(2000):
        assert matcher.match(n, Kind.FUNCTION, "f", digest(n)).row is rows[n]
        assert records.read <= (n // 512 + 1) * 512
    assert matcher.match(2000, Kind.FUNCTION, "f", digest(1)).row is None


def strict(recorded, calls, length=None) -> str | None:
    """What is wrong, None when the run passes."""
    matcher = StrictMatcher(Records(journal(recorded)), Body(RUN_9, None), frozenset({1}), length)
    try:
        for seq, call in enumerate(calls):
            matcher.match(seq, Kind.FUNCTION, call[0], digest(call[1:]))
        matcher.end(len(calls))
    except Divergence as error:
        return f"{error.place}: {error.what}"
    return None


STRICT = {
    "nothing": (RECORDED, None),
    "insert a new name first": (["h9", *RECORDED], "0: `h` was called where `f` is recorded"),
    "insert a new name last": ([*RECORDED, "h9"], None),
    "insert a used name first": (["f9", *RECORDED], "1: `f` was called where `g` is recorded"),
    "insert a used name last": ([*RECORDED, "f9"], None),
    "delete the first": (["g2", "f3", "g4"], "0: `g` was called where `f` is recorded"),
    "delete the last": (["f1", "g2", "f3"], None),
    "rename": (["f1", "h2", "f3", "g4"], "1: `h` was called where `g` is recorded"),
    "swap": (["f1", "g4", "f3", "g2"], "1: `g` was called with the arguments that are recorded for its call 3"),
    "change a parameter": (["f1", "g7", "f3", "g4"], None),
    "time.time() as every argument": (["f5", "g6", "f7", "g8"], None),
    "the same call twice": (["f1", "g2", "f1", "g4"], "2: `f` was called with the arguments that are recorded"),
}


@pytest.mark.parametrize("edit", STRICT)
def test_strict(edit):
    """Another function at a place and the arguments of a sibling diverge; a new or a missing call alone does not."""
    calls, expected = STRICT[edit]
    found = strict(RECORDED, calls)
    assert (found is None) == (expected is None)
    assert (found or "").startswith(expected or "")


def test_a_divergence_names_the_remedy():
    """Adaptive replay, or a fork."""
    matcher = StrictMatcher(Records(journal(["f1"])), Body(RUN_9, None), frozenset({1}), None)
    with pytest.raises(Divergence, match=r"Replay in adaptive mode, .* or fork the request"):
        matcher.match(0, Kind.FUNCTION, "g", digest("1"))


def test_strict_keeps_equal_calls_apart_by_their_places():
    """Calls with equal arguments may stand at several places."""
    assert strict(["f1", "f1", "f1"], ["f1", "f1", "f1"]) is None


def test_strict_raises_for_a_new_call_with_a_missing_one():
    """A call at a hole of the path, while a recorded one does not run, is found at the end."""
    rows = journal(RECORDED)
    records = Records([rows[0], rows[2], rows[3]])
    matcher = StrictMatcher(records, Body(RUN_9, None), frozenset({1}), None)
    matcher.match(0, Kind.FUNCTION, "f", digest("1"))
    matcher.match(1, Kind.FUNCTION, "h", digest("9"))
    with pytest.raises(Divergence, match="`h` is new at call 1, and `f` at call 2 did not run"):
        matcher.end(2)


def test_strict_ignores_calls_of_diverged_runs_beyond_the_path():
    """They stay in the journal for adaptive replay."""
    rows = [*journal(["f1"]), row(9, 1, "g", "2", pass_no=RUN_2)]
    matcher = StrictMatcher(Records(rows), Body(RUN_9, None), frozenset({RUN_1 >> 16}), None)
    assert matcher.match(0, Kind.FUNCTION, "f", digest("1")).row == rows[0]
    assert matcher.match(1, Kind.FUNCTION, "h", digest("3")).row is None


def test_strict_does_not_compare_volatile_calls():
    """A `durable=False` call may be called with anything, or be replaced."""
    rows = journal(["f1", "g2"])
    rows[0] = rows[0]._replace(flags=Flag.VOLATILE)
    for call in ("f2", "h1"):
        matcher = StrictMatcher(Records(rows), Body(RUN_9, None), frozenset({1}), None)
        matcher.match(0, Kind.FUNCTION, call[0], digest(call[1:]))
        assert matcher.match(1, Kind.FUNCTION, "g", digest("2")).row == rows[1]
        matcher.end(2)
