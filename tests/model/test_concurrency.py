"""`max_concurrency` of a map, of a function and of the process."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from jupyter_durable import (
    SDKUsageError,
    function,
)
from jupyter_durable.testing import Bench, memory_store
from tests.model.shared import double, double_async


class Crowd:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def leave(self) -> None:
        with self._lock:
            self.inside -= 1


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_max_concurrency_of_a_map_limits(bench: Bench, limit: int) -> None:
    crowd = Crowd()

    @function()
    def visits(n: int) -> int:
        crowd.enter()
        threading.Event().wait(0.005)
        crowd.leave()
        return n

    assert visits.map(range(20), max_concurrency=limit) == list(range(20))
    assert crowd.most == limit


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_max_concurrency_of_an_async_map_limits(bench: Bench, limit: int) -> None:
    crowd = Crowd()

    @function()
    async def visits(n: int) -> int:
        crowd.enter()
        await asyncio.sleep(0.005)
        crowd.leave()
        return n

    assert await visits.map(range(20), max_concurrency=limit) == list(range(20))
    assert crowd.most == limit


@pytest.mark.parametrize("limit", [1, 3])
def test_max_concurrency_of_a_function_limits_all_its_calls(bench: Bench, limit: int) -> None:
    crowd = Crowd()

    @function(max_concurrency=limit)
    def visits(n: int) -> int:
        crowd.enter()
        threading.Event().wait(0.005)
        crowd.leave()
        return n

    @function()
    def maps(n: int) -> int:
        return sum(visits.map(range(8)))

    assert maps.map(range(3)) == [28, 28, 28]
    assert crowd.most <= limit


def test_max_concurrency_of_a_function_limits_its_futures(bench: Bench) -> None:
    crowd = Crowd()

    @function(max_concurrency=2)
    def visits(n: int) -> int:
        crowd.enter()
        threading.Event().wait(0.01)
        crowd.leave()
        return n

    futures = [visits.future(n).run() for n in range(8)]
    assert [future.result() for future in futures] == list(range(8))
    assert crowd.most <= 2


async def test_max_concurrency_of_an_async_function_limits_gathered_calls(bench: Bench) -> None:
    crowd = Crowd()

    @function(max_concurrency=2)
    async def visits(n: int) -> int:
        crowd.enter()
        await asyncio.sleep(0.005)
        crowd.leave()
        return n

    assert await asyncio.gather(*(visits(n) for n in range(8))) == list(range(8))
    assert crowd.most <= 2


def test_the_slots_of_the_process_limit_what_runs() -> None:
    crowd = Crowd()
    with memory_store(max_concurrency=3):

        @function()
        def visits(n: int) -> int:
            crowd.enter()
            threading.Event().wait(0.005)
            crowd.leave()
            return n

        visits.map(range(20))
    assert crowd.most == 3


def test_a_permit_is_given_back_while_an_item_waits_for_calls_of_its_own() -> None:
    with memory_store(max_concurrency=1):

        @function(max_concurrency=1)
        def recursive(n: int) -> int:
            return 0 if n == 0 else 1 + sum(recursive.map([n - 1]))

        assert recursive.map([5, 6]) == [5, 6]


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "2"])
def test_a_limit_is_a_whole_number_from_one(bench: Bench, limit: Any) -> None:
    with pytest.raises(SDKUsageError, match=r"double\.map: max_concurrency must be a whole number >= 1"):
        double.map([1, 2], max_concurrency=limit)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "2"])
async def test_a_limit_of_an_async_map_is_one_too(bench: Bench, limit: Any) -> None:
    with pytest.raises(SDKUsageError, match=r"double_async\.map: max_concurrency must be a whole number >= 1"):
        await double_async.map([1, 2], max_concurrency=limit)
