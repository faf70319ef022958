"""Timeouts of async functions, and cancels of those that have one: what is late is seen, and what tidies up is let."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import jupyter_durable as jd
from jupyter_durable import Request, Retries, application, function, run_local_application
from jupyter_durable.testing import Bench, memory_store

LONG = 30.0
"""What comes soon has come by then, on a busy machine too."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A store, and two slots."""
    with memory_store(max_concurrency=2) as made:
        yield made


def _sleeps() -> None:
    time.sleep(1.3)


def _spins() -> None:
    end = time.monotonic() + 1.3
    while time.monotonic() < end:
        pass


def _sleeps_and_fails() -> None:
    time.sleep(1.3)
    raise ValueError("late")


@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize("how", [_sleeps, _spins, _sleeps_and_fails], ids=lambda how: how.__name__)
def test_an_async_function_that_blocks_longer_than_its_timeout_is_late(
    bench: Bench, how: Callable[[], None], limit: int | None
) -> None:
    """Nobody can look at the clock before it is done; that is an attempt like another."""
    attempts: list[int] = []

    @function(timeout=1, max_concurrency=limit, retries=Retries(max_retries=1, initial_delay=0))
    async def blocks() -> int:
        attempts.append(1)
        if len(attempts) == 1:
            how()
        return len(attempts)

    @function(timeout=1, max_concurrency=limit)
    async def blocks_once() -> None:
        how()

    @application()
    @function()
    async def app() -> int:
        with pytest.raises(jd.TimeoutError, match=r"no result and no progress for 1 s"):
            await blocks_once()
        return await blocks()

    assert run_local_application(app).output() == 2


def test_a_function_that_was_in_time_is_not_late_because_its_loop_is(bench: Bench) -> None:
    @function(timeout=1)
    async def quick() -> int:
        await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_soon(time.sleep, 1.3)  # before anybody hears that it is done
        return 3

    @application()
    @function()
    async def app() -> int:
        return await quick()

    assert run_local_application(app).output() == 3


class Stay:
    """A coroutine that takes its time to tidy up, and what became of that."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.said: list[str] = []

    async def __call__(self) -> None:
        self.said.append("in")
        try:
            await asyncio.sleep(LONG)
        finally:
            try:
                await asyncio.sleep(self._seconds)
                self.said.append("tidied up")
            except asyncio.CancelledError:
                self.said.append("cut off")
                raise


@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize("seconds", [0.3, 1.2])
def test_what_a_coroutine_does_on_its_way_out_of_a_timeout_is_not_cut_off(
    bench: Bench, seconds: float, limit: int | None
) -> None:
    stay = Stay(seconds)

    @function(timeout=1, max_concurrency=limit)
    async def late() -> None:
        await stay()

    @application()
    @function()
    async def app() -> None:
        with contextlib.suppress(jd.TimeoutError):
            await late()
        await asyncio.sleep(1.0)

    assert run_local_application(app).status == "succeeded"
    assert stay.said == ["in", "tidied up"]


async def _wait_for(call: Any) -> None:
    await asyncio.wait_for(call, 0.1)


async def _timeout(call: Any) -> None:
    async with asyncio.timeout(0.1):
        await call


async def _cancelled_task(call: Any) -> None:
    task = asyncio.create_task(call)
    await asyncio.sleep(0.1)
    task.cancel()
    await task


async def _group(call: Any) -> None:
    async def fails() -> None:
        await asyncio.sleep(0.1)
        raise ConnectionError

    async with asyncio.TaskGroup() as group:
        group.create_task(call)
        group.create_task(fails())


LEFT = (asyncio.TimeoutError, asyncio.CancelledError, ExceptionGroup)


@pytest.mark.parametrize("leave", [_wait_for, _timeout, _cancelled_task, _group], ids=lambda leave: leave.__name__)
@pytest.mark.parametrize(
    "options", [{}, {"timeout": LONG}, {"max_concurrency": 1}, {"timeout": LONG, "max_concurrency": 1}]
)
def test_who_cancels_a_call_is_told_when_it_has_tidied_up(
    bench: Bench, leave: Callable[[Any], Any], options: dict[str, Any]
) -> None:
    """With a timeout or a limit as without: its permit is not another one's before."""
    stay = Stay(0.3)

    @function(**options)
    async def long(_: int) -> None:
        await stay()

    @application()
    @function()
    async def app() -> list[str]:
        for n in range(2):
            with contextlib.suppress(*LEFT):
                await leave(long(n))
            stay.said.append("left")
        return stay.said

    assert run_local_application(app).output() == ["in", "tidied up", "left"] * 2


@pytest.mark.parametrize("options", [{}, {"timeout": LONG}, {"max_concurrency": 1}])
@pytest.mark.parametrize("kind", [None, ValueError])
def test_what_a_cancelled_call_makes_of_it_is_its_outcome(
    bench: Bench, options: dict[str, Any], kind: type[Exception] | None
) -> None:
    @function(**options)
    async def catches() -> str:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            if kind is not None:
                raise kind("closed") from None
        return "caught"

    @application()
    @function()
    async def app() -> str:
        task = asyncio.create_task(catches())
        await asyncio.sleep(0.1)
        task.cancel()
        try:
            return await task
        except ValueError:
            return "failed"

    assert run_local_application(app).output() == ("caught" if kind is None else "failed")


@pytest.mark.parametrize("options", [{"timeout": LONG}, {"max_concurrency": 1}])
def test_a_call_that_does_not_end_when_it_is_cancelled_keeps_nobody(bench: Bench, options: dict[str, Any]) -> None:
    ended: list[int] = []

    @function(**options)
    async def stubborn(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)
        ended.append(1)

    @application()
    @function()
    async def app() -> float:
        began = time.monotonic()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stubborn(4.0), 0.1)
        await stubborn(0.0)
        return time.monotonic() - began

    request: Request = run_local_application(app)
    assert request.output() < 3.5
    assert ended == [1]
