"""Durable calls in threads that the user's own code starts."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jupyter_durable import (
    RequestContext,
    SDKUsageError,
    application,
    function,
    get_request,
    list_requests,
    run_local_application,
)
from jupyter_durable.testing import Bench, crash_after, executions


def in_thread(body: Callable[[], Any]) -> Any:
    """`body` in a plain thread; what it raises is raised here."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(body).result()


@function()
def square(n: int) -> int:
    return n * n


@application()
@function()
def in_a_pool(n: int) -> list[int]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(square, range(n)))


@application()
@function()
async def in_a_pool_async(n: int) -> list[int]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(square, range(n)))


@pytest.mark.parametrize("app", [in_a_pool, in_a_pool_async])
def test_calls_of_a_plain_thread_are_children_of_the_one_request_that_runs(bench: Bench, app: Any) -> None:
    request = run_local_application(app, 20)
    assert request.output() == [n * n for n in range(20)]
    assert len(request.calls("square")) == 20
    assert len(list_requests()) == 1


def test_they_are_matched_by_their_arguments_in_any_order(bench: Bench) -> None:
    with crash_after(7):
        run_local_application(in_a_pool, 20)
    request = get_request("last").replay()
    assert request.output() == [n * n for n in range(20)]
    assert executions(request)["square"] == 13
    assert not any(call.args_changed for call in request.calls())


def test_in_a_cell_they_belong_to_the_request_of_the_cell(bench: Bench) -> None:
    square(1)
    assert in_thread(lambda: square(2)) == 4
    assert len(list_requests()) == 1
    assert len(list_requests()[0].calls("square")) == 2


def test_a_thread_may_make_the_first_call_of_a_cell(bench: Bench) -> None:
    assert in_thread(lambda: square(2)) == 4
    assert square(3) == 9
    assert len(list_requests()[0].calls("square")) == 2


def test_with_several_requests_the_error_names_map_and_copy_context(bench: Bench) -> None:
    go = threading.Event()

    @application()
    @function()
    def waits() -> None:
        go.wait(100)

    background = waits.submit()
    try:
        square(1)
        with pytest.raises(SDKUsageError, match=r"square was called in a thread .* 2 requests .*f\.map.*copy_context"):
            in_thread(lambda: square(2))
    finally:
        go.set()
        background.wait(100)


def test_the_cell_counts_as_a_request_while_it_may_make_calls(bench: Bench) -> None:
    go = threading.Event()

    @application()
    @function()
    def waits() -> None:
        go.wait(100)

    background = waits.submit()
    try:
        with pytest.raises(SDKUsageError, match="copy_context"):
            in_thread(lambda: square(2))
    finally:
        go.set()
        background.wait(100)
    assert background.calls() == []


def test_a_map_in_a_plain_thread_is_a_child_too(bench: Bench) -> None:
    @application()
    @function()
    def maps() -> list[int]:
        return list(in_thread(lambda: square.map([1, 2, 3])))

    assert run_local_application(maps).output() == [1, 4, 9]


def test_an_application_called_in_a_plain_thread_is_a_request_of_its_own(bench: Bench) -> None:
    @application()
    @function()
    def app(n: int) -> int:
        return square(n)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(app, range(5))) == [0, 1, 4, 9, 16]
    assert len(list_requests()) == 5


def test_with_a_copied_context_a_thread_is_in_the_call_that_started_it(bench: Bench) -> None:
    @function()
    def starts(n: int) -> list[int]:
        context = contextvars.copy_context()
        return [int(in_thread(lambda: context.run(square, n))), RequestContext.get().attempt]

    @application()
    @function()
    def app() -> list[int]:
        return starts(3)

    request = run_local_application(app)
    assert request.output() == [9, 1]
    assert [call.name for call in request.call("starts").children] == ["square"]


def test_the_context_of_the_request_is_in_copied_contexts_only(bench: Bench) -> None:
    @application()
    @function()
    def app() -> str:
        context = contextvars.copy_context()
        assert in_thread(lambda: context.run(RequestContext.get).request_id) == RequestContext.get().request_id
        with pytest.raises(SDKUsageError, match="copy_context"):
            in_thread(RequestContext.get)
        return "ok"

    assert run_local_application(app).output() == "ok"


def test_a_call_that_comes_after_the_end_of_its_request_is_an_error(bench: Bench) -> None:
    late: list[BaseException | None] = []
    go = threading.Event()

    @application()
    @function()
    def app() -> None:
        def body() -> None:
            go.wait(100)
            try:
                square(1)
            except SDKUsageError as error:
                late.append(error)

        threads.append(threading.Thread(target=contextvars.copy_context().run, args=(body,)))
        threads[0].start()

    threads: list[threading.Thread] = []
    run_local_application(app)
    go.set()
    threads[0].join(5)
    assert "has ended" in str(late[0])
