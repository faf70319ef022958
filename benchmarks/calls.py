"""A trivial durable call, sequential: against INSERT+COMMIT of the same row, and joblib.Memory beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.floor import BareTable, recorded_row
from benchmarks.measure import Figure, Pairs, Size, paired, paired_async
from jupyter_durable import function

AGAINST = "INSERT+COMMIT"
JOBLIB_CALLS = 10


@function()
def trivial(number: int) -> int:
    return number


@function(retries=1)
def retried(number: int) -> int:
    return number


@function()
async def awaited(number: int) -> int:
    return number


def plain(number: int) -> int:
    return number


class Numbers:
    """Arguments that never repeat."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int) -> range:
        """The next `count`."""
        self._next += count
        return range(self._next - count, self._next)


def block_of(call: Callable[[int], object], numbers: Numbers, count: int) -> Callable[[], float]:
    """A block of `count` calls."""

    def block() -> float:
        start = time.perf_counter()
        for number in numbers.take(count):
            call(number)
        return (time.perf_counter() - start) / count

    return block


def _joblib(folder: Path, numbers: Numbers) -> Callable[[], float]:
    from joblib import Memory

    return block_of(Memory(folder / "joblib", verbose=0).cache(plain), numbers, JOBLIB_CALLS)


def figures(case: str, folder: Path, size: Size, functions: tuple[Any, Any] = (trivial, retried)) -> list[Figure]:
    """Sequential calls, with and without retries."""
    own, again = functions
    numbers = Numbers()
    for number in numbers.take(2):
        own(number)
    bare = BareTable(folder / f"bare-{case}.db", recorded_row())
    pairs = paired(
        {
            "bare": lambda: bare.commits(size.block),
            "call": block_of(own, numbers, size.block),
            "retries": block_of(again, numbers, size.block),
            "joblib": _joblib(folder, numbers),
        },
        size.rounds,
    )
    return [
        _figure(case, "trivial call", pairs, "call", 1.5),
        _figure(case, "with retries", pairs, "retries", 2.5),
        _figure(case, "joblib.Memory", pairs, "joblib", None),
    ]


def _figure(case: str, name: str, pairs: Pairs, variant: str, bar: float | None) -> Figure:
    return Figure(
        case,
        name,
        pairs.median(variant) * 1e6,
        "us",
        None,
        pairs.median("bare") * 1e6,
        AGAINST,
        pairs.ratio(variant, "bare"),
        bar,
    )


async def figures_awaited(case: str, folder: Path, size: Size, fn: Any = awaited) -> list[Figure]:
    """Awaited calls: one after the other, and a block of them at once."""
    numbers = Numbers()
    for number in numbers.take(2):
        await fn(number)
    bare = BareTable(folder / f"bare-awaited-{case}.db", recorded_row())

    async def floor() -> float:
        return bare.commits(size.block)

    async def one_by_one() -> float:
        start = time.perf_counter()
        for number in numbers.take(size.block):
            await fn(number)
        return (time.perf_counter() - start) / size.block

    async def at_once() -> float:
        start = time.perf_counter()
        await asyncio.gather(*[fn(number) for number in numbers.take(size.block)])
        return (time.perf_counter() - start) / size.block

    pairs = await paired_async({"bare": floor, "awaited": one_by_one, "at once": at_once}, size.rounds)
    return [
        _figure(case, "awaited call", pairs, "awaited", 1.5),
        _figure(case, f"{size.block} awaited at once", pairs, "at once", None),
    ]


def run(size: Size, folder: Path) -> list[Figure]:
    """In a plain script."""
    return [*figures("script", folder, size), *asyncio.run(figures_awaited("script", folder, size))]
