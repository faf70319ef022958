"""Which request a call belongs to, and what a call of a durable function is."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pandas as pd
import pytest

from jupyter_durable import (
    RequestContext,
    RequestFailed,
    SDKUsageError,
    application,
    function,
    get_request,
    list_requests,
    run_local_application,
)
from jupyter_durable.testing import Bench, crash_after, executions
from tests.model.shared import double, double_async

KNOBS: dict[str, Any] = {}
SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def _clean() -> None:
    KNOBS.clear()
    SEEN.clear()


@application()
@function()
def outer(n: int) -> int:
    return inner(n) + 1


@application()
@function()
def inner(n: int) -> int:
    if KNOBS.get("fail"):
        raise ValueError("inner")
    return double(n)


@application()
@function()
async def outer_async(n: int) -> int:
    return await double_async(n) + double(n)


def test_all_durable_calls_of_a_cell_are_one_request(bench: Bench) -> None:
    assert pd.Series(range(2000)).apply(double).sum() == 1999 * 2000
    (request,) = list_requests()
    assert len(request.calls("double")) == 2000


def test_an_application_at_the_top_is_a_request_of_its_own(bench: Bench) -> None:
    double(1)
    assert outer(2) == 5
    double(3)
    by_name = {request.application: request for request in list_requests()}
    assert set(by_name) == {"test", "outer"}
    assert len(by_name["test"].calls("double")) == 2
    assert by_name["outer"].status == "succeeded"


def test_an_application_inside_a_request_is_a_child(bench: Bench) -> None:
    request = run_local_application(outer, 2)
    assert [call.name for call in request.calls()] == ["inner", "double"]
    assert len(list_requests()) == 1


def test_an_application_at_the_top_raises_what_it_raised(bench: Bench) -> None:
    KNOBS["fail"] = True
    with pytest.raises(ValueError, match="inner"):
        inner(1)
    request = run_local_application(inner, 1)
    assert request.status == "failed"
    with pytest.raises(RequestFailed):
        request.output()


async def test_an_async_application_under_a_running_loop(bench: Bench) -> None:
    assert await outer_async(2) == 8
    assert run_local_application(outer_async, 2).output() == 8
    assert len(list_requests()) == 2


def test_an_async_application_without_a_loop(bench: Bench) -> None:
    assert asyncio.run(outer_async(2)) == 8
    assert run_local_application(outer_async, 2).output() == 8


async def test_async_functions_at_the_top_belong_to_the_cell(bench: Bench) -> None:
    assert await double_async(2) == 4
    assert list(await asyncio.gather(double_async(1), double_async(2))) == [2, 4]
    (request,) = list_requests()
    assert len(request.calls("double_async")) == 3


def test_sync_functions_in_async_ones_and_the_other_way_round(bench: Bench) -> None:
    @application()
    @function()
    def app(n: int) -> int:
        return double_async.future(n).result() + double(n)

    assert run_local_application(app, 3).output() == 12


def test_submit_returns_at_once_and_the_key_gives_the_same_request(bench: Bench) -> None:
    go = threading.Event()

    @application()
    @function()
    def waits(n: int) -> int:
        assert go.wait(100)
        return n

    first = waits.submit(3, idempotency_key="k")
    assert first.status in ("queued", "running")
    assert waits.submit(3, idempotency_key="k").id == first.id
    with pytest.raises(SDKUsageError, match=r"belongs to request req_.*another input; use another key"):
        waits.submit(4, idempotency_key="k")
    go.set()
    assert first.wait(100).output() == 3
    assert waits.submit(3, idempotency_key="k").output() == 3
    assert len(list_requests()) == 1


async def test_a_request_can_be_awaited(bench: Bench) -> None:
    assert await outer.submit(2) == 5


def test_keywords_and_defaults_reach_the_function(bench: Bench) -> None:
    @function()
    def joins(a: int, b: int = 2, *more: int, c: int = 3, **named: int) -> list[Any]:
        return [a, b, more, c, named]

    assert joins(1) == [1, 2, (), 3, {}]
    assert joins(1, 5, 6, 7, c=8, d=9) == [1, 5, (6, 7), 8, {"d": 9}]
    with pytest.raises(TypeError, match="required positional argument"):
        joins()  # type: ignore[call-arg]


def test_the_same_call_three_times_keeps_three_values(bench: Bench) -> None:
    request = run_local_application(counts_up)
    assert str(request.error) == "later"
    KNOBS["done"] = True
    assert request.replay().output() == [1, 2, 3]
    assert executions(request) == {}


@function()
def next_number() -> int:
    SEEN.append(1)
    return len(SEEN)


@application()
@function()
def counts_up() -> list[int]:
    numbers = [next_number() for _ in range(3)]
    if not KNOBS.get("done"):
        raise RuntimeError("later")
    return numbers


def test_a_function_that_is_not_durable_executes_whenever_it_is_reached(bench: Bench) -> None:
    request = run_local_application(mixes)
    assert request.status == "failed"
    KNOBS["done"] = True
    assert request.replay().output() == 2
    assert executions(request) == {"looks": 1}


@function(durable=False)
def looks() -> int:
    SEEN.append(1)
    return len(SEEN)


@application()
@function()
def mixes() -> int:
    seen = looks()
    double(seen * 0)
    if not KNOBS.get("done"):
        raise RuntimeError
    return seen


def test_an_application_that_succeeded_is_served_as_a_whole_on_replay(bench: Bench) -> None:
    request = run_local_application(counts_once)
    assert request.output() == 1
    assert request.replay().output() == 1
    assert SEEN == [1]


@application()
@function()
def counts_once() -> int:
    return next_number()


@pytest.mark.parametrize("executor", [None, "inline", "thread"])
def test_where_a_function_runs(bench: Bench, executor: str | None) -> None:
    @function(executor=executor)
    def where() -> int:
        RequestContext.get()
        return threading.get_ident()

    assert (where() == threading.get_ident()) is (executor != "thread")


def test_a_crash_in_a_thread_of_an_executor_loses_nothing(bench: Bench) -> None:
    with crash_after(3):
        run_local_application(threaded, 6)
    request = get_request("last").replay()
    assert request.output() == 30
    assert executions(request) == {"on_thread": 3}


@function(executor="thread")
def on_thread(n: int) -> int:
    return 2 * n


@application()
@function()
def threaded(n: int) -> int:
    return sum(on_thread(k) for k in range(n))


def test_prints_of_map_items_go_where_the_map_was_called(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    @function()
    def says(n: int) -> None:
        print(n)

    says.map(range(3))
    assert sorted(capsys.readouterr().out.split()) == ["0", "1", "2"]
