"""`max_concurrency` of async functions: a body that waits for durable calls lends its permit, and runs with one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from jupyter_durable import RETURN_WHEN, Future, application, function
from jupyter_durable.testing import Bench, memory_store
from tests.model.shared import SOON, double_async

LONG = 30.0
"""What comes soon has come by then, on a busy machine too."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A store, and two slots."""
    with memory_store(max_concurrency=2) as made:
        yield made


class Inside:
    """How many bodies run their own code at a time."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def count(self) -> Iterator[None]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield
        finally:
            with self._lock:
                self.now -= 1


async def _awaits(f: Any, n: int) -> Any:
    return await f(n)


async def _awaits_a_future(f: Any, n: int) -> Any:
    return await f.future(n)


async def _awaits_one_that_runs(f: Any, n: int) -> Any:
    return await f.future(n).run()


async def _gathers(f: Any, n: int) -> Any:
    return (await asyncio.gather(f(n), f(n)))[0]


async def _maps(f: Any, n: int) -> Any:
    return (await f.map([n, n]))[0]


async def _maps_beside(f: Any, n: int) -> Any:
    return (await f.future.map([n]).run())[0]


async def _in_a_task(f: Any, n: int) -> Any:
    return await asyncio.create_task(f(n))


async def _in_time(f: Any, n: int) -> Any:
    return await asyncio.wait_for(f(n), LONG)


async def _through_plain_code(f: Any, n: int) -> Any:
    async def plain() -> Any:
        return await f(n)

    return await plain()


async def _from_a_thread(f: Any, n: int) -> Any:
    @function()
    def between(n: int) -> Any:
        return f.future(n).run().result()

    return await between.future(n)


async def _blocking(f: Any, n: int) -> Any:
    @function()
    def between(n: int) -> Any:
        return f.future(n).result()

    return between(n)


WAYS: list[Callable[[Any, int], Awaitable[Any]]] = [
    _awaits,
    _awaits_a_future,
    _awaits_one_that_runs,
    _gathers,
    _maps,
    _maps_beside,
    _in_a_task,
    _in_time,
    _through_plain_code,
    _from_a_thread,
]


@pytest.mark.parametrize("timeout", [None, LONG])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_functions_with_limits_that_wait_for_each_other_end_within_their_limits(
    bench: Bench, way: Callable[[Any, int], Awaitable[Any]], timeout: float | None
) -> None:
    of_a, of_b = Inside(), Inside()

    @function(max_concurrency=1, timeout=timeout)
    async def a(n: int) -> int:
        with of_a.count():
            await asyncio.sleep(0.02)
        found = 0 if n == 0 else await way(b, n - 1)
        with of_a.count():
            await asyncio.sleep(0.01)
        return int(found) + 1

    @function(max_concurrency=1, timeout=timeout)
    async def b(n: int) -> int:
        with of_b.count():
            await asyncio.sleep(0.02)
        found = 0 if n == 0 else await way(a, n - 1)
        with of_b.count():
            await asyncio.sleep(0.01)
        return int(found) + 1

    @application()
    @function()
    async def app(n: int) -> list[int]:
        return list(await asyncio.gather(a(n), b(n), a(n)))

    assert app.submit(2).wait(LONG).output() == [3, 3, 3]
    assert (of_a.most, of_b.most) == (1, 1)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("limit", [1, 2])
def test_a_recursion_keeps_to_the_limit_and_ends(
    bench: Bench, way: Callable[[Any, int], Awaitable[Any]], limit: int
) -> None:
    inside = Inside()

    @function(max_concurrency=limit)
    async def again(n: int) -> int:
        with inside.count():
            await asyncio.sleep(0.01)
        found = 0 if n == 0 else await way(again, n - 1)
        with inside.count():
            await asyncio.sleep(0.01)
        return int(found) + 1

    @application()
    @function()
    async def app(n: int) -> list[int]:
        return await asyncio.gather(*(again(n) for _ in range(3)))

    assert app.submit(2).wait(LONG).output() == [3, 3, 3]
    assert inside.most <= limit


@pytest.mark.parametrize("fails", [True, False])
def test_a_body_goes_on_with_its_permit_however_the_wait_was_left(bench: Bench, fails: bool) -> None:
    """The call it waited for has failed, or it waits no longer."""
    inside = Inside()

    @function()
    async def below() -> None:
        if fails:
            await asyncio.sleep(0.02)
            raise ValueError
        await asyncio.sleep(LONG)

    @function(max_concurrency=1)
    async def waits(_: int) -> int:
        with inside.count():
            await asyncio.sleep(0.01)
        with contextlib.suppress(ValueError, asyncio.TimeoutError):
            await asyncio.wait_for(below(), 0.05) if not fails else await below()
        with inside.count():
            await asyncio.sleep(0.03)
        return 1

    @application()
    @function()
    async def app() -> list[int]:
        return await asyncio.gather(*(waits(n) for n in range(5)))

    assert app.submit().wait(LONG).output() == [1] * 5
    assert inside.most == 1


def test_a_wait_for_something_else_keeps_the_permit(bench: Bench) -> None:
    """That is what the limit is for."""
    inside = Inside()

    @function(max_concurrency=2)
    async def visits(n: int) -> int:
        with inside.count():
            await asyncio.sleep(0.02)
        return n

    @application()
    @function()
    async def app() -> list[int]:
        first, second = await asyncio.gather(visits.map(range(5)), visits.map(range(5)))
        return [*first, *second]

    assert app.submit().wait(LONG).output() == [*range(5), *range(5)]
    assert inside.most == 2


@pytest.mark.parametrize("how", ["cancel", "timeout", "wait_for"])
def test_a_body_that_waits_for_its_permit_can_be_ended(bench: Bench, how: str) -> None:
    """Who has the permit meanwhile keeps it; nobody waits for it to tidy up."""
    there, tidied = threading.Event(), threading.Event()

    @function()
    async def below() -> None:
        await asyncio.sleep(0.05)

    @function(max_concurrency=1, timeout=1 if how == "timeout" else None)
    async def limited(first: bool) -> None:
        if not first:
            there.set()
            await asyncio.sleep(3 * SOON)
        try:
            await below()
            await asyncio.sleep(LONG)
        finally:
            tidied.set()

    @application()
    @function()
    async def app() -> str:
        one = asyncio.create_task(limited(True))
        await asyncio.sleep(0.02)
        other = asyncio.create_task(limited(False))
        if how == "wait_for":
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(one, 0.5)
            other.cancel()
            return "left"
        await asyncio.gather(one, other)
        return "never"

    began = time.monotonic()
    request = app.submit()
    if how == "cancel":
        assert there.wait(LONG)
        time.sleep(0.2)
        request.cancel()
    request.wait(LONG)
    assert request.status == {"cancel": "cancelled", "timeout": "failed", "wait_for": "succeeded"}[how]
    assert tidied.wait(LONG)
    assert time.monotonic() - began < 2 * SOON


def test_permits_go_to_who_asked_first(bench: Bench) -> None:
    order: list[int] = []

    @function(max_concurrency=1)
    async def one(n: int) -> int:
        order.append(n)
        await asyncio.sleep(0.01)
        return n

    @application()
    @function()
    async def app() -> list[int]:
        return await asyncio.gather(*(one(n) for n in range(8)))

    assert app.submit().wait(LONG).output() == list(range(8))
    assert order == list(range(8))


def test_a_permit_is_lent_to_a_request_that_is_awaited(bench: Bench) -> None:
    @application()
    @function()
    async def inner(n: int) -> int:
        return await limited(n)

    @function(max_concurrency=1)
    async def limited(n: int) -> int:
        return n if n == 0 else int(await inner.submit(n - 1)) + 1

    @application()
    @function()
    async def app() -> int:
        return await limited(2)

    assert app.submit().wait(LONG).output() == 2


def test_limited_calls_of_synchronous_code_on_several_loops_keep_to_the_limit(bench: Bench) -> None:
    inside = Inside()

    @function(max_concurrency=1)
    async def limited(n: int) -> int:
        with inside.count():
            await asyncio.sleep(0.02)
        found = await double_async(n)
        with inside.count():
            await asyncio.sleep(0.02)
        return found

    @function()
    def waits(n: int) -> int:
        return limited.future(n).run().result()

    @application()
    @function()
    async def app(n: int) -> list[int]:
        futures = [waits.future(n).run(), limited.future(n).run()]
        return list(await asyncio.gather(*futures))

    @application()
    @function()
    def plain(n: int) -> list[int]:
        futures = [limited.future(n).run() for _ in range(2)]
        Future.wait(futures, return_when=RETURN_WHEN.ALL_COMPLETED)
        return [future.result() for future in futures]

    requests = [app.submit(1), plain.submit(2), app.submit(3)]
    assert [request.wait(LONG).output() for request in requests] == [[2, 2], [4, 4], [6, 6]]
    assert inside.most == 1
