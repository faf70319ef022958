"""Laws h and q: the wall clock is set while calls run, wait, and are told of: nothing ends early, waits
long, or is lost.

The clock of the engine is one that is set by hand, in steps of 20 seconds to a day, or that runs slow; what waits goes
by its monotonic side, as the system's does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_durable import (
    RequestContext,
    Retries,
    application,
    function,
    get_request,
    list_requests,
    run_local_application,
)
from jupyter_durable.client import ownership
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable.runner.settings import LEASE_SECONDS
from jupyter_durable.testing import Bench, FakeClock, crash_after, executions, memory_store

STEPS = (20.0, -20.0, 3_600.0, -3_600.0, 86_400.0, -86_400.0)


class SetClock(FakeClock):
    """A clock whose wall side is set, and runs at a `rate` of its own."""

    def __init__(self, rate: float = 1.0) -> None:
        super().__init__()
        self.off = 0.0
        self._rate = rate

    def now(self) -> float:
        return self._start + self.off + self._rate * self._passed


def on(clock: SetClock, test: Callable[[Bench], Any], **settings: Any) -> Any:
    """What a test gives on a bench with this clock."""
    with memory_store(clock, **settings) as bench:
        return test(bench)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_in_a_call_ends_no_call_and_is_in_no_duration(step: float) -> None:
    """A timeout goes by what has passed; a duration is that, never negative and never a day."""
    clock = SetClock()

    def test(_: Bench) -> None:
        @function(timeout=60)
        def part(n: int) -> int:
            clock.off += step
            clock.advance(2.0)
            return n

        @application()
        def flow() -> list[int]:
            return [part(n) for n in range(3)]

        request = run_local_application(flow)
        assert request.output() == [0, 1, 2]
        assert [call.duration for call in request.calls("part")] == [2.0] * 3

    on(clock, test)


@pytest.mark.parametrize("step", STEPS)
def test_a_timeout_fires_when_its_time_has_passed_whatever_the_clock_says(step: float) -> None:
    clock = SetClock()

    def test(_: Bench) -> None:
        @function(timeout=5)
        def slow() -> None:
            clock.off += step
            clock.advance(6.0)
            while not RequestContext.get().cancelled:
                time.sleep(0.001)

        @application()
        def flow() -> str:
            try:
                slow()
            except TimeoutError:
                return "over"
            return "never"

        assert run_local_application(flow).output() == "over"

    on(clock, test)


@pytest.mark.parametrize("rate", [0.5, 1.0])
@pytest.mark.parametrize("step", STEPS)
def test_retries_wait_as_long_as_they_say(step: float, rate: float) -> None:
    """The budget is not eaten, and no delay becomes a day: 10 and 20 seconds are 30."""
    clock = SetClock(rate)

    def test(_: Bench) -> None:
        tries: list[int] = []

        @function(retries=Retries(max_retries=2, initial_delay=10.0, jitter=False))
        def flaky() -> int:
            tries.append(1)
            clock.off += step
            if len(tries) < 3:
                raise OSError
            return len(tries)

        @application()
        def flow() -> int:
            return flaky()

        assert run_local_application(flow).output() == 3
        assert clock.monotonic() == pytest.approx(30.0)

    on(clock, test)


@pytest.mark.parametrize("step", STEPS)
def test_what_was_interrupted_before_a_step_goes_on_after_it(step: float) -> None:
    """What succeeded is served, the newest request is the last accepted one, and a pin holds through a sweep."""
    clock = SetClock()

    def test(bench: Bench) -> None:
        @function()
        def part(n: int) -> int:
            return n

        @application()
        def flow(n: int) -> list[int]:
            return [part(i) for i in range(n)]

        first = run_local_application(flow, 2)
        first.pin()
        with crash_after(3):
            run_local_application(flow, 5)
        clock.off += step
        bench.restart()
        request = get_request("last")
        assert request.status == "interrupted"
        request.replay()
        assert executions(request) == {"part": 2}
        third = run_local_application(flow, 1)
        assert [each.id for each in list_requests()] == [third.id, request.id, first.id]
        bench.engine.store.gc(older_than=86_400.0 * 2, now=clock.now(), dry_run=False)
        assert {each.id for each in list_requests()} == {third.id, request.id, first.id}

    on(clock, test)


def _queued(at: float) -> RequestRow:
    values = {**dict.fromkeys(RequestRow._fields), "status": Status.QUEUED, "accepted_at": at}
    return RequestRow(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", STEPS)
def test_a_request_that_nobody_began_is_not_queued_for_a_day(step: float) -> None:
    """Who accepted it is gone; the clock was set back, or on."""
    assert ownership.status(_queued(1_000_000.0), 1_000_000.0 + step, ours=False) == Status.INTERRUPTED
    fresh = _queued(1_000_000.0)
    assert ownership.status(fresh, 1_000_000.0 + LEASE_SECONDS / 2, ours=False) == Status.QUEUED
