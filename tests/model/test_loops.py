"""The loops of ours, which all requests of a process share: what one request does to them is not felt by another."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_durable import Request, application, function, run_local_application
from jupyter_durable.testing import Bench, memory_store
from tests.model.shared import SOON, double, double_async

LONG = 30.0
"""What comes soon has come by then, on a busy machine too."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A store, and two slots."""
    with memory_store(max_concurrency=2) as made:
        yield made


@application()
@function()
async def request_on_a_loop(n: int) -> int:
    """An async request with a call in it."""
    return await double_async(n)


# what asyncio lets through a loop


@function()
async def exits(kind: type[BaseException]) -> int:
    await asyncio.sleep(0)
    raise kind("left")


@function(timeout=LONG, max_concurrency=1)
async def exits_in_time(kind: type[BaseException]) -> int:
    raise kind("left")


async def _in_a_task(kind: type[BaseException]) -> int:
    async def plain() -> int:
        raise kind("left")

    return await asyncio.create_task(plain())


async def _in_a_map(kind: type[BaseException]) -> Any:
    return await exits.map([kind, kind])


async def _gathered(kind: type[BaseException]) -> Any:
    return await asyncio.gather(exits(kind), request_on_a_loop(1))


async def _beside(kind: type[BaseException]) -> int:
    return await exits.future(kind).run()


WAYS: list[Callable[[type[BaseException]], Any]] = [
    exits,
    exits_in_time,
    _in_a_task,
    _in_a_map,
    _gathered,
    _beside,
]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_leaves_a_coroutine_ends_its_request_and_no_loop(
    bench: Bench, kind: type[BaseException], way: Callable[[type[BaseException]], Any]
) -> None:
    """`sys.exit()` in an async function is for who waits for it; the loop is everybody's."""

    @application()
    @function()
    async def app() -> None:
        await way(kind)

    assert app.submit().wait(LONG).status == "cancelled"
    with pytest.raises(kind):
        run_local_application(app)
    assert request_on_a_loop.submit(1).wait(LONG).output() == 2


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("way", [exits.map, exits_in_time.map], ids=["map", "map in time"])
async def test_an_item_that_leaves_raises_in_the_map_and_not_in_the_users_loop(
    bench: Bench, kind: type[BaseException], way: Callable[[Any], Any]
) -> None:
    with pytest.raises(kind):
        await way([kind])


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_child_on_a_loop_of_ours_that_leaves_does_so_for_its_caller(bench: Bench, kind: type[BaseException]) -> None:
    @application()
    @function()
    def app() -> int:
        with contextlib.suppress(kind):
            exits.future(kind).run().result()
        return double_async.future(4).run().result()

    assert app.submit().wait(LONG).output() == 8


# requests inside requests


@application()
@function()
def waits_for_a_loop(n: int) -> int:
    return double_async.future(n).run().result()


@function()
def _runs(n: int) -> Any:
    return run_local_application(request_on_a_loop, n).output()


@function()
def _runs_a_synchronous_one(n: int) -> Any:
    return run_local_application(waits_for_a_loop, n).output()


@function()
def _submits(n: int) -> Any:
    return request_on_a_loop.submit(n).wait().output()


@function()
def _submits_a_synchronous_one(n: int) -> Any:
    return waits_for_a_loop.submit(n).wait().output()


