"""Calls inside of calls: any depth, any number of slots, sync and async."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_durable import RequestContext, application, function, get_request, run_local_application
from jupyter_durable.runner import call as calls
from jupyter_durable.testing import memory_store


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
    """As deep as the limit allows, whatever a thread's own stack could hold."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(3100)
    try:
        with memory_store():
            assert run_local_application(deep, 3000).output() == 3000
        assert sys.getrecursionlimit() == 3100
    finally:
        sys.setrecursionlimit(limit)


@function()
def runs_away(n: int) -> int:
    return runs_away(n + 1)


@function()
def runs_away_in_maps(n: int) -> int:
    return sum(runs_away_in_maps.map([n + 1]))


@function()
def runs_away_in_futures(n: int) -> int:
    return runs_away_in_futures.future(n + 1).result()


@pytest.mark.parametrize("fn", [runs_away, runs_away_in_maps, runs_away_in_futures])
def test_a_recursion_without_end_ends_with_an_error_that_names_the_function(
    fn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deeper than the limit is no further call; a low one stands for Python's here."""
    monkeypatch.setattr(calls, "sys", SimpleNamespace(getrecursionlimit=lambda: 150))
    with memory_store(), pytest.raises(RecursionError, match=f"{fn.__name__} is 151 durable calls deep"):
        fn(0)


@pytest.mark.full
@pytest.mark.timeout(400)
def test_the_limit_is_that_of_python() -> None:
    """A thousand, unless somebody has changed it."""
    wanted = f"runs_away is {sys.getrecursionlimit() + 1} durable calls deep"
    with memory_store(), pytest.raises(RecursionError, match=wanted):
        runs_away(0)


def test_an_interrupt_ends_a_recursion_at_any_depth() -> None:
    """■ in the middle of it: no further call begins, and no thread goes on."""
    with memory_store() as bench:

        @function()
        def goes_down(n: int) -> int:
            deepest[0] = n
            if n == 300:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                while not RequestContext.get().cancelled:
                    time.sleep(0.001)
            return goes_down(n + 1)

        deepest = [0]
        with pytest.raises(KeyboardInterrupt):
            goes_down(0)
        bench.engine.sessions.end(KeyboardInterrupt())
        request = get_request("last")
        assert request.status == "cancelled"
        assert {call.status for call in request.calls()} == {"cancelled"}
        threading.Event().wait(0.2)
        assert deepest[0] == 300
