"""Calls inside of calls: any depth, any number of slots, sync and async."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from jupyter_durable import application, function, get_request, run_local_application
from jupyter_durable.testing import crash_after, executions, memory_store


@function()
def waits(n: int) -> int:
    return 0 if n == 0 else 1 + waits.future(n - 1).result()


@function()
def recurses(n: int) -> int:
    return 0 if n == 0 else 1 + recurses(n - 1)


@function()
async def recurses_async(n: int) -> int:
    return 0 if n == 0 else 1 + await recurses_async(n - 1)


@function()
def sync_part(n: int) -> int:
    return 0 if n == 0 else 1 + async_part.future(n - 1).result()


@function()
async def async_part(n: int) -> int:
    return 0 if n == 0 else 1 + sync_part(n - 1)


@function()
async def async_futures(n: int) -> int:
    return 0 if n == 0 else 1 + await async_futures.future(n - 1).run()


@application()
@function()
def deep(n: int) -> int:
    return recurses(n)


@application()
@function()
async def deep_async(n: int) -> int:
    return 1 + await async_part(n - 1)


@pytest.mark.parametrize("slots", [1, 4])
def test_three_hundred_blocking_nested_calls(slots: int) -> None:
    with memory_store(max_concurrency=slots):
        assert waits(300) == 300


def test_direct_recursion_three_thousand_deep() -> None:
    limit = sys.getrecursionlimit()
    with memory_store():
        assert run_local_application(deep, 3000).output() == 3000
    assert sys.getrecursionlimit() == limit


def test_a_crash_in_a_deep_recursion_loses_nothing() -> None:
    with memory_store():
        with crash_after(100):
            run_local_application(deep, 300)
        request = get_request("last").replay()
        assert request.output() == 300
        assert executions(request) == {"recurses": 201}


@pytest.mark.parametrize("slots", [1, 4])
def test_async_in_sync_in_async_thirty_deep(slots: int) -> None:
    with memory_store(max_concurrency=slots):
        assert sync_part(30) == 30
        assert async_part.future(30).result() == 30
        assert run_local_application(deep_async, 30).output() == 30


async def test_async_in_sync_in_async_under_a_running_loop() -> None:
    with memory_store():
        assert sync_part(30) == 30
        assert await async_part(30) == 30
        assert sync_part(5) + await async_part(5) == 10


async def test_async_futures_inside_of_each_other() -> None:
    with memory_store():
        assert await async_futures(100) == 100


async def test_async_recursion() -> None:
    with memory_store():
        assert await recurses_async(150) == 150


async def test_many_async_calls_at_once() -> None:
    with memory_store(max_concurrency=2):
        assert await asyncio.gather(*(recurses_async(3) for _ in range(100))) == [3] * 100


@function()
def breaks_below(n: int) -> Any:
    if n == 0:
        raise LookupError("at the bottom")
    return breaks_below(n - 1)


def test_an_error_from_the_deep_reaches_the_top_with_its_type() -> None:
    with memory_store(), pytest.raises(LookupError, match="at the bottom"):
        breaks_below(200)
