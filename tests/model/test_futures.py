"""Futures: started once, waited for in many ways, passed on, returned."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy
import pytest

from jupyter_durable import (
    RETURN_WHEN,
    FunctionError,
    Future,
    SDKUsageError,
    SerializationError,
    TimeoutError,
    application,
    function,
    get_request,
    run_local_application,
)
from jupyter_durable.testing import Bench, FakeClock, memory_store
from tests.model import shared

# A call takes Futures and coroutines in place of its arguments; a type checker holds it to its own.
add: Any = shared.add
double: Any = shared.double
double_async: Any = shared.double_async


class Gate:
    """A durable function that ends when it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.ended: list[int] = []

        @function()
        def gated(n: int) -> int:
            assert self.open.wait(100)
            self.ended.append(n)
            return n

        self.call = gated


# starting


def test_a_future_is_not_started_by_itself(bench: Bench) -> None:
    future = double.future(2)
    assert not future.done()
    assert not future.started
    assert repr(future) == "<Future double: not started>"


def test_run_starts_it_and_returns_it(bench: Bench) -> None:
    future = double.future(2)
    assert future.run() is future
    assert future.result() == 4
    assert future.done()
    assert repr(future) == "<Future double: done>"


def test_result_starts_it(bench: Bench) -> None:
    assert double.future(2).result() == 4


@pytest.mark.parametrize("start", [Future.run, lambda f: f.run_later(0), Future.result, lambda f: Future.wait([f])])
def test_a_started_future_cannot_be_run_again(bench: Bench, start: Any) -> None:
    future = double.future(2)
    start(future)
    for again in (future.run, lambda: future.run_later(0)):
        with pytest.raises(SDKUsageError, match=r"double was started before; ask for its \.result\(\)"):
            again()
    assert future.result() == 4


def test_the_result_can_be_asked_for_again_and_the_call_runs_once(bench: Bench) -> None:
    future = double.future(2)
    assert [future.result() for _ in range(3)] == [4, 4, 4]
    assert len(get_request("last").calls("double")) == 1


def test_run_later_waits_on_the_clock_of_the_run() -> None:
    clock = FakeClock()
    with memory_store(clock):
        assert double.future(2).run_later(3600).result() == 4
    assert clock.monotonic() >= 3600


async def test_run_later_of_an_async_function_waits_on_the_clock() -> None:
    clock = FakeClock()
    with memory_store(clock):
        assert await double_async.future(2).run_later(3600) == 4
    assert clock.monotonic() >= 3600


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), True, "1"])
def test_run_later_takes_seconds(bench: Bench, delay: Any) -> None:
    future = double.future(1)
    with pytest.raises(SDKUsageError, match="a finite number of seconds >= 0"):
        future.run_later(delay)
    assert future.result() == 2


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), True, "1"])
def test_a_wait_takes_seconds_and_starts_nothing_otherwise(bench: Bench, timeout: Any) -> None:
    @application()
    def twice() -> int:
        return 2

    future = double.future(1)
    request = run_local_application(twice)
    for wait in (lambda: Future.wait([future], timeout), lambda: future.result(timeout), lambda: request.wait(timeout)):
        with pytest.raises(SDKUsageError, match="a finite number of seconds >= 0"):
            wait()
    assert repr(future) == repr(double.future(1)), "not started"
    assert future.result(numpy.float32(60)) == 2


@pytest.mark.parametrize("name", ["future", "awaitable"])
def test_awaitable_is_the_older_name(bench: Bench, name: str) -> None:
    made = getattr(double, name)
    assert made(2).run().result() == 4
    assert made.map([1, 2]).result() == [2, 4]
    assert getattr(add, name).reduce([1, 2, 3]).result() == 6
    assert getattr(add, name).reduce([1, 2, 3], 10).result() == 16


# waiting


def test_a_result_that_takes_too_long_raises_and_goes_on(bench: Bench) -> None:
    gate = Gate()
    future = gate.call.future(7).run()
    with pytest.raises(TimeoutError, match=r"gated has not ended within 0\.01 s; it goes on"):
        future.result(timeout=0.01)
    assert repr(future) == "<Future gated: running>"
    gate.open.set()
    assert future.result(timeout=100) == 7


