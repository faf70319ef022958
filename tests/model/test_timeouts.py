"""Timeouts beside other things: turns, limits, retries, threads that cannot be stopped, and what goes on below."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

import jupyter_durable as jd
from jupyter_durable import Retries, application, function, list_requests, run_local_application
from jupyter_durable.context import current
from jupyter_durable.executor.thread import ThreadExecutor
from jupyter_durable.executor.visit import Visit, throw
from jupyter_durable.runner.countdown import Countdown
from jupyter_durable.runner.scope import CallScope
from jupyter_durable.runner.stop import AttemptGivenUp
from jupyter_durable.runner.waiting import after_stuck
from jupyter_durable.testing import Bench, FakeClock, memory_store
from tests.model.shared import double

LONG = 30.0
"""What comes soon has come by then, on a busy machine too."""


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """A clock that only moves when a function says so, and one slot."""
    made = FakeClock(by_hand=True)
    with memory_store(made, max_concurrency=1):
        yield made


class Gate:
    """Holds threads in C code, where nothing can be thrown into them, until it is opened."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def hold(self) -> None:
        self._lock.acquire(timeout=LONG)

    def open(self) -> None:
        self._lock.release()


@pytest.mark.parametrize("limit", [None, 1])
def test_waiting_for_a_turn_is_not_part_of_a_timeout(clock: FakeClock, limit: int | None) -> None:
    """Six items, each of 0.9 s, one after another, within a timeout of 1 s."""

    @function(timeout=1, max_concurrency=limit)
    def long(n: int) -> int:
        clock.advance(0.9)
        return n

    assert long.map(range(6)) == list(range(6))


@pytest.mark.parametrize(("own", "limit"), [(None, 1), (None, 2), (4, 1)])
def test_the_limit_of_a_map_holds_for_functions_that_have_threads_of_their_own(own: int | None, limit: int) -> None:
    """A function with a timeout, or with a limit of its own, has."""
    inside: list[int] = []
    most: list[int] = []

    with memory_store(max_concurrency=4):

        @function(timeout=60, max_concurrency=own)
        def visits(n: int) -> int:
            inside.append(n)
            most.append(len(inside))
            time.sleep(0.003)
            inside.remove(n)
            return n

        assert visits.map(range(12), max_concurrency=limit) == list(range(12))
    assert max(most) <= limit


@pytest.mark.parametrize("limit", [None, 1])
def test_a_thread_that_cannot_be_stopped_keeps_no_slot(clock: FakeClock, limit: int | None) -> None:
    """Its call is settled at the deadline, and the only slot is the next item's."""
    gate = Gate()

    @function(timeout=1, max_concurrency=limit)
    def hangs(n: int) -> int:
        if n == 0:
            clock.advance(2)
            gate.hold()
        return n

    found = hangs.map(range(3), return_exceptions=True)
    gate.open()
    assert isinstance(found[0], jd.TimeoutError)
    assert found[1:] == [1, 2]


def test_a_retry_after_a_timeout_waits_for_the_thread_of_the_first_attempt(clock: FakeClock) -> None:
    """Two attempts of one call never run at once, and the user is told what is waited for."""
    gate = Gate()
    events: list[str] = []

    def ends() -> None:
        if events[-1] != "ends":
            events.append("ends")

    @function(timeout=1, retries=Retries(max_retries=1, initial_delay=0))
    def again() -> int:
        events.append("begins")
        try:
            try:
                if len(events) == 1:
                    clock.advance(2)  # from here on the error may come up anywhere, once
                    gate.hold()
                return 7
            finally:
                ends()
        finally:
            ends()

    with memory_store(clock) as bench:
        bench.engine.warn = lambda text: gate.open() if "an earlier attempt is still running" in text else None
        assert again() == 7
    assert events == ["begins", "ends", "begins", "ends"]


async def test_a_retry_waits_for_a_coroutine_that_does_not_end_when_it_is_cancelled(clock: FakeClock) -> None:
    """The same in a loop."""
    opened, events = asyncio.Event(), []

    @function(timeout=1, retries=Retries(max_retries=1, initial_delay=0))
    async def stubborn() -> int:
        events.append("begins")
        if len(events) == 1:
            clock.advance(2)
            while not opened.is_set():
                try:
                    await opened.wait()
                except asyncio.CancelledError:
                    continue
        events.append("ends")
        return len(events)

    with memory_store(clock) as bench:
        bench.engine.warn = lambda text: opened.set() if "an earlier attempt is still running" in text else None
        assert await stubborn() == 4
    assert events == ["begins", "ends", "begins", "ends"]


