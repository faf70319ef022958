"""`jupyter_durable.testing`: what users' own tests stand on."""

from __future__ import annotations

import threading
import time

import pytest

from jupyter_durable import (
    Retries,
    SDKUsageError,
    application,
    function,
    get_request,
    list_requests,
    now,
    run_local_application,
)
from jupyter_durable.testing import Bench, FakeClock, crash_after, executions, memory_store
from tests.model.shared import add


@function()
def page(n: int) -> int:
    return n * 2


@application()
@function()
def report(n: int) -> int:
    return sum(page(k) for k in range(n))


SEEN: list[int] = []


@function()
def seeing(n: int) -> int:
    SEEN.append(n)
    return n


@application()
@function()
def sees(n: int) -> int:
    return sum(seeing(k) for k in range(n))


@application()
@function()
def mapped(n: int) -> int:
    return sum(page.map(range(n)))


@application()
@function()
def folded(n: int) -> int:
    return int(add.reduce(range(n), 0))


def test_after_a_crash_the_finished_calls_are_served(bench: Bench) -> None:
    with crash_after(3):
        assert run_local_application(report, 10).status == "interrupted"
    request = get_request("last").replay()
    assert (request.output(), executions(request)) == (90, {"page": 7})


def test_a_crash_is_raised_out_of_a_plain_call_and_ends_at_the_with(bench: Bench) -> None:
    reached = []
    with crash_after(3) as crash:
        report(10)
        reached.append("the code after the crash")
    assert crash.happened
    assert not reached
    assert get_request("last").status == "interrupted"


def test_with_lose_next_one_call_executes_twice(bench: Bench) -> None:
    SEEN.clear()
    with crash_after(3, lose_next=True):
        run_local_application(sees, 5)
    request = get_request("last").replay()
    assert SEEN == [0, 1, 2, 3, 3, 4]
    assert executions(request) == {"seeing": 2}


@pytest.mark.parametrize("app", [mapped, folded])
def test_items_of_maps_and_steps_of_reduces_count_as_calls(bench: Bench, app: object) -> None:
    with crash_after(4):
        run_local_application(app, 10)
    request = get_request("last").replay()
    assert request.output() == (90 if app is mapped else 45)
    assert sum(executions(request).values()) == 6


def test_a_replay_can_crash_too(bench: Bench) -> None:
    with crash_after(2):
        run_local_application(report, 10)
    with crash_after(5):
        get_request("last").replay()
    assert executions(get_request("last").replay()) == {"page": 3}


def test_durable_calls_of_the_test_itself_crash_too(bench: Bench) -> None:
    with crash_after(2):
        for n in range(5):
            page(n)
    request = get_request("last")
    assert request.status == "interrupted"
    assert [call.status for call in request.calls("page")] == ["succeeded"] * 2


def test_a_restarted_engine_finds_what_was_stored(bench: Bench) -> None:
    with crash_after(3):
        run_local_application(report, 10)
    bench.restart()
    assert executions(get_request("last").replay()) == {"page": 7}


def test_a_crash_that_never_comes_is_an_error(bench: Bench) -> None:
    with pytest.raises(AssertionError, match="ended before the crash"), crash_after(30):
        run_local_application(report, 10)


def test_an_error_of_the_test_passes_through_crash_after(bench: Bench) -> None:
    with pytest.raises(ZeroDivisionError), crash_after(3):
        _ = 1 / 0


def test_crash_after_nothing_is_refused(bench: Bench) -> None:
    with pytest.raises(SDKUsageError, match="number of calls"), crash_after(0):
        pass


def test_crash_after_needs_a_memory_store_of_this_module() -> None:
    with memory_store(), pytest.raises(SDKUsageError, match="crash_after takes"), crash_after(-1):
        pass


def test_each_memory_store_is_empty_and_the_engine_before_comes_back(bench: Bench) -> None:
    run_local_application(report, 1)
    with memory_store():
        assert list_requests() == []
    assert len(list_requests()) == 1


def test_functions_defined_inside_are_forgotten() -> None:
    definition = "from jupyter_durable import function\n@function()\ndef somewhere(): return __name__\n"
    definition += "called = somewhere()"
    one, other = {"__name__": "one_module"}, {"__name__": "other_module"}
    with memory_store():
        exec(definition, one)
        with pytest.raises(SDKUsageError, match="somewhere is defined in one_module and in other_module"):
            exec(definition, dict(other))
    with memory_store():
        exec(definition, other)
    assert (one["called"], other["called"]) == ("one_module", "other_module")


def test_settings_are_those_of_configure() -> None:
    with memory_store(max_concurrency=3) as bench:
        assert bench.engine.settings.max_concurrency == 3
    with pytest.raises(SDKUsageError, match="max_concurrency"), memory_store(max_concurrency=0):
        pass


def test_the_fake_clock_makes_retries_take_no_time() -> None:
    clock = FakeClock()
    tries: list[float] = []

    with memory_store(clock):

        @function(retries=Retries(3, initial_delay=100, jitter=False, max_delay=1000))
        def flaky() -> str:
            tries.append(clock.monotonic())
            if len(tries) < 4:
                raise ConnectionError
            return "up"

        began = time.monotonic()
        assert flaky() == "up"
    assert [round(at) for at in tries] == [0, 100, 300, 700]
    assert time.monotonic() - began < 5


async def test_the_fake_clock_makes_async_retries_take_no_time() -> None:
    clock = FakeClock()
    tries: list[float] = []
    with memory_store(clock):

        @function(retries=Retries(1, initial_delay=100, jitter=False, max_delay=1000))
        async def flaky() -> str:
            tries.append(clock.monotonic())
            if len(tries) < 2:
                raise ConnectionError
            return "up"

        assert await flaky() == "up"
    assert [round(at) for at in tries] == [0, 100]


def test_the_timestamps_of_a_request_follow_the_clock() -> None:
    with memory_store(FakeClock(start=5000)):
        assert run_local_application(report, 1).started_at == 5000


def test_a_clock_by_hand_stands_still_until_it_is_advanced() -> None:
    clock = FakeClock(by_hand=True)
    never = threading.Event()
    waited = threading.Thread(target=lambda: clock.wait(never, 60))
    waited.start()
    waited.join(0.05)
    assert waited.is_alive()
    clock.advance(61)
    waited.join(5)
    assert not waited.is_alive()
    assert clock.monotonic() == 61


def test_a_clock_by_hand_wakes_for_its_event() -> None:
    clock = FakeClock(by_hand=True)
    event = threading.Event()
    event.set()
    assert clock.wait(event, 60) is True


def test_time_does_not_go_back() -> None:
    with pytest.raises(SDKUsageError, match="seconds >= 0"):
        FakeClock().advance(-1)


def test_executions_of_a_first_run_are_all_calls(bench: Bench) -> None:
    @application()
    @function()
    def timed(n: int) -> float:
        page(n)
        return now()

    assert executions(run_local_application(timed, 1)) == {"page": 1}
