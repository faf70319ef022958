"""Futures that nobody waits for, their places and their replay, and Futures that are returned (tail calls)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from jupyter_durable import (
    Future,
    SDKUsageError,
    application,
    function,
    get_request,
    run_local_application,
)
from jupyter_durable.testing import Bench, crash_after, executions
from tests.model import shared

# A call takes Futures and coroutines in place of its arguments; a type checker holds it to its own.
add: Any = shared.add
double: Any = shared.double
double_async: Any = shared.double_async

ENDED: list[int] = []


@function()
def notes(n: int) -> int:
    threading.Event().wait(0.05)
    ENDED.append(n)
    return n


@function()
def leaves_alone() -> int:
    notes.future(1).run()
    return 0


@application()
@function()
def leaving() -> int:
    return leaves_alone()


def test_a_future_nobody_waits_for_ends_with_its_call(bench: Bench) -> None:
    ENDED.clear()
    request = run_local_application(leaving)
    assert ENDED == [1]
    assert request.call("notes").status == "succeeded"


@application()
@function()
def ignoring() -> int:
    double.future(-1).run()
    return 1


def test_the_failure_of_a_future_nobody_waits_for_does_not_fail_its_call(bench: Bench) -> None:
    request = run_local_application(ignoring)
    assert request.output() == 1
    assert request.call("double").status == "failed"


@application()
@function()
def forgetting() -> int:
    double.future(1)
    return double.future(2).result()


def test_a_future_that_was_never_started_is_no_call_and_keeps_its_place(bench: Bench) -> None:
    with crash_after(1):
        run_local_application(forgetting)
    request = get_request("last").replay()
    assert request.output() == 4
    assert executions(request) == {}
    assert len(request.calls()) == 1


@application()
@function()
def started_backwards(n: int) -> list[int]:
    futures = [double.future(k) for k in range(n)]
    for future in reversed(futures):
        future.run().result()
    return [future.result() for future in futures]


def test_the_place_is_that_of_making_not_of_starting(bench: Bench) -> None:
    request = run_local_application(started_backwards, 5)
    assert [call.inputs()[0] for call in request.calls("double")] == [(n,) for n in range(5)]


@application()
@function()
def beside(n: int) -> int:
    return sum(future.result() for future in [double.future(k).run() for k in range(n)])


def test_futures_are_served_on_replay(bench: Bench) -> None:
    with crash_after(8):
        run_local_application(beside, 20)
    request = get_request("last").replay()
    assert request.output() == 380
    assert sum(executions(request).values()) == 12


# tail calls


@application()
@function()
def tail(n: int) -> Any:
    return add.future(double.future(n), 1)


@application()
@function()
async def tail_async(n: int) -> Any:
    return double_async.future(n)


@application()
@function()
async def tail_coroutine(n: int) -> Any:
    return double_async(n)


@application()
@function()
def tail_map(n: int) -> Any:
    return double.future.map(range(n))


@application()
@function()
def tail_reduce(n: int) -> Any:
    return add.future.reduce(range(n), 0)


@pytest.mark.parametrize(
    ("app", "output"),
    [(tail, 7), (tail_async, 6), (tail_coroutine, 6), (tail_map, [0, 2, 4]), (tail_reduce, 3)],
)
def test_a_returned_unstarted_future_is_a_tail_call(bench: Bench, app: Any, output: Any) -> None:
    assert run_local_application(app, 3).output() == output


@pytest.mark.parametrize("start", [Future.run, Future.result, lambda f: f.run_later(0)])
def test_returning_a_started_future_is_an_error(bench: Bench, start: Any) -> None:
    @application()
    @function()
    def returns() -> Any:
        future = double.future(1)
        start(future)
        return future

    with pytest.raises(SDKUsageError, match=r"returned a running Future; return its \.result\(\)"):
        returns()


async def test_returning_a_started_future_from_async_is_an_error(bench: Bench) -> None:
    @function()
    async def returns() -> Any:
        return double_async.future(1).run()

    with pytest.raises(SDKUsageError, match="returned a Future that is running"):
        await returns()


def test_the_failure_of_a_tail_call_is_that_of_the_caller(bench: Bench) -> None:
    @application()
    @function()
    def fails() -> Any:
        return double.future(-1)

    request = run_local_application(fails)
    assert request.status == "failed"
    assert isinstance(request.error, ValueError)


@function()
def count_down(n: int, acc: int) -> Any:
    return acc if n == 0 else count_down.future(n - 1, acc + n)


@application()
@function()
def chain(n: int) -> Any:
    return count_down.future(n, 0)


def test_a_chain_of_a_thousand_tail_calls(bench: Bench) -> None:
    request = run_local_application(chain, 1000)
    assert request.output() == 500_500
    assert len(request.calls()) == 1001


@function()
async def count_down_async(n: int, acc: int) -> Any:
    return acc if n == 0 else count_down_async.future(n - 1, acc + n)


@application()
@function()
async def chain_async(n: int) -> Any:
    return count_down_async.future(n, 0)


def test_a_chain_of_a_thousand_async_tail_calls(bench: Bench) -> None:
    assert run_local_application(chain_async, 1000).output() == 500_500