@pytest.mark.parametrize("form", ["in a thread", "in a loop"])
def test_a_retry_begins_when_what_was_given_up_has_ended_before_it(form: str) -> None:
    """Nothing is left to wait for: the attempt that was given up says nothing of the next one."""
    begun: list[int] = []
    retries = Retries(max_retries=1, initial_delay=1.2, jitter=False)

    @function(timeout=1, retries=retries)
    def slow_in_a_thread() -> int:
        begun.append(len(begun))
        if len(begun) == 1:
            time.sleep(1.5)
        return len(begun)

    @function(timeout=1, retries=retries)
    async def slow_in_a_loop() -> int:
        begun.append(len(begun))
        if len(begun) == 1:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(1.4)
        return len(begun)

    @application()
    @function()
    async def app() -> int:
        return await slow_in_a_loop() if form == "in a loop" else slow_in_a_thread()

    with memory_store():
        assert run_local_application(app).output() == 2


def test_a_call_of_many_attempts_waits_once_for_what_was_given_up() -> None:
    """Else each attempt would stand on the frames of those before it."""

    @function()
    def once() -> bool:
        call = cast("CallScope", current.get())._call
        waits = after_stuck(call, call.invoke)
        return waits is not call.invoke and after_stuck(call, waits) is waits

    with memory_store():
        assert once()


def test_what_an_attempt_has_started_does_not_begin_after_its_timeout(clock: FakeClock) -> None:
    """Its Futures wait for the only slot, which it holds."""
    begun: list[int] = []

    @function()
    def child(n: int) -> int:
        begun.append(n)
        return n

    @function(timeout=1)
    def parent() -> None:
        for n in range(5):
            child.future(n).run()
        clock.advance(2)
        for _ in range(int(LONG * 1000)):
            time.sleep(0.001)

    @application()
    @function()
    def app() -> str:
        try:
            parent()
        except jd.TimeoutError:
            return str(begun)
        return "no timeout"

    request = run_local_application(app)
    assert request.output() == "[]"
    assert begun == []
    assert {call.status for call in request.calls()} == {"failed"}


def test_a_clock_that_two_waits_share_goes_on_after_the_last_of_them() -> None:
    """They may overlap, and the one that began first may end last."""
    time_of = FakeClock(by_hand=True)
    clock = Countdown(10.0, time_of.monotonic)
    time_of.advance(100)  # before the function begins
    clock.resume()
    time_of.advance(4)
    clock.pause()
    time_of.advance(100)
    clock.pause()
    clock.resume()
    time_of.advance(100)
    assert clock.remaining() == 6
    clock.resume()
    time_of.advance(5)
    assert clock.remaining() == 1


def test_the_clock_of_a_call_stands_still_for_children_on_several_threads(clock: FakeClock) -> None:
    """Whichever of them ends first; then it goes on."""

    @function()
    def child(n: int) -> int:
        clock.advance(5)
        return n

    @function(timeout=1)
    def parent(rest: float) -> int:
        futures = [child.future(n).run() for n in range(3)]
        found = sum(child.map(range(3))) + sum(future.result() for future in futures)
        clock.advance(rest)
        for _ in range(int(LONG * 1000) if rest > 1 else 1):
            time.sleep(0.001)
        return found

    assert parent(0.9) == 6
    with pytest.raises(jd.TimeoutError):
        parent(1.1)


# the loop


BEGUN: list[int] = []


@function()
async def never(n: int) -> int:
    BEGUN.append(n)
    await asyncio.Event().wait()
    return n


def _call() -> Any:
    return never(1)


def _future() -> Any:
    return never.future(1)


def _map() -> Any:
    return never.map([1, 2])


def _gathered() -> Any:
    return asyncio.gather(never(1), never(2))


async def _below() -> int:
    return double(1) + await never(1)


@pytest.mark.parametrize("begin", [_call, _future, _map, _gathered, _below])
def test_wait_for_around_a_call_ends_it_and_the_caller_goes_on(begin: Callable[[], Any]) -> None:
    """What was cut off reads as cancelled, the request succeeds, and nothing of it begins later."""
    BEGUN.clear()

    async def once_begun(task: asyncio.Future[Any]) -> None:
        while not BEGUN:
            await asyncio.sleep(0.001)
        await asyncio.wait_for(task, 0.01)

    with memory_store():

        @application()
        @function()
        async def app() -> str:
            try:
                await once_begun(asyncio.ensure_future(begin()))
            except TimeoutError:
                return f"late, {double(4)}"
            return "in time"

        request = run_local_application(app)
        assert request.output() == "late, 8"
        calls = request.calls()
        assert {call.status for call in calls if call.name == "never"} == {"cancelled"}
        assert {call.status for call in calls if call.name == "double"} == {"succeeded"}
        assert list_requests()[0].status == "succeeded"


