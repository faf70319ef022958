"""What is raced below async maps, and a reduce that is cancelled: chains and trees that somebody else cuts off.

An item of an async map that maps itself waits on its loop, and holds neither a thread nor a turn of the map below it.
"""

from __future__ import annotations

from jupyter_durable import application, function, run_local_application
from tests.races.threads_scenarios import (
    add,
    add_async,
    cut_off,
    once,
    replayed,
    scenario,
    square_async,
    values,
)
from tests.races.threads_world import WITNESS, World


@function()
async def row_async(n: int) -> int:
    with WITNESS.inside("row", n):
        return sum(await square_async.map([100 * n + k for k in range(n % 4 + 1)]))


def _row(n: int) -> int:
    return sum((100 * n + k) ** 2 for k in range(n % 4 + 1))


@application()
@function()
async def maps_rows_async(numbers: list[int], limit: int | None) -> list[int]:
    return list(await row_async.map(numbers, max_concurrency=limit))


@scenario
def an_async_map_of_maps(world: World) -> None:
    numbers, limit = values(world, 10), world.draw.choice([None, 1, 3])
    request = run_local_application(maps_rows_async, numbers, limit)
    assert request.output() == [_row(n) for n in numbers]
    once("row", numbers)
    once("square", [100 * n + k for n in numbers for k in range(n % 4 + 1)])
    assert limit is None or WITNESS.most["row"] <= limit
    replayed(request, [_row(n) for n in numbers])


@scenario
def a_cancelled_async_map_of_maps(world: World) -> None:
    numbers = values(world, 8)
    limit = world.draw.choice([None, 2])
    cut_off(world, maps_rows_async, (numbers, limit), 3 * len(numbers), [_row(n) for n in numbers])


@function()
def below_a_loop(n: int) -> int:
    """Waits in a thread for calls of a loop of their own."""
    with WITNESS.inside("row", n):
        return sum(square_async.future(100 * n + k).run().result() for k in range(n % 4 + 1))


@function()
async def awaits_a_thread(n: int) -> int:
    return int(await below_a_loop.future(n))


@application()
@function()
async def loops_below_loops(numbers: list[int]) -> list[int]:
    return list(await awaits_a_thread.map(numbers))


@scenario
def cancelled_loops_below_loops(world: World) -> None:
    """Each of them hears of the cancel when it comes to it, and the request settles after the last."""
    numbers = values(world, 8)
    cut_off(world, loops_below_loops, (numbers,), 3 * len(numbers), [_row(n) for n in numbers])


@application()
@function()
def reduces_numbers(numbers: list[int]) -> int:
    return int(add.reduce(numbers, 7))


@application()
@function()
async def reduces_numbers_async(numbers: list[int]) -> int:
    return int(await add_async.reduce(numbers, 7))


@scenario
def a_cancelled_reduce(world: World) -> None:
    numbers = values(world, 12)
    cut_off(world, reduces_numbers, (numbers,), len(numbers), sum(numbers) + 7)


@scenario
def a_cancelled_async_reduce(world: World) -> None:
    numbers = values(world, 12)
    cut_off(world, reduces_numbers_async, (numbers,), len(numbers), sum(numbers) + 7)
