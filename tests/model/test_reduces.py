"""`reduce`: `functools.reduce` with a checkpoint at each step."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_durable import SDKUsageError, application, function, get_request, run_local_application
from jupyter_durable.core.model import ROOT, Kind
from jupyter_durable.testing import Bench, crash_after, executions, memory_store
from tests.model.shared import add, add_async, double, double_async

STEPS: list[tuple[str, str]] = []
BROKEN: set[str] = set()
ITEMS: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_is_broken() -> None:
    STEPS.clear()
    BROKEN.clear()
    ITEMS[:] = "abcdefgh"


@function()
def join(accumulated: str, item: str) -> str:
    STEPS.append((accumulated, item))
    if item in BROKEN:
        raise ValueError(f"broken: {item}")
    return f"({accumulated}{item})"


@function()
async def join_async(accumulated: str, item: str) -> str:
    STEPS.append((accumulated, item))
    if item in BROKEN:
        raise ValueError(f"broken: {item}")
    return f"({accumulated}{item})"


@application()
@function()
def folds() -> str:
    return str(join.reduce(list(ITEMS), "-"))


@application()
@function()
async def folds_async() -> str:
    return str(await join_async.reduce(list(ITEMS), "-"))


both = pytest.mark.parametrize(("app", "step"), [(folds, "join"), (folds_async, "join_async")])


@given(st.lists(st.text(max_size=3), max_size=8), st.lists(st.text(max_size=3), max_size=1))
def test_it_is_functools_reduce(items: list[str], initial: list[str]) -> None:
    def plain(a: str, b: str) -> str:
        return f"({a}{b})"

    try:
        expected: Any = functools.reduce(plain, items, *initial)
    except TypeError:
        expected = SDKUsageError
    with memory_store():
        if expected is SDKUsageError:
            with pytest.raises(SDKUsageError, match="reduce of empty iterable with no initial value"):
                join.reduce(items, *initial)
        else:
            assert join.reduce(items, *initial) == expected


async def test_async_reduce_is_the_same(bench: Bench) -> None:
    assert await join_async.reduce("abc") == "((ab)c)"
    assert await join_async.reduce("abc", "-") == "(((-a)b)c)"
    assert await join_async.reduce([], "-") == "-"
    assert await join_async.reduce(["a"]) == "a"
    with pytest.raises(SDKUsageError, match="reduce of empty iterable"):
        await join_async.reduce([])


def test_one_item_or_only_an_initial_never_calls_the_function(bench: Bench) -> None:
    assert join.reduce(["a"]) == "a"
    assert join.reduce([], "-") == "-"
    assert STEPS == []


def test_none_is_an_initial_value(bench: Bench) -> None:
    @function()
    def first(a: Any, b: Any) -> Any:
        return a

    assert first.reduce([1, 2], None) is None


def test_two_initial_values_are_too_many(bench: Bench) -> None:
    with pytest.raises(SDKUsageError, match="at most one initial value"):
        join.reduce(["a"], "b", "c")


def test_items_and_initial_may_be_futures(bench: Bench) -> None:
    assert add.reduce([double.future(1), 5], double.future(10)) == 27
    assert add.reduce(double.future.map([1, 2])) == 6
    assert add.reduce(n for n in range(4)) == 6


async def test_async_items_and_initial_may_be_futures(bench: Bench) -> None:
    assert await add_async.reduce([double_async.future(1), 5, double.future(3)], double_async.future(10)) == 33
    assert await add_async.reduce(double_async.future.map([1, 2])) == 6


@both
def test_a_failed_step_ends_the_reduce_and_replay_executes_the_rest_only(bench: Bench, app: Any, step: str) -> None:
    BROKEN.add("e")
    request = run_local_application(app)
    assert isinstance(request.error, ValueError)
    assert len(STEPS) == 5
    BROKEN.clear()
    STEPS.clear()
    assert request.replay().output() == "((((((((-a)b)c)d)e)f)g)h)"
    assert [item for _, item in STEPS] == list("efgh")


@both
@pytest.mark.parametrize("calls", [1, 4, 7])
def test_after_a_crash_the_rest_executes(bench: Bench, app: Any, step: str, calls: int) -> None:
    with crash_after(calls):
        run_local_application(app)
    request = get_request("last").replay()
    assert request.output() == "((((((((-a)b)c)d)e)f)g)h)"
    assert executions(request) == {step: 8 - calls}


@both
def test_items_that_were_appended_after_a_failure(bench: Bench, app: Any, step: str) -> None:
    BROKEN.add("h")
    request = run_local_application(app)
    BROKEN.clear()
    STEPS.clear()
    ITEMS.append("i")
    assert request.replay().output() == "(((((((((-a)b)c)d)e)f)g)h)i)"
    assert [item for _, item in STEPS] == ["h", "i"]


@both
def test_a_changed_item_in_the_middle_executes_what_follows_and_what_it_needs(
    bench: Bench, app: Any, step: str
) -> None:
    BROKEN.add("h")
    request = run_local_application(app)
    BROKEN.clear()
    STEPS.clear()
    ITEMS[3] = "D"
    assert request.replay().output() == "((((((((-a)b)c)D)e)f)g)h)"
    # Only the newest value was kept, so what stands before the change is accumulated again.
    assert [item for _, item in STEPS] == list("abcDefgh")


@both
def test_a_removed_last_item(bench: Bench, app: Any, step: str) -> None:
    BROKEN.add("h")
    request = run_local_application(app)
    STEPS.clear()
    ITEMS.pop()
    assert request.replay().output() == "(((((((-a)b)c)d)e)f)g)"
    assert STEPS == []


@both
def test_a_reduce_that_ended_is_served_as_a_whole(bench: Bench, app: Any, step: str) -> None:
    BLOCK.add("after")
    request = run_local_application(folds_then)
    assert request.status == "failed"
    BLOCK.clear()
    STEPS.clear()
    assert request.replay().output() == "((((((((-a)b)c)d)e)f)g)h)"
    assert STEPS == []


BLOCK: set[str] = set()


@application()
@function()
def folds_then() -> str:
    result = str(join.reduce(list(ITEMS), "-"))
    if BLOCK:
        raise RuntimeError("after")
    return result


def test_only_the_newest_value_is_kept(bench: Bench) -> None:
    request = run_local_application(folds)
    store = bench.engine.store
    row = store.request(request.id)
    (node,) = store.children(row.serial, ROOT, 0, 10)
    steps = store.children(row.serial, node.identity, 0, 100)
    assert {step.kind for step in steps} == {Kind.REDUCE_STEP}
    assert [step.value is not None for step in steps] == [False] * 7 + [True]
    assert [step.value is not None for step in steps] == [False] * 7 + [True]


def test_a_future_of_a_reduce(bench: Bench) -> None:
    assert add.future.reduce([1, 2, 3]).run().result() == 6
    accumulated: Any = add.future.reduce([1, 2])
    assert add(accumulated, 5) == 8


def test_a_step_is_called_with_the_accumulated_value_first(bench: Bench) -> None:
    join.reduce("bc", "a")
    assert STEPS == [("a", "b"), ("(ab)", "c")]


def test_a_reduce_of_many_items_is_not_recursive(bench: Bench) -> None:
    assert add.reduce(range(3000)) == sum(range(3000))
