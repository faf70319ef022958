"""What is raced with an interrupt: ■ comes to the main thread at a random moment.

A cell is interrupted; what had succeeded in it is kept. It is run again until nothing interrupts it, and has the right
result. Nothing that was kept executes again, and nothing begins after the cell has ended.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from jupyter_durable import Future, application, function, list_requests
from tests.races.threads_scenarios import (
    Moment,
    Twice,
    add,
    diamonds_async,
    once,
    row,
    scenario,
    settled,
    square,
    values,
)
from tests.races.threads_world import WITNESS, World, wait_until


def interrupted(world: World, bodies: int, body: Callable[[], Any], expected: Any) -> None:
    """Interrupt a cell that runs `body`, of so many executions, once; then run it again."""
    error = _interrupted_once(Moment(world, bodies), body, expected)
    world.engine.sessions.end(error)
    found = list_requests()
    kept: Counter[Any] = Counter()
    for request in found:
        kept += settled(world, request)
        # "interrupted": the signal came while the request of the cell was being made
        wanted = ("cancelled", "interrupted", "succeeded") if error is not None else ("succeeded",)
        assert request.status in wanted, f"{request.status} after {error!r}"
    WITNESS.forget()
    world.cell()
    assert body() == expected
    if error is None or len(list_requests()) > len(found):
        return  # a new request after a success
    again = Counter((name, what if isinstance(what, tuple) else (what,)) for name, what in WITNESS.began)
    if again & kept:
        raise Twice(f"kept, and executed again: {again & kept}")


def _interrupted_once(moment: Moment, body: Callable[[], Any], expected: Any) -> BaseException | None:
    main = threading.main_thread().ident
    assert main is not None
    begun, over = threading.Event(), threading.Event()

    def interrupt() -> None:
        begun.wait()
        moment.wait()
        if not over.is_set():
            signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        try:
            begun.set()
            assert body() == expected
        finally:
            over.set()
            thread.join()
            handler: Any = signal.getsignal(signal.SIGINT)
            wait_until(lambda: not getattr(handler, "is_put_off", False))
    except KeyboardInterrupt as raised:
        return raised
    return None


@scenario
def an_interrupted_map(world: World) -> None:
    """■ while the main thread waits for a map, or is at its beginning or end."""
    numbers = values(world, 40)
    expected = [n * n for n in numbers]
    error = _interrupted_once(Moment(world, len(numbers)), lambda: list(square.map(numbers)), expected)
    world.engine.sessions.end(error)
    found = list_requests()
    if not found:
        return  # before the first call
    kept = settled(world, found[0])
    status = found[0].status
    # "interrupted": the signal came while the request of the cell was being made
    assert status in (("cancelled", "interrupted") if error is not None else ("succeeded",)), (
        f"{status} after {error!r}"
    )
    WITNESS.forget()
    world.cell()
    assert list(square.map(numbers)) == expected
    if len(list_requests()) == 1:
        again = Counter((name, (what,)) for name, what in WITNESS.began)
        if again & kept:
            raise Twice(f"kept, and executed again: {again & kept}")
    once("square", list(WITNESS.times("square")))


@function()
def nests(n: int, depth: int) -> int:
    with WITNESS.inside("nests", (n, depth)):
        return square(n) if not depth else nests(n, depth - 1) + square(n + depth)


@scenario
def interrupted_nested_calls(world: World) -> None:
    n, depth = world.draw.randrange(1, 1000), world.draw.randrange(1, 6)
    expected = n * n + sum((n + k) ** 2 for k in range(1, depth + 1))
    interrupted(world, 2 * depth, lambda: nests(n, depth), expected)


@scenario
def interrupted_calls_one_after_another(world: World) -> None:
    """Between two calls too."""
    numbers = values(world, 12)
    interrupted(world, len(numbers), lambda: [square(n) for n in numbers], [n * n for n in numbers])


@scenario
def an_interrupted_reduce(world: World) -> None:
    numbers = values(world, 12)
    interrupted(world, len(numbers), lambda: add.reduce(numbers, 1), sum(numbers) + 1)


@scenario
def an_interrupted_map_of_maps(world: World) -> None:
    numbers = values(world, 8)
    expected = [sum((100 * n + k) ** 2 for k in range(n % 4 + 1)) for n in numbers]
    interrupted(world, 3 * len(numbers), lambda: list(row.map(numbers)), expected)


@scenario
def interrupted_waits_for_futures(world: World) -> None:
    numbers = values(world, 12)

    def body() -> list[int]:
        futures = [square.future(n).run() for n in numbers]
        Future.wait(futures[::2])
        return [future.result() for future in futures]

    interrupted(world, len(numbers), body, [n * n for n in numbers])


@scenario
def an_interrupted_async_application(world: World) -> None:
    """The main thread waits for its loop."""
    numbers = values(world, 8)
    expected = sum(2 * n * n + n for n in numbers)
    interrupted(world, 3 * len(numbers), lambda: asyncio.run(_awaited(numbers)), expected)


@application()
@function()
def nested_maps(numbers: list[int]) -> list[int]:
    return [nests(n, n % 3) for n in numbers] + list(row.map(numbers))


@scenario
def an_interrupted_application(world: World) -> None:
    """It is driven by the main thread, and resumed by the next execution of its cell."""
    numbers = values(world, 6)
    rows = [sum((100 * n + k) ** 2 for k in range(n % 4 + 1)) for n in numbers]
    nested = [n * n + sum((n + k) ** 2 for k in range(1, n % 3 + 1)) for n in numbers]
    interrupted(world, 4 * len(numbers), lambda: nested_maps(numbers), nested + rows)


async def _awaited(numbers: list[int]) -> Any:
    return await diamonds_async(numbers)
