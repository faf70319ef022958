"""`map`: one checkpoint an item, results in the order of the items, nested without deadlock."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from jupyter_durable import (
    FunctionError,
    SDKUsageError,
    application,
    cls,
    function,
    get_request,
    run_local_application,
)
from jupyter_durable.function import Results
from jupyter_durable.testing import Bench, crash_after, executions, memory_store
from tests.model.shared import add, double, double_async

BROKEN: set[int] = set()
RAN: list[int] = []


@pytest.fixture(autouse=True)
def _nothing_is_broken() -> None:
    BROKEN.clear()
    RAN.clear()


@function()
def item(n: int) -> int:
    RAN.append(n)
    if n in BROKEN:
        raise ValueError(f"broken: {n}")
    return n


@function()
async def item_async(n: int) -> int:
    await asyncio.sleep(0)
    RAN.append(n)
    if n in BROKEN:
        raise ValueError(f"broken: {n}")
    return n


@application()
@function()
def over(n: int) -> int:
    return sum(item.map(range(n)))


@application()
@function()
async def over_async(n: int) -> int:
    return sum(await item_async.map(range(n)))


def test_results_come_in_the_order_of_the_items(bench: Bench) -> None:
    barrier = threading.Barrier(4, timeout=100)
    turn = [threading.Event() for _ in range(5)]
    turn[4].set()

    @function()
    def backwards(n: int) -> int:
        barrier.wait()
        assert turn[n + 1].wait(100)
        turn[n].set()
        return n

    assert backwards.map([0, 1, 2, 3]) == [0, 1, 2, 3]


def test_the_result_is_a_list_that_can_be_reduced(bench: Bench) -> None:
    results = double.map([1, 2, 3])
    assert isinstance(results, list)
    assert isinstance(results, Results)
    assert results.reduce(add) == 12
    assert results.reduce(add, 100) == 112


@pytest.mark.parametrize("items", [[], (), iter(()), {}, range(0)])
def test_no_items_give_no_results(bench: Bench, items: Any) -> None:
    assert double.map(items) == []


@pytest.mark.parametrize("items", [(n for n in range(3)), range(3), (0, 1, 2), {0: 1, 1: 1, 2: 2}, iter([0, 1, 2])])
def test_items_are_any_iterable(bench: Bench, items: Any) -> None:
    assert double.map(items) == [0, 2, 4]


@pytest.mark.parametrize("items", [3, None, object()])
def test_what_cannot_be_iterated_is_an_error(bench: Bench, items: Any) -> None:
    with pytest.raises(SDKUsageError, match="map and reduce take an iterable, not"):
        double.map(items)


def test_a_string_is_its_characters(bench: Bench) -> None:
    @function()
    def upper(text: str) -> str:
        return text.upper()

    assert upper.map("abc") == ["A", "B", "C"]


def test_items_may_be_futures_and_the_items_a_future(bench: Bench) -> None:
    assert double.map([double.future(1), 5, double.future(2).run()]) == [4, 10, 8]
    assert double.map(double.future.map([1, 2])) == [4, 8]
    assert double.future.map([1, 2]).result() == [2, 4]


async def test_async_items_may_be_futures_and_coroutines(bench: Bench) -> None:
    assert await double_async.map([double_async.future(1), 5, double_async(2), double.future(3)]) == [4, 10, 8, 12]
    assert await double_async.map(double_async.future.map([1, 2])) == [4, 8]


@pytest.mark.parametrize("app", [over, over_async])
def test_a_failed_item_does_not_stop_the_others_and_the_map_raises_the_first(bench: Bench, app: Any) -> None:
    BROKEN.update({7, 3})
    request = run_local_application(app, 50)
    assert sorted(RAN) == list(range(50))
    assert request.status == "failed"
    assert str(request.error) == "broken: 3"
    assert isinstance(request.error, FunctionError)
    assert isinstance(request.error, ValueError)


@pytest.mark.parametrize("app", [over, over_async])
@pytest.mark.parametrize("failures", [set(), {0}, {3, 500, 999}, set(range(1000))])
def test_replay_executes_the_failed_items_only(bench: Bench, app: Any, failures: set[int]) -> None:
    BROKEN.update(failures)
    request = run_local_application(app, 1000)
    assert len(RAN) == 1000
    BROKEN.clear()
    RAN.clear()
    assert request.replay().output() == 499_500
    assert sorted(RAN) == sorted(failures)


def test_return_exceptions_gives_them_in_place(bench: Bench) -> None:
    results = double.map([1, -1, 2], return_exceptions=True)
    assert (results[0], results[2]) == (2, 4)
    assert isinstance(results[1], ValueError)
    assert isinstance(results[1], FunctionError)


async def test_return_exceptions_of_an_async_map(bench: Bench) -> None:
    results = await double_async.map([1, -1, 2], return_exceptions=True)
    assert (results[0], results[2]) == (2, 4)
    assert isinstance(results[1], ValueError)


@application()
@function()
def tolerant(n: int) -> int:
    return sum(result for result in item.map(range(n), return_exceptions=True) if isinstance(result, int))


def test_a_map_that_returns_exceptions_does_not_fail_and_its_failures_run_again(bench: Bench) -> None:
    BROKEN.add(3)
    request = run_local_application(tolerant, 5)
    assert request.output() == 7
    RAN.clear()
    assert request.replay(from_call="item.map[0]") is request
    assert RAN


def test_an_inline_function_maps_in_the_calling_thread(bench: Bench) -> None:
    threads = set()

    @function(executor="inline")
    def here(n: int) -> int:
        threads.add(threading.get_ident())
        return n

    assert here.map(range(5)) == [0, 1, 2, 3, 4]
    assert threads == {threading.get_ident()}


@function(executor="inline")
def inline_item(n: int) -> int:
    RAN.append(n)
    if n in BROKEN:
        raise ValueError(f"broken: {n}")
    return n


def test_a_failed_item_of_an_inline_map_does_not_stop_the_others(bench: Bench) -> None:
    BROKEN.add(1)
    with pytest.raises(ValueError, match="broken: 1"):
        inline_item.map(range(4))
    assert RAN == [0, 1, 2, 3]


@function()
def tree(depth: int) -> int:
    return 1 if depth == 0 else 1 + sum(tree.map([depth - 1, depth - 1]))


@function()
async def tree_async(depth: int) -> int:
    return 1 if depth == 0 else 1 + sum(await tree_async.map([depth - 1, depth - 1]))


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_maps_inside_of_map_items_never_deadlock(slots: int) -> None:
    with memory_store(max_concurrency=slots):
        assert tree(6) == 127


@pytest.mark.parametrize("slots", [1, 2])
async def test_async_maps_inside_of_map_items_never_deadlock(slots: int) -> None:
    with memory_store(max_concurrency=slots):
        assert await tree_async(6) == 127


@function()
def maps_async(depth: int) -> int:
    return 1 if depth == 0 else 1 + sum(maps_sync.future.map([depth - 1, depth - 1]).result())


@function()
async def maps_sync(depth: int) -> int:
    return 1 if depth == 0 else 1 + sum(maps_async.map([depth - 1, depth - 1]))


@pytest.mark.parametrize("slots", [1, 2])
def test_sync_and_async_maps_inside_of_each_other_never_deadlock(slots: int) -> None:
    with memory_store(max_concurrency=slots):
        assert maps_async(4) == 31


@cls()
class Scaler:
    def __init__(self) -> None:
        self.factor = 10

    @function()
    def scale(self, n: int) -> int:
        return self.factor * n


@application()
@function()
def scales(n: int) -> list[int]:
    return [*Scaler().scale.map(range(n)), *Scaler.scale.map(range(n))]


def test_a_map_on_a_method(bench: Bench) -> None:
    request = run_local_application(scales, 3)
    assert request.output() == [0, 10, 20, 0, 10, 20]
    assert len(request.calls("Scaler.scale")) == 6


@application()
@function()
def set_items(names: list[str]) -> list[str]:
    return sorted(shout.map(set(names)))


@function()
def shout(name: str) -> str:
    return name.upper()


def test_items_in_another_order_keep_their_results(bench: Bench) -> None:
    with crash_after(5):
        run_local_application(reordered, [1, 2, 3, 4, 5, 6, 7, 8])
    ORDER.reverse()
    try:
        request = get_request("last").replay()
    finally:
        ORDER.reverse()
    assert request.output() == [16, 14, 12, 10, 8, 6, 4, 2]
    assert executions(request) == {"double": 3}
    assert not any(call.args_changed for call in request.calls())


ORDER = [1, -1]


@application()
@function()
def reordered(items: list[int]) -> list[int]:
    return list(double.map(items[:: ORDER[0]]))


def test_a_map_is_one_node_with_a_child_for_each_item(bench: Bench) -> None:
    request = run_local_application(over, 3)
    node = request.call("item.map")
    assert [call.kind for call in node.children] == ["map_item"] * 3
    assert [call.inputs() for call in node.children] == [((n,), {}) for n in range(3)]


def test_a_map_outside_of_a_call_belongs_to_the_cell(bench: Bench) -> None:
    assert double.map([1, 2]) == [2, 4]
    assert get_request("last").calls("double.map")[0].status == "succeeded"


async def test_gathered_calls_keep_program_order(bench: Bench) -> None:
    @function()
    async def sleeps(n: int) -> int:
        await asyncio.sleep(0.01 * (3 - n))
        return n

    assert list(await asyncio.gather(sleeps(0), sleeps(1), sleeps(2))) == [0, 1, 2]
    assert [call.inputs()[0] for call in get_request("last").calls("sleeps")] == [(0,), (1,), (2,)]


async def test_gathered_maps_and_reduces_keep_program_order(bench: Bench) -> None:
    await asyncio.gather(double_async.map([1]), double_async(5), double_async.map([2, 3]))
    request = get_request("last")
    root = request.root_call()
    assert root is not None
    assert [(call.kind, len(call.children)) for call in root.children] == [
        ("map", 1),
        ("function_call", 0),
        ("map", 2),
    ]
