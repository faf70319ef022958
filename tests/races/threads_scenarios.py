"""What is raced: one scenario for each concurrent feature, each compared with what it must be.

A scenario draws its sizes and moments, runs requests, and asserts: results as the same code without an engine gives
them; each body executed as often as it must be, counted outside of the store; a replay executes nothing that is kept.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any, Final

from jupyter_durable import (
    Future,
    Request,
    RequestContext,
    Retries,
    application,
    function,
    list_requests,
    run_local_application,
)
from jupyter_durable.testing.bench import COUNTED
from tests.races.threads_world import WITNESS, World, wait_until

SCENARIOS: Final[dict[str, Callable[[World], None]]] = {}


def scenario(body: Callable[[World], None]) -> Callable[[World], None]:
    """Keep a scenario by its name."""
    SCENARIOS[body.__name__] = body
    return body


BY_HAND: Final[set[str]] = set()
"""Scenarios whose clock only moves when they say so."""


def by_hand(body: Callable[[World], None]) -> Callable[[World], None]:
    """A scenario that moves the clock."""
    BY_HAND.add(body.__name__)
    return body


class Expected(Exception):
    """What a function of a scenario raises."""


class Twice(AssertionError):
    """Something executed that must not have: a second time, or after the end."""


# what the functions of all scenarios do


@function()
def square(n: int) -> int:
    with WITNESS.inside("square", n):
        return n * n


@function()
async def square_async(n: int) -> int:
    with WITNESS.inside("square", n):
        await asyncio.sleep(WITNESS.rest())
        return n * n


@function()
def breaks(n: int) -> int:
    with WITNESS.inside("breaks", n):
        if n in WITNESS.failing:
            raise Expected(str(n))
        return n + 1


@function()
async def breaks_async(n: int) -> int:
    with WITNESS.inside("breaks", n):
        await asyncio.sleep(WITNESS.rest())
        if n in WITNESS.failing:
            raise Expected(str(n))
        return n + 1


@function(max_concurrency=2)
def narrow(n: int) -> int:
    with WITNESS.inside("narrow", n):
        return -n


@function()
def add(a: int, b: int) -> int:
    with WITNESS.inside("add", (a, b)):
        return a + b


@function()
async def add_async(a: int, b: int) -> int:
    with WITNESS.inside("add", (a, b)):
        await asyncio.sleep(WITNESS.rest())
        return a + b


@function()
def row(n: int) -> int:
    with WITNESS.inside("row", n):
        return sum(square.map([100 * n + k for k in range(n % 4 + 1)]))


@function(retries=Retries(max_retries=3, initial_delay=0, jitter=False))
def flaky(n: int) -> int:
    with WITNESS.inside("flaky", n):
        context = RequestContext.get()
        context.state.set(f"try{n}", context.attempt)
        square(n)
        if context.attempt <= n % 3:
            raise Expected(str(n))
        return n


@function()
def noted(n: int) -> int:
    with WITNESS.inside("noted", n):
        RequestContext.get().state.set(f"key{n}", n)
        RequestContext.get().progress.update(n, n + 1)
        RequestContext.get().metrics.counter("noted")
        return n


def values(world: World, most: int = 24) -> list[int]:
    """Some numbers, all different; few, as a rule."""
    draw = world.draw
    return draw.sample(range(1, 1000), draw.randrange(1, most if draw.random() < 0.3 else max(4, most // 3)))


def once(name: str, arguments: list[Any]) -> None:
    """Each of these calls, and no other, has executed once."""
    executed, wanted = WITNESS.times(name), Counter(arguments)
    if executed - wanted:
        raise Twice(f"{name}: {executed - wanted} too often")
    assert executed == wanted, f"{name}: {wanted - executed} never"


def replayed(request: Request, result: Any) -> None:
    """A replay of what succeeded gives the same and executes nothing."""
    WITNESS.forget()
    assert request.replay().output() == result
    if WITNESS.began:
        raise Twice(f"executed again: {WITNESS.began}")


# maps


@application()
@function()
def maps(numbers: list[int]) -> list[int]:
    return list(square.map(numbers))


@scenario
def a_map(world: World) -> None:
    numbers = values(world, 60)
    request = run_local_application(maps, numbers)
    assert request.output() == [n * n for n in numbers]
    once("square", numbers)
    replayed(request, [n * n for n in numbers])


@application()
@function()
async def maps_async(numbers: list[int], limit: int | None) -> list[int]:
    return list(await square_async.map(numbers, max_concurrency=limit))


@scenario
def an_async_map(world: World) -> None:
    numbers, limit = values(world), world.draw.choice([None, 1, 3])
    request = run_local_application(maps_async, numbers, limit)
    assert request.output() == [n * n for n in numbers]
    once("square", numbers)
    assert limit is None or WITNESS.most["square"] <= limit
    replayed(request, [n * n for n in numbers])


@application()
@function()
def maps_rows(numbers: list[int]) -> list[int]:
    return list(row.map(numbers))


@scenario
def a_map_of_maps(world: World) -> None:
    numbers = values(world, 10)
    expected = [sum((100 * n + k) ** 2 for k in range(n % 4 + 1)) for n in numbers]
    request = run_local_application(maps_rows, numbers)
    assert request.output() == expected
    once("row", numbers)
    once("square", [100 * n + k for n in numbers for k in range(n % 4 + 1)])
    replayed(request, expected)


@application()
@function()
def maps_failing(numbers: list[int]) -> list[int]:
    return list(breaks.map(numbers))


@application()
@function()
async def maps_failing_async(numbers: list[int]) -> list[int]:
    return list(await breaks_async.map(numbers))


def _failing_map(world: World, app: Any) -> None:
    numbers = values(world, 30)
    WITNESS.failing = frozenset(world.draw.sample(numbers, world.draw.randrange(1, len(numbers) + 1)))
    request = run_local_application(app, numbers)
    once("breaks", numbers)
    assert request.status == "failed"
    first = next(n for n in numbers if n in WITNESS.failing)
    assert str(request.error) == str(first)
    failing, WITNESS.failing = WITNESS.failing, frozenset()
    WITNESS.forget()
    assert request.replay().output() == [n + 1 for n in numbers]
    once("breaks", [n for n in numbers if n in failing])


@scenario
def a_failing_map(world: World) -> None:
    _failing_map(world, maps_failing)


@scenario
def a_failing_async_map(world: World) -> None:
    _failing_map(world, maps_failing_async)


@application()
@function()
def maps_with_exceptions(numbers: list[int]) -> list[str]:
    return [str(found) for found in breaks.map(numbers, return_exceptions=True)]


@scenario
def a_map_that_returns_exceptions(world: World) -> None:
    numbers = values(world, 30)
    WITNESS.failing = frozenset(world.draw.sample(numbers, world.draw.randrange(len(numbers) + 1)))
    found = run_local_application(maps_with_exceptions, numbers).output()
    assert found == [str(n) if n in WITNESS.failing else str(n + 1) for n in numbers]
    once("breaks", numbers)


@application()
@function()
def maps_narrow(numbers: list[int], limit: int | None) -> list[int]:
    return list(narrow.map(numbers)) + list(square.map(numbers, max_concurrency=limit))


@scenario
def limited_maps(world: World) -> None:
    """Two requests at once share the limit of a function."""
    numbers, limit = values(world), world.draw.choice([None, 1, 3])
    other = maps_narrow.submit([n + 1000 for n in numbers], limit)
    request = run_local_application(maps_narrow, numbers, limit)
    assert request.output() == [-n for n in numbers] + [n * n for n in numbers]
    assert other.wait(60).output() == [-n - 1000 for n in numbers] + [(n + 1000) ** 2 for n in numbers]
    once("narrow", numbers + [n + 1000 for n in numbers])
    assert WITNESS.most["narrow"] <= 2


# futures


@application()
@function()
def diamonds(numbers: list[int]) -> int:
    left = [square.future(n) for n in numbers]
    right = [add.future(future, n) for future, n in zip(left, numbers, strict=True)]
    sums = [add.future(a, b) for a, b in zip(left, right, strict=True)]
    done, not_done = Future.wait(sums[::2])
    assert (len(done), not_done) == (len(sums[::2]), [])
    return sum(future.result() for future in sums)


@application()
@function()
def shares(numbers: list[int]) -> list[int]:
    """Futures that several calls, which begin at once, take for an argument."""
    given = [square.future(n) for n in numbers]
    twice = [add.future(future, k).run() for future in given for k in (1, 2, 3)]
    return [future.result() for future in twice]


@scenario
def shared_futures(world: World) -> None:
    numbers = values(world, 12)
    expected = [n * n + k for n in numbers for k in (1, 2, 3)]
    request = run_local_application(shares, numbers)
    assert request.output() == expected
    once("square", numbers)
    replayed(request, expected)


@application()
@function()
def leaves(numbers: list[int]) -> int:
    """Nobody asks for the results."""
    for n in numbers:
        square.future(n).run()
    return len(numbers)


@scenario
def unasked_futures(world: World) -> None:
    """A call ends when all that it started has ended."""
    numbers = values(world)
    request = run_local_application(leaves, numbers)
    assert request.output() == len(numbers)
    once("square", numbers)
    assert {call.status for call in request.calls()} == {"succeeded"}
    replayed(request, len(numbers))


@application()
@function()
async def diamonds_async(numbers: list[int]) -> int:
    left: list[Any] = [square_async.future(n) for n in numbers]
    right: list[Any] = [add_async.future(future, n).run() for future, n in zip(left, numbers, strict=True)]
    sums = [add_async(a, b) for a, b in zip(left, right, strict=True)]
    return sum(await asyncio.gather(*sums))


def _diamonds(world: World, app: Any) -> None:
    numbers = values(world, 12)
    expected = sum(2 * n * n + n for n in numbers)
    request = run_local_application(app, numbers)
    assert request.output() == expected
    once("square", numbers)
    once("add", [(n * n, n) for n in numbers] + [(n * n, n * n + n) for n in numbers])
    replayed(request, expected)


@scenario
def futures_of_futures(world: World) -> None:
    _diamonds(world, diamonds)


@scenario
def async_futures_of_futures(world: World) -> None:
    _diamonds(world, diamonds_async)


@application()
@function()
def reduces(numbers: list[int]) -> list[int]:
    mapped = square.future.map(numbers)
    return [add.reduce(mapped), int(add.future.reduce(numbers, 7).run().result())]


@application()
@function()
async def reduces_async(numbers: list[int]) -> list[int]:
    squares = await square_async.map(numbers)
    return list(await asyncio.gather(add_async.reduce(squares), add_async.reduce(numbers, 7)))


def _reduces(world: World, app: Any) -> None:
    numbers = values(world, 12)
    expected = [reduce(lambda a, b: a + b, [n * n for n in numbers]), sum(numbers) + 7]
    request = run_local_application(app, numbers)
    assert request.output() == expected
    once("square", numbers)
    assert len([who for who, _ in WITNESS.began if who == "add"]) == 2 * len(numbers) - 1
    replayed(request, expected)


@scenario
def a_reduce(world: World) -> None:
    _reduces(world, reduces)


@scenario
def an_async_reduce(world: World) -> None:
    _reduces(world, reduces_async)


# retries, state, threads of the user


@application()
@function()
def retries(numbers: list[int]) -> list[int]:
    return list(flaky.map(numbers))


@scenario
def retried_calls(world: World) -> None:
    numbers = values(world, 12)
    request = run_local_application(retries, numbers)
    assert request.output() == numbers
    assert WITNESS.times("flaky") == Counter({n: n % 3 + 1 for n in numbers})
    once("square", numbers)  # of the first attempt: the next ones are served it
    assert request.state == {f"try{n}": n % 3 + 1 for n in numbers}
    replayed(request, numbers)


@application()
@function()
def notes(numbers: list[int]) -> dict[str, int]:
    state = RequestContext.get().state
    noted.map(numbers)
    return {f"key{n}": state.get(f"key{n}") for n in numbers}


@scenario
def state_of_a_map(world: World) -> None:
    numbers = values(world, 30)
    expected = {f"key{n}": n for n in numbers}
    request = run_local_application(notes, numbers)
    assert request.output() == expected
    assert request.state == expected
    assert len(request.metrics) == len(numbers)
    once("noted", numbers)
    replayed(request, expected)
    assert request.state == expected


@application()
@function()
def in_threads(numbers: list[int]) -> list[int]:
    with ThreadPoolExecutor(4) as pool:
        plain = list(pool.map(square, numbers))
        context = [contextvars.copy_context() for _ in numbers]
        copied = list(pool.map(lambda pair: pair[0].run(add, pair[1], 1), zip(context, numbers, strict=True)))
    return plain + copied


@application()
@function()
def in_copied_contexts(numbers: list[int]) -> list[int]:
    with ThreadPoolExecutor(4) as pool:
        context = [contextvars.copy_context() for _ in numbers]
        return list(pool.map(lambda pair: pair[0].run(square, pair[1]), zip(context, numbers, strict=True)))


@scenario
def threads_of_the_user(world: World) -> None:
    numbers = values(world)
    expected = [n * n for n in numbers] + [n + 1 for n in numbers]
    request = run_local_application(in_threads, numbers)
    assert request.output() == expected
    once("square", numbers)
    once("add", [(n, 1) for n in numbers])
    replayed(request, expected)


@scenario
def calls_of_a_cell(world: World) -> None:
    """A cell whose threads, maps and futures belong to one request."""
    numbers = values(world)
    with ThreadPoolExecutor(3) as pool:
        submitted = [pool.submit(square, n) for n in numbers]
        futures = [add.future(n, 2).run() for n in numbers]
        mapped = list(narrow.map(numbers))
        assert [future.result() for future in submitted] == [n * n for n in numbers]
    assert [future.result() for future in futures] == [n + 2 for n in numbers]
    assert mapped == [-n for n in numbers]
    once("square", numbers)
    once("narrow", numbers)
    once("add", [(n, 2) for n in numbers])
    world.cell()
    assert list_requests()[0].status == "succeeded"


# cancelled and interrupted


class Moment:
    """When a request is cut off: when so many bodies have begun, or after some time."""

    def __init__(self, world: World, bodies: int) -> None:
        self._reached = threading.Event()
        draw = world.draw
        if draw.random() < 0.7:
            wanted = draw.randrange(bodies + 1)
            WITNESS.on_begin = lambda count: self._reached.set() if count > wanted else None
            self._seconds = 0.5
        else:
            self._seconds = draw.random() * 0.02

    def wait(self) -> None:
        """Until it is there."""
        self._reached.wait(self._seconds)


def settled(world: World, request: Request, at_end: list[int] | None = None) -> Counter[Any]:
    """Wait for the end of what was cut off; what has succeeded of it. Nothing begins afterwards.

    `at_end`: how many bodies had begun at that moment; none is known where nobody listened for it.
    """
    request.wait(60)
    began = at_end[0] if at_end else len(WITNESS.began)
    wait_until(world.all_out)
    time.sleep(0.003)
    if late := WITNESS.began[began:]:
        raise Twice(f"began after the request had settled: {late}")
    assert {call.status for call in request.calls()} <= {"succeeded", "cancelled", "failed", "interrupted"}
    return Counter(
        (call.name, call.inputs()[0]) for call in request.calls() if call.status == "succeeded" and call.kind in COUNTED
    )


def cut_off(world: World, app: Any, arguments: tuple[Any, ...], bodies: int, result: Any) -> None:
    moment = Moment(world, bodies)
    at_end: list[int] = []
    with world.ends(lambda: at_end.append(len(WITNESS.began))):
        request = app.submit(*arguments)
    moment.wait()
    began = time.monotonic()
    request.cancel()
    WITNESS.settles(began, request)
    kept = settled(world, request, at_end)
    assert request.status in ("cancelled", "succeeded"), f"{request.status}: {request.error}"
    WITNESS.forget()
    assert request.replay().output() == result
    again = Counter((name, what if isinstance(what, tuple) else (what,)) for name, what in WITNESS.began)
    if twice := {call: count for call, count in again.items() if count > 1 or kept[call]}:
        raise Twice(f"kept, and executed again: {twice}")


@scenario
def a_cancelled_map(world: World) -> None:
    numbers = values(world, 40)
    cut_off(world, maps, (numbers,), len(numbers), [n * n for n in numbers])


@scenario
def a_cancelled_async_map(world: World) -> None:
    numbers = values(world)
    limit = world.draw.choice([None, 2])
    cut_off(world, maps_async, (numbers, limit), len(numbers), [n * n for n in numbers])


@scenario
def a_cancelled_map_of_maps(world: World) -> None:
    numbers = values(world, 8)
    expected = [sum((100 * n + k) ** 2 for k in range(n % 4 + 1)) for n in numbers]
    cut_off(world, maps_rows, (numbers,), 3 * len(numbers), expected)


@scenario
def cancelled_futures(world: World) -> None:
    numbers = values(world, 10)
    cut_off(world, diamonds, (numbers,), 3 * len(numbers), sum(2 * n * n + n for n in numbers))


@scenario
def cancelled_async_futures(world: World) -> None:
    numbers = values(world, 10)
    cut_off(world, diamonds_async, (numbers,), 3 * len(numbers), sum(2 * n * n + n for n in numbers))


@scenario
def cancelled_threads_of_the_user(world: World) -> None:
    numbers = values(world, 12)
    cut_off(world, in_copied_contexts, (numbers,), len(numbers), [n * n for n in numbers])
