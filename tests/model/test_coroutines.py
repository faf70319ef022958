"""The coroutine of an async durable function is a value like a Future."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jupyter_durable import SDKUsageError, SerializationError, application, function, get_request, run_local_application
from jupyter_durable.testing import Bench
from tests.model import shared

# A call takes coroutines in place of its arguments; a type checker holds it to its own.
add: Any = shared.add
add_async: Any = shared.add_async
double: Any = shared.double
double_async: Any = shared.double_async
MADE: dict[str, Callable[[], Any]] = {
    "a call": lambda: double_async(2),
    "a call with a coroutine": lambda: double_async(add_async(double_async(0), 2)),
    "a Future": lambda: double.future(2).coroutine(),
    "a map": lambda: add_async.reduce(double_async.map([0, 2])),
    "a reduce": lambda: add_async.reduce([double_async(1), 2]),
}


@pytest.fixture(params=MADE)
def make(request: Any) -> Callable[[], Any]:
    """Makes a coroutine whose result is 4."""
    return MADE[request.param]


async def test_awaited_twice_it_gives_the_same(bench: Bench, make: Callable[[], Any]) -> None:
    made = make()
    assert asyncio.iscoroutine(made)
    assert [await made, await made] == [4, 4]


async def test_awaited_by_many_at_once_it_runs_once(bench: Bench, make: Callable[[], Any]) -> None:
    made = make()
    tasks = [asyncio.create_task(made) for _ in range(3)]
    assert await asyncio.gather(made, *tasks, asyncio.wait_for(made, 60)) == [4] * 5
    before = len(get_request("last").calls())
    assert await made == 4
    assert len(get_request("last").calls()) == before


async def test_awaited_in_another_loop_while_the_first_await_goes_on(bench: Bench) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    @function()
    async def slow() -> int:
        begun.set()
        await go_on.wait()
        return 7

    made = slow()
    first = asyncio.create_task(made)
    await begun.wait()
    elsewhere = asyncio.get_running_loop().run_in_executor(None, lambda: asyncio.run(_of(made)))
    go_on.set()
    assert [await first, await elsewhere] == [7, 7]


async def _of(value: Awaitable[int]) -> int:
    return await value


async def test_a_failure_is_raised_each_time(bench: Bench) -> None:
    made = double_async(-1)
    for _ in range(2):
        with pytest.raises(ValueError, match="negative: -1"):
            await made


async def test_it_is_an_argument(bench: Bench, make: Callable[[], Any]) -> None:
    made = make()
    assert await add_async(made, b=made) == 8


def test_it_is_an_argument_of_a_synchronous_function(bench: Bench) -> None:
    made = double_async(2)
    assert add(made, b=made) == 8
    assert add(made, 1) == 5


async def test_it_is_an_item(bench: Bench, make: Callable[[], Any]) -> None:
    made = make()
    assert await double_async.map([made, 1, made]) == [8, 2, 8]
    assert await double_async.future.map([made, 1]) == [8, 2]
    assert await add_async.reduce([made, 1, made]) == 9


def test_it_is_an_item_of_a_synchronous_map(bench: Bench) -> None:
    assert double.map([double_async(1), 5]) == [4, 10]
    assert double.map(double_async.map([1, 2])) == [4, 8]
    assert add.reduce(double_async.map([1, 2]), double_async(3)) == 12


async def test_the_result_of_a_map_is_the_input_of_another(bench: Bench) -> None:
    assert await double_async.map(double_async.map([1, 2])) == [4, 8]
    assert await add_async.reduce(double_async.map([1, 2])) == 6
    assert await add_async.reduce(double_async.map([1, 2]), double_async(3)) == 12


@pytest.mark.parametrize("made", MADE)
def test_it_is_a_tail_call(bench: Bench, made: str) -> None:
    @application()
    @function()
    async def app(name: str) -> int:
        value: int = MADE[name]()
        return value

    assert run_local_application(app, made).output() == 4


def test_an_application_returns_one_it_has_awaited(bench: Bench) -> None:
    @application()
    @function()
    async def app() -> int:
        made = double_async(2)
        await made
        value: int = made
        return value

    assert run_local_application(app).output() == 4


def test_a_synchronous_application_returns_one(bench: Bench) -> None:
    @application()
    @function()
    def app() -> int:
        value: int = double_async(2)
        return value

    assert run_local_application(app).output() == 4


async def test_a_replay_serves_it(bench: Bench) -> None:
    ran: list[int] = []

    @function()
    async def once(n: int) -> int:
        ran.append(n)
        return n

    @application()
    @function()
    async def app(fail: bool) -> list[int]:
        made = once(1)
        values = [await made, await made, *await once.map([made, once(2)])]
        if fail and len(ran) == 4:
            raise ValueError("once")
        return values

    request = await asyncio.to_thread(run_local_application, app, True)
    assert (request.status, sorted(ran)) == ("failed", [1, 1, 2, 2])
    ran.append(0)
    assert (await asyncio.to_thread(request.replay)).output() == [1, 1, 1, 2]
    assert sorted(ran) == [0, 1, 1, 2, 2]


async def test_blocking_the_loop_it_runs_on_is_an_error_and_no_deadlock(bench: Bench) -> None:
    go_on = asyncio.Event()

    @function()
    async def waits() -> int:
        await go_on.wait()
        return 1

    made = waits()
    task = asyncio.create_task(made)
    await asyncio.sleep(0)
    with pytest.raises(SDKUsageError, match="`await` it instead"):
        double(made)
    go_on.set()
    assert await task == 1


async def test_it_cannot_be_stored(bench: Bench) -> None:
    import pickle

    made = double_async(1)
    assert repr(made) == "<coroutine of double_async: not awaited>"
    with pytest.raises(SerializationError, match="a coroutine of double_async cannot be stored"):
        pickle.dumps(made)
    await made
    assert repr(made) == "<coroutine of double_async: done>"


async def test_one_that_was_given_up_never_ran(bench: Bench) -> None:
    made = double_async(1)
    made.close()
    assert get_request("last").calls("double_async") == []


async def test_awaits_from_many_threads_run_it_once(bench: Bench) -> None:
    ran: list[int] = []
    count = 4
    barrier = threading.Barrier(count)

    @function()
    async def counted() -> int:
        ran.append(1)
        await asyncio.sleep(0)
        return 5

    made = counted()

    def waits() -> int:
        barrier.wait(60)
        return asyncio.run(_of(made))

    assert await asyncio.gather(*(asyncio.to_thread(waits) for _ in range(count))) == [5] * count
    assert ran == [1]