def test_exception_is_none_until_it_failed(bench: Bench) -> None:
    gate = Gate()
    running, failed, fine = gate.call.future(1).run(), double.future(-1).run(), double.future(1).run()
    Future.wait([failed, fine])
    assert running.exception is None
    assert fine.exception is None
    assert isinstance(failed.exception, ValueError)
    assert isinstance(failed.exception, FunctionError)
    gate.open.set()
    running.result()


def test_result_raises_what_the_call_raised(bench: Bench) -> None:
    with pytest.raises(ValueError, match="negative: -1") as caught:
        double.future(-1).result()
    assert isinstance(caught.value, FunctionError)


def test_wait_starts_all_and_keeps_the_order(bench: Bench) -> None:
    futures = [double.future(n) for n in (5, -1, 3)]
    done, not_done = Future.wait(futures)
    assert done == futures
    assert not_done == []
    assert done[0].result() == 10


def test_wait_for_the_first_completed(bench: Bench) -> None:
    gate = Gate()
    slow, fast = gate.call.future(1), double.future(1)
    done, not_done = Future.wait([slow, fast], return_when=RETURN_WHEN.FIRST_COMPLETED)
    assert (done, not_done) == ([fast], [slow])
    gate.open.set()
    assert Future.wait([slow, fast])[0] == [slow, fast]


def test_wait_for_the_first_failure(bench: Bench) -> None:
    gate = Gate()
    slow, fine, failing = gate.call.future(1), double.future(1), double.future(-1)
    fine.result()
    done, not_done = Future.wait([slow, fine, failing], return_when=RETURN_WHEN.FIRST_FAILURE)
    assert (done, not_done) == ([fine, failing], [slow])
    gate.open.set()
    slow.result()


def test_wait_for_a_first_failure_that_does_not_come_waits_for_all(bench: Bench) -> None:
    futures = [double.future(1), double.future(2)]
    assert Future.wait(futures, return_when=RETURN_WHEN.FIRST_FAILURE) == (futures, [])


def test_wait_ends_with_its_time(bench: Bench) -> None:
    gate = Gate()
    slow, fast = gate.call.future(1), double.future(1)
    fast.result()
    assert Future.wait([slow, fast], timeout=0.01) == ([fast], [slow])
    gate.open.set()
    slow.result()


def test_wait_for_nothing_returns_at_once() -> None:
    assert Future.wait([]) == ([], [])


def test_return_when_has_the_values_of_tensorlake() -> None:
    assert [RETURN_WHEN.FIRST_COMPLETED, RETURN_WHEN.FIRST_FAILURE, RETURN_WHEN.ALL_COMPLETED] == [0, 1, 2]


# await


async def test_await_starts_it_and_may_be_done_again(bench: Bench) -> None:
    future = double_async.future(2)
    assert [await future, await future] == [4, 4]
    assert future.done()


async def test_a_future_of_a_sync_function_can_be_awaited(bench: Bench) -> None:
    future = double.future(2)
    assert [await future, await future] == [4, 4]


async def test_await_runs_in_the_awaiting_loop(bench: Bench) -> None:
    loops: list[Any] = []

    @function()
    async def where() -> None:
        loops.append(asyncio.get_running_loop())

    await where.future()
    await where()
    assert loops == [asyncio.get_running_loop()] * 2


async def test_await_raises_what_the_call_raised(bench: Bench) -> None:
    for future in (double_async.future(-1), double.future(-1)):
        with pytest.raises(ValueError, match="negative"):
            await future
        assert isinstance(future.exception, ValueError)


async def test_coroutine_gives_a_coroutine_before_the_start(bench: Bench) -> None:
    future = double_async.future(2)
    made = future.coroutine()
    assert asyncio.iscoroutine(made)
    assert future.coroutine() is made
    assert await made == 4
    begun = double_async.future(2)
    assert await begun == 4
    with pytest.raises(SDKUsageError, match="started before; await it"):
        begun.coroutine()


def test_coroutine_needs_a_running_loop(bench: Bench) -> None:
    with pytest.raises(SDKUsageError, match="running loop"):
        double_async.future(2).coroutine()