@function()
def _from_threads(n: int) -> Any:
    """They know nothing of who started them."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(run_local_application(request_on_a_loop, n).output()))
    thread.start()
    thread.join()
    return found[0]


@application()
@function()
async def blocks_its_loop(n: int) -> Any:
    """Waits in synchronous code, twice as deep."""
    return _runs(n)


@function()
def _twice(n: int) -> Any:
    return run_local_application(blocks_its_loop, n).output()


INSIDE: list[Callable[[int], Any]] = [
    _runs,
    _runs_a_synchronous_one,
    _submits,
    _submits_a_synchronous_one,
    _from_threads,
    _twice,
]


@pytest.mark.parametrize("inside", INSIDE, ids=lambda inside: inside.__name__)
@pytest.mark.parametrize("times", [1, 3])
def test_synchronous_code_on_a_loop_can_wait_for_another_async_request(
    bench: Bench, inside: Callable[[int], Any], times: int
) -> None:
    """Its own loop stands still meanwhile; several of them at once, too."""

    @application()
    @function()
    async def app(n: int) -> Any:
        return inside(n)

    requests = [app.submit(n) for n in range(times)]
    assert [request.wait(LONG).output() for request in requests] == [2 * n for n in range(times)]
    assert request_on_a_loop.submit(1).wait(LONG).output() == 2


def test_requests_that_each_submit_the_next_need_no_more_loops_with_each(bench: Bench) -> None:
    names: set[str] = set()
    over = threading.Event()

    @application()
    @function()
    async def link(n: int) -> None:
        names.add(threading.current_thread().name)
        if n:
            link.submit(n - 1)
        else:
            over.set()

    link.submit(12)
    assert over.wait(LONG)
    assert len(names) <= 3


# a loop that is blocked


@pytest.mark.parametrize("how", ["sleeps", "spins", "root"])
def test_a_loop_that_a_cancelled_request_blocks_is_not_waited_for(bench: Bench, how: str) -> None:
    there, released = threading.Event(), threading.Event()

    @function()
    async def stuck() -> None:
        there.set()
        end = time.monotonic() + LONG
        while not released.is_set() and time.monotonic() < end:
            if how != "spins":
                time.sleep(0.05)

    @application()
    @function()
    def app() -> None:
        stuck.future().run().result()

    @application()
    @function()
    async def app_async() -> None:
        await stuck()

    request = (app_async if how == "root" else app).submit()
    assert there.wait(LONG)
    request.cancel()
    began = time.monotonic()
    assert request.wait(LONG).status == "cancelled"
    assert request_on_a_loop.submit(1).wait(LONG).output() == 2
    assert waits_for_a_loop.submit(1).wait(LONG).output() == 2
    assert time.monotonic() - began < 2 * SOON
    released.set()


def test_a_loop_that_is_free_again_goes_on_being_used(bench: Bench) -> None:
    """Clients are bound to it: it is replaced only while it does not answer."""
    there = threading.Event()

    @function()
    async def holds() -> None:
        there.set()
        time.sleep(1.5)

    @application()
    @function()
    async def app() -> None:
        await holds()

    @application()
    @function()
    async def where() -> int:
        return id(asyncio.get_running_loop())

    first = where.submit().wait(LONG).output()
    request = app.submit()
    assert there.wait(LONG)
    request.cancel()
    request.wait(LONG)
    time.sleep(1.0)
    assert where.submit().wait(LONG).output() == first


# waits for a request inside a durable call


@application()
@function()
def maps_in_a_request(n: int) -> list[int]:
    return double.map(range(n))


WAITS: list[Callable[[Request], Any]] = [
    lambda request: request.wait(),
    lambda request: request.wait(LONG),
]


@pytest.mark.parametrize("wait", WAITS, ids=["for ever", "for a time"])
@pytest.mark.parametrize("limit", [None, 1])
def test_a_durable_call_that_waits_for_a_request_holds_no_slot(
    bench: Bench, wait: Callable[[Request], Any], limit: int | None
) -> None:
    @function(max_concurrency=limit)
    def item(n: int) -> Any:
        request = maps_in_a_request.submit(n)
        wait(request)
        return request.output()

    @application()
    @function()
    def app() -> Any:
        return item.map(range(6))

    assert app.submit().wait(LONG).output() == [[2 * k for k in range(n)] for n in range(6)]


@pytest.mark.parametrize("is_async", [True, False])
def test_the_clock_of_a_call_stands_still_while_it_waits_for_a_request(bench: Bench, is_async: bool) -> None:
    @application()
    @function()
    def slow() -> int:
        time.sleep(1.5)
        return 5

    @function(timeout=1)
    def waits() -> Any:
        return slow.submit().wait().output()

    @function(timeout=1)
    async def waits_async() -> Any:
        return await slow.submit()

    @application()
    @function()
    def app() -> Any:
        return waits_async.future().run().result() if is_async else waits()

    assert app.submit().wait(LONG).output() == 5


@pytest.mark.parametrize("way", ["wait", "run"])
def test_a_cancel_reaches_a_call_that_waits_for_a_request(bench: Bench, way: str) -> None:
    there, over = threading.Event(), threading.Event()

    @application()
    @function()
    async def endless() -> None:
        there.set()
        await asyncio.sleep(LONG)

    @function()
    def waits() -> None:
        try:
            endless.submit().wait() if way == "wait" else run_local_application(endless)
        finally:
            over.set()

    @application()
    @function()
    def app() -> None:
        waits.future().run().result()

    request = app.submit()
    assert there.wait(LONG)
    request.cancel()
    assert request.wait(LONG).status == "cancelled"
    assert over.wait(SOON)
