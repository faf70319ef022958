"""The clock of a call: what sets it back, when it stands still; and how fast a cancel ends what looks at no clock."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

import jupyter_durable as jd
from jupyter_durable import ReplayMode, RequestContext, application, function, list_requests, run_local_application
from jupyter_durable.testing import Bench, FakeClock, memory_store
from tests.model.shared import SOON


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """A clock that only moves when a function says so."""
    made = FakeClock(by_hand=True)
    with memory_store(made):
        yield made


NOTICED = 0.25
"""Seconds in which whoever watches a clock has looked at it."""


def wait_in_short() -> None:
    """Five seconds, or until the attempt is given up."""
    for _ in range(500):
        time.sleep(0.01)


@pytest.mark.parametrize("way", ["update", "track", "async"])
def test_progress_sets_the_clock_of_its_call_back(clock: FakeClock, way: str) -> None:
    """Three times 0.9 s within a timeout of 1 s."""

    def reports() -> str:
        progress = RequestContext.get().progress
        for at in progress.track(range(3)) if way == "track" else range(3):
            clock.advance(0.9)
            time.sleep(NOTICED)
            if way != "track":
                progress.update(at, 3)
        return "ended"

    @function(timeout=1)
    def sync() -> str:
        return reports()

    @function(timeout=1)
    async def other() -> str:
        return reports()

    @application()
    @function()
    async def app() -> str:
        return await other() if way == "async" else sync()

    assert run_local_application(app).output() == "ended"


def test_without_progress_the_caller_is_released_and_told_what_to_do(clock: FakeClock) -> None:
    @function(timeout=1)
    def silent() -> None:
        clock.advance(1.1)
        wait_in_short()

    @application()
    @function()
    def app() -> str:
        try:
            silent()
        except jd.TimeoutError as error:
            return f"{isinstance(error, TimeoutError)}: {error}"
        return "no timeout"

    began = time.monotonic()
    told = run_local_application(app).output()
    assert time.monotonic() - began < SOON
    assert told.startswith("True: silent (call 0 of app), attempt 1: no result and no progress for 1 s (its timeout).")
    assert "pass timeout=None" in told


def test_the_clock_of_a_call_stands_still_while_it_waits_for_durable_children(clock: FakeClock) -> None:
    @function()
    def child(_: int = 0) -> int:
        clock.advance(50)
        time.sleep(NOTICED)
        return 1

    @function(timeout=1)
    def parent() -> int:
        return child() + sum(child.map([1]))

    @application()
    @function()
    def app() -> int:
        return parent()

    assert run_local_application(app).output() == 2


def test_unwritten_there_is_no_timeout_and_default_timeout_gives_one(clock: FakeClock) -> None:
    """300 s is the default of servers and exports only."""

    @function()
    def long() -> None:
        clock.advance(1_000)
        if jd.configure().default_timeout:
            wait_in_short()

    @function(timeout=None)
    def unlimited() -> None:
        clock.advance(1_000)

    @application()
    @function(timeout=None)
    def app() -> None:
        unlimited()
        long()

    assert run_local_application(app).status == "succeeded"
    jd.configure(default_timeout=300)
    request = run_local_application(app)
    assert [(call.name, call.status) for call in request.calls()] == [("unlimited", "succeeded"), ("long", "failed")]


@function()
def sleeps_in_a_cell() -> None:
    """Long, in C code."""
    time.sleep(6)


@function(executor="thread")
def sleeps_on_a_thread(_: int) -> None:
    """Long, on a worker thread."""
    time.sleep(6)


@function()
async def sleeps_in_a_loop() -> None:
    """Long, in a loop."""
    await asyncio.sleep(30)


@application()
@function()
def on_threads() -> None:
    """A map that does not end."""
    sleeps_on_a_thread.map(range(3))


@application()
@function()
async def in_a_loop() -> None:
    """A coroutine that does not end."""
    await sleeps_in_a_loop()


def cancel_once_it_sleeps(name: str) -> threading.Thread:
    """Cancels the newest request as soon as a call of `name` runs."""

    def body() -> None:
        for _ in range(500):
            found = list_requests(limit=1)
            if found and found[0].calls(name):
                break
            time.sleep(0.01)
        found[0].cancel()

    thread = threading.Thread(target=body)
    thread.start()
    return thread


@pytest.mark.parametrize(("app", "name"), [(on_threads, "sleeps_on_a_thread"), (in_a_loop, "sleeps_in_a_loop")])
def test_cancel_settles_every_running_call_though_it_sleeps_for_long(
    bench: Bench, app: jd.DurableFunction, name: str
) -> None:
    canceller = cancel_once_it_sleeps(name)
    request = app.submit()
    canceller.join()
    began = time.monotonic()
    request.wait(100)
    assert time.monotonic() - began < SOON
    assert request.status == "cancelled"
    assert {call.status for call in request.calls()} == {"cancelled"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_of_a_cell_ends_what_it_has_started(bench: Bench, error: type[BaseException]) -> None:
    """The functions of its Futures are left, and none begins any more."""
    begun, left = threading.Event(), threading.Event()

    @function()
    def runs_on() -> None:
        begun.set()
        try:
            wait_in_short()
        except BaseException:
            left.set()
            raise

    runs_on.future().run()
    assert begun.wait(30)
    bench.engine.sessions.end(error())
    assert left.wait(3)
    assert {call.status for call in list_requests()[0].calls()} == {"cancelled"}


def test_cancel_of_the_request_of_a_cell_ends_its_sleep(bench: Bench) -> None:
    """As an interrupt of the kernel would."""
    canceller = cancel_once_it_sleeps("sleeps_in_a_cell")
    began = time.monotonic()
    with pytest.raises((KeyboardInterrupt, jd.Cancelled)):
        sleeps_in_a_cell()
    canceller.join()
    bench.engine.sessions.end(KeyboardInterrupt())
    assert time.monotonic() - began < SOON
    request = list_requests()[0]
    assert (request.status, request.call("sleeps_in_a_cell").status) == ("cancelled", "cancelled")


SEEN: list[int] = []


@function(durable=False)
def reached_each_time(n: int) -> int:
    """Executes whenever it is reached."""
    SEEN.append(n)
    return n


@application()
@function()
def reaches() -> int:
    """Something else each time."""
    return reached_each_time(len(SEEN)) * 0


def test_strict_does_not_compare_what_is_not_durable(bench: Bench) -> None:
    """Other arguments at its place are no divergence."""
    SEEN.clear()
    request = run_local_application(reaches)
    assert request.replay(ReplayMode.STRICT).status == "succeeded"
    assert SEEN == [0, 1]