async def test_futures_can_be_gathered(bench: Bench) -> None:
    assert await asyncio.gather(*(double_async.future(n) for n in range(5))) == [0, 2, 4, 6, 8]
    assert [call.inputs()[0] for call in get_request("last").calls("double_async")] == [(n,) for n in range(5)]


# as arguments


def test_a_future_as_an_argument_is_its_result(bench: Bench) -> None:
    assert add(double.future(3), 4) == 10
    assert add(double.future(3), b=double.future(1)) == 8
    assert add.future(double.future(3), double.future(4).run()).result() == 14


def test_futures_among_arguments_run_beside_each_other(bench: Bench) -> None:
    both = threading.Barrier(2, timeout=100)

    @function()
    def meets(n: int) -> int:
        both.wait()
        return n

    assert add(meets.future(1), meets.future(2)) == 3


async def test_futures_are_arguments_of_async_functions(bench: Bench) -> None:
    assert await double_async(double_async.future(3)) == 12
    assert await double_async.future(double.future(3)) == 12
    assert await double_async(n=double_async.future(3)) == 12


async def test_a_coroutine_is_an_argument_of_an_async_function(bench: Bench) -> None:
    coroutine: Any = double_async(3)
    assert await double_async(coroutine) == 12


@application()
@function()
async def mixed(n: int) -> list[int]:
    first = await double_async(double_async.future(n))
    second = double(double_async.future(n))
    third = double_async.future(n).result()
    fourth = double(double_async(n))
    done, _ = Future.wait([double_async.future(n), double.future(n)])
    return [first, second, third, fourth, *(future.result() for future in done)]


def test_blocking_in_an_async_function_waits_for_another_loop(bench: Bench) -> None:
    assert run_local_application(mixed, 3).output() == [12, 12, 6, 12, 6, 6]


def test_waiting_for_what_runs_on_this_loop_is_an_error_not_a_deadlock(bench: Bench) -> None:
    @application()
    @function()
    async def blocks() -> int:
        future = double_async.future(3).run()
        for wait in (future.result, lambda: Future.wait([future])):
            with pytest.raises(SDKUsageError, match="runs on this event loop: `await` it"):
                wait()
        return await future

    assert run_local_application(blocks).output() == 6


def test_a_sync_function_takes_coroutines_of_async_ones(bench: Bench) -> None:
    @application()
    @function()
    def takes() -> list[Any]:
        coroutine: Any = double_async(3)
        return [double(coroutine), list(double.map([double_async(1), 5, double.future(2)]))]

    assert run_local_application(takes).output() == [12, [4, 10, 8]]


def test_a_failed_future_among_arguments_fails_the_caller_not_the_callee(bench: Bench) -> None:
    with pytest.raises(ValueError, match="negative"):
        add(double.future(-1), 2)
    assert get_request("last").calls("add") == []


def test_a_future_inside_a_list_is_refused(bench: Bench) -> None:
    @function()
    def total(items: list[Any]) -> int:
        return sum(item.result() for item in items)

    with pytest.raises(SerializationError, match="not inside a list or dict"):
        total([double.future(1)])


@pytest.mark.parametrize("inside", [list, tuple, set, lambda given: {"a": [*given]}])
def test_a_future_inside_a_result_fails_its_call(bench: Bench, inside: Any) -> None:
    """Its call would never run, or run unseen: the result would be lost without a word."""

    @function()
    def gives() -> Any:
        return inside([double.future(1)])

    with pytest.raises(SDKUsageError, match=r"gives returned a (list|tuple|set|dict) that holds a Future or coroutine"):
        gives()
    assert get_request("last").call("gives").status == "failed"


@pytest.mark.parametrize("other", [3, None, double])
def test_what_is_no_future_is_named_where_futures_are_waited_for(bench: Bench, other: Any) -> None:
    @application()
    @function()
    def app() -> int:
        first = add.future(1, 2)
        with pytest.raises(SDKUsageError, match=r"Future.wait takes Futures, such as f.future\(1\) makes, not "):
            Future.wait([first, other])
        return first.result()

    assert app() == 3