# the threads

thrown_out = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@thrown_out
def test_a_worker_that_is_lost_gives_its_slot_back() -> None:
    """An error is thrown into a thread after its body: the next body runs all the same, and on a new thread."""
    threads = ThreadExecutor(1)
    go = threading.Event()
    worker: list[threading.Thread] = []

    def body() -> int:
        worker.append(threading.current_thread())
        go.wait(LONG)
        return threading.get_ident()

    lost = threads.submit(body)

    def thrown(_: object) -> None:
        raise SystemExit

    lost.add_done_callback(thrown)
    go.set()
    assert threads.submit(threading.get_ident).result(LONG) != 0
    assert lost.result(LONG) is not None
    worker[0].join(LONG)  # what it says at its end is said in this test
    assert threads._free <= threads.slots


@thrown_out
def test_a_body_whose_worker_is_lost_says_so() -> None:
    """Its outcome could not be told: nobody waits for it for ever."""
    threads = ThreadExecutor(1)
    go = threading.Event()
    worker: list[threading.Thread] = []

    def body() -> None:
        worker.append(threading.current_thread())
        go.wait(LONG)

    lost = threads.submit(body)

    def thrown(_: object) -> None:
        raise SystemExit

    lost.set_result = thrown  # type: ignore[method-assign, assignment]
    go.set()
    with pytest.raises(jd.WorkerLost, match="SystemExit"):
        lost.result(LONG)
    worker[0].join(LONG)  # as above
    assert threads.submit(lambda: 1).result(LONG) == 1


def test_a_body_that_was_given_up_has_no_slot_and_its_thread_takes_no_other(bench: Bench) -> None:
    """Also where it waits, and comes back from the wait, after that."""
    threads = ThreadExecutor(1)
    gate, out = Gate(), threading.Event()

    def body() -> None:
        gate.hold()
        with threads.blocked():
            pass
        out.set()

    stuck = threads.submit(body)
    while not stuck.running():
        time.sleep(0.001)
    second = threads.submit(lambda: 2)
    assert not second.done()
    ThreadExecutor.give_up(stuck)
    assert second.result(LONG) == 2
    gate.open()
    assert out.wait(LONG)
    stuck.result(LONG)
    assert threads.submit(lambda: 3).result(LONG) == 3
    assert threads._free <= 1


def test_an_error_comes_up_although_another_thread_changes_what_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython refuses who throws that for the moment; were it not asked again, nothing would end the function."""
    refused = [RuntimeError("another trace function is being installed") for _ in range(3)]
    settrace, begun, left = sys.settrace, threading.Event(), threading.Event()

    def refusing(tracer: Any) -> None:
        if tracer is None and threading.current_thread().name == "durable-throw" and refused:
            raise refused.pop()
        settrace(tracer)

    def endless() -> None:
        begun.set()
        while True:
            time.sleep(0.001)

    def body() -> None:
        with contextlib.suppress(AttemptGivenUp):
            visit.run(endless)
        left.set()

    monkeypatch.setattr(sys, "settrace", refusing)
    before, visit = threading.gettrace(), Visit()
    threading.settrace(lambda *_: None)
    try:
        threading.Thread(target=body, daemon=True).start()
        assert begun.wait(LONG)
        throw([visit], AttemptGivenUp)
        assert left.wait(LONG)
    finally:
        threading.settrace(before)
    assert refused == []


def test_a_thread_that_has_lost_its_turn_before_its_function_begins_never_begins() -> None:
    """It is in our frames then, in which nothing else comes up, and it may be there for long on a busy machine."""
    begun: list[bool] = []
    turn, visit, told, ended = threading.Lock(), Visit(), threading.Event(), threading.Event()
    turn.acquire()

    def begin(got: bool) -> None:
        begun.append(got)

    def body() -> None:
        with contextlib.suppress(AttemptGivenUp):
            visit.run(map(begin, map(turn.acquire, [True])).__next__)
        ended.set()

    threading.Thread(target=body, daemon=True).start()
    while visit.thread is None or not visit.thread.is_open:
        time.sleep(0.001)
    throw([visit], AttemptGivenUp, told)
    assert not told.wait(0.2)
    turn.release()
    assert ended.wait(LONG)
    assert told.wait(LONG)
    assert begun == []
