"""Fingerprints, retries, deadlines, and what rerun, from_call and preview choose."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_durable import errors
from jupyter_durable.core import selection
from jupyter_durable.core.deadline import Deadline
from jupyter_durable.core.fingerprint import NO_PARENT, fingerprint
from jupyter_durable.core.model import Flag, Kind, Status
from jupyter_durable.core.nodes import Node, numbered
from jupyter_durable.core.retry import RetryPolicy, decide
from tests.core.support import row

POLICY = RetryPolicy(3, 1.0, 5.0, 2.0, False, (Exception,))


def test_a_fingerprint_is_a_place():
    """Kind, name, parent and place all count, nothing else does, and fields do not run into each other."""
    base = fingerprint("function_call", "f", NO_PARENT, 0)
    assert base == fingerprint("function_call", "f", NO_PARENT, 0)
    others = [
        fingerprint("map", "f", NO_PARENT, 0),
        fingerprint("function_call", "g", NO_PARENT, 0),
        fingerprint("function_call", "f", base, 0),
        fingerprint("function_call", "f", NO_PARENT, 1),
        fingerprint("function_cal", "lf", NO_PARENT, 0),
    ]
    assert len({base, *others}) == 6
    assert len(base) == 16


def test_the_rule_of_fingerprints_is_kept():
    """Stored requests show these bytes: a change needs a new FINGERPRINT_RULE."""
    assert fingerprint("function_call", "f", NO_PARENT, 0).hex() == "6d50059cd60d1e7c52da616444e4b09c"


def test_delays_grow_up_to_the_maximum_and_end_with_the_budget():
    """initial × multiplier^n, at most max_delay, max_retries times."""
    assert [decide(POLICY, n, ValueError(), 0.5) for n in range(1, 6)] == [1.0, 2.0, 4.0, None, None]
    assert decide(POLICY._replace(max_retries=10), 9, ValueError(), 0.5) == 5.0
    assert decide(POLICY._replace(max_retries=10**6), 10**5, ValueError(), 0.5) == 5.0


def test_jitter_draws_between_half_of_the_delay_and_the_delay():
    """Never zero: a crowd of retries is spread, not released."""
    jittery = POLICY._replace(jitter=True)
    assert [decide(jittery, 2, ValueError(), draw) for draw in (0.0, 0.5, 1.0)] == [1.0, 1.5, 2.0]


@pytest.mark.parametrize(
    "error",
    [
        errors.RequestError("no"),
        errors.SDKUsageError("no"),
        errors.CheckpointError("no"),
        errors.LeaseLost("no"),
        errors.Cancelled("no"),
        errors.ReplayError("no"),
        KeyboardInterrupt(),
        SystemExit(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_never_retried(error):
    """Whatever retry_on says."""
    assert decide(POLICY._replace(retry_on=(BaseException,)), 1, error, 0.0) is None


@pytest.mark.parametrize("error", [errors.TimeoutError("t"), errors.WorkerLost("w"), errors.FunctionError("f")])
def test_failures_of_ours_that_are_retried(error):
    """A timeout, a dead worker and a failed child are failures of the call."""
    assert decide(POLICY, 1, error, 0.0) == 1.0


def test_only_what_retry_on_names_is_retried():
    """Others fail at once."""
    assert decide(POLICY._replace(retry_on=(OSError,)), 1, ValueError(), 0.0) is None
    assert decide(POLICY._replace(retry_on=(OSError,)), 1, ConnectionError(), 0.0) == 1.0


def test_a_deadline_is_reset_by_progress_and_stands_still_in_waits():
    """Overlapping waits count once."""
    clock = Deadline.started(10.0, 100.0)
    assert clock.remaining(104.0) == 6.0
    clock = clock.paused(104.0)
    assert clock.remaining(1000.0) == 6.0
    clock = clock.paused(500.0).resumed(900.0)
    assert clock.remaining(1000.0) == 6.0
    clock = clock.resumed(1000.0)
    assert clock.remaining(1001.0) == 5.0
    assert clock.progressed(1005.0).remaining(1006.0) == 9.0
    assert clock.paused(1001.0).progressed(1002.0).resumed(1010.0).remaining(1011.0) == 9.0
    assert Deadline.started(None, 0.0).remaining(1e9) is None


def tree() -> Node:
    """root(1): a(2)[x(3) y(4)], m(5)=map[i(6)[p(7)] i(8)], z(9); and a stale call s(10)."""

    def node(identity, name, *children, parent=1, kind=Kind.FUNCTION, **changes):
        one = row(identity, 0, name, "", parent=parent, kind=kind, duration=float(identity), **changes)
        return Node(one, children)

    a = node(2, "a", node(3, "x", parent=2), node(4, "y", parent=2))
    items = [
        node(6, "i", node(7, "p", parent=6), parent=5, kind=Kind.MAP_ITEM),
        node(8, "i", parent=5, kind=Kind.MAP_ITEM, status=Status.FAILED),
    ]
    m = node(5, "i", *items, kind=Kind.MAP)
    root = node(1, "root", a, m, node(9, "z"), parent=0, status=Status.FAILED)
    return root._replace(others=(node(10, "s"),))


def ids(set_aside):
    return {identity for _, identity in set_aside}


def test_calls_are_numbered_by_name_in_program_order():
    """Map nodes apart from their items."""
    names = numbered(tree())
    assert [names[n] for n in (2, 5, 6, 8, 9)] == ["a[0]", "i.map[0]", "i[0]", "i[1]", "z[0]"]


def test_rerun_takes_the_subtree_and_all_callers():
    """And nothing beside them."""
    assert ids(selection.rerun(tree(), [2])) == {1, 2, 3, 4}
    assert ids(selection.rerun(tree(), [7])) == {1, 5, 6, 7}
    assert (5, 6) in selection.rerun(tree(), [7])


def test_from_call_takes_everything_later_but_not_the_other_items_of_a_map():
    """What is no longer reached is not earlier, so it goes too."""
    assert ids(selection.from_call(tree(), 4)) == {1, 2, 4, 5, 6, 7, 8, 9, 10}
    assert ids(selection.from_call(tree(), 6)) == {1, 5, 6, 7, 9, 10}
    assert {node.row.identity for node in selection.later(tree(), 3)} == {4, 5, 6, 7, 8, 9, 10}


def test_an_unknown_call_is_a_key_error():
    """The caller names it to the user."""
    with pytest.raises(KeyError):
        selection.from_call(tree(), 99)


def verdicts(preview):
    return {call.call: (call.verdict, call.why) for call in preview.calls}


def test_preview_of_a_failed_request():
    """Successes are reused, the failure and its callers execute, a covered call saves nothing more."""
    found = selection.preview(tree(), (), {2: "code of helper changed"})
    assert verdicts(found) == {
        "root[0]": ("executed", "failed"),
        "a[0]": ("reused", "code of helper changed"),
        "x[0]": ("reused", ""),
        "y[0]": ("reused", ""),
        "i.map[0]": ("executed", "its items are matched one by one"),
        "i[0]": ("reused", ""),
        "p[0]": ("reused", ""),
        "i[1]": ("executed", "failed"),
        "z[0]": ("reused", ""),
    }
    assert found.saved == 2.0 + 6.0 + 9.0
    assert str(found).split("\n")[:2] == [
        "6 reused · 1 executed · saves 17 s · 1 reused though code of helper changed",
        "root[0]     executed: failed",
    ]
    assert str(found._replace(calls=found.calls[:1], saved=0.0)).startswith("0 reused · 0 executed\n")


def test_preview_after_a_set_aside_depends_on_arguments():
    """What comes after it in the same caller may get other arguments."""
    found = verdicts(selection.preview(tree(), ids(selection.rerun(tree(), [3])), {}))
    assert found["x[0]"] == ("executed", "set aside")
    assert found["y[0]"][0] == found["z[0]"][0] == "depends on arguments"
    assert found["i.map[0]"][0] == found["i[0]"][0] == "depends on arguments"


def test_preview_of_other_items_of_a_map():
    """They do not depend on the one that is set aside."""
    found = verdicts(selection.preview(tree(), ids(selection.rerun(tree(), [8])), {}))
    assert (found["i.map[0]"], found["i[0]"]) == (("executed", "set aside"), ("reused", ""))
    assert found["z[0]"][0] == "depends on arguments"


def test_preview_of_a_success_reuses_the_root():
    """It covers all."""
    root = tree()
    done = root._replace(row=root.row._replace(status=Status.SUCCEEDED))
    assert {verdict for verdict, _ in verdicts(selection.preview(done, (), {})).values()} == {"reused"}


@pytest.mark.parametrize(
    ("flags", "why"), [(Flag.NOT_STORED, "its result could not be stored"), (Flag.VOLATILE, "durable=False")]
)
def test_preview_says_why(flags, why):
    """A success without a value, and a function that is not durable, execute."""
    root = tree()
    first = root.children[0]._replace(row=root.children[0].row._replace(flags=flags))
    found = verdicts(selection.preview(root._replace(children=(first, *root.children[1:])), (), {}))
    assert found["a[0]"] == ("executed", why)
    assert found["z[0]"][0] == "reused"
