"""A call that is given up: it takes nothing from the one that comes after it, which waits until its code has ended."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_durable import (
    Cancelled,
    Request,
    RequestContext,
    Retries,
    application,
    function,
    get_request,
    run_local_application,
)
from jupyter_durable.client import this_engine
from jupyter_durable.testing import memory_store
from tests.model.shared import double

LONG = 60.0
"""Seconds that nothing here may last."""
STUCK = 1.3
"""Seconds for which a thread sits in C code."""


@pytest.fixture(autouse=True)
def store() -> Iterator[None]:
    """A store for the test, and no entry left of what was given up in it."""
    with memory_store():
        stuck = this_engine().workers.stuck
        yield
        end = time.monotonic() + 5
        while stuck and time.monotonic() < end:
            time.sleep(0.01)
        assert not stuck


class Inside:
    """Who is inside of a function, by its argument; more than one at once is seen."""

    def __init__(self) -> None:
        self.entered: list[Any] = []
        self.most = 0
        self._now: list[Any] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, key: Any) -> Iterator[None]:
        with self._lock:
            self.entered.append(key)
            self._now.append(key)
            self.most = max(self.most, self._now.count(key))
        try:
            yield
        finally:
            with self._lock:
                self._now.remove(key)


def failing_once(delay: float) -> Callable[[Callable[..., Any]], Any]:
    """A durable function with two attempts."""
    return function(retries=Retries(max_retries=1, initial_delay=delay, jitter=False))


def statuses(request: Request, name: str) -> list[str]:
    """Of all calls of a name."""
    return [call.status for call in request.calls() if call.name == name]


@pytest.mark.parametrize("delay", [0.0, 0.1])
@pytest.mark.parametrize("closing", [0.0, 0.3])
@pytest.mark.parametrize("how", ["gather", "map", "futures", "retried", "below"])
def test_the_next_attempt_has_what_a_gather_that_failed_has_left_behind(how: str, closing: float, delay: float) -> None:
    """The calls beside the one that failed are cancelled, and those of the next attempt are the same calls."""
    inside, first = Inside(), [1]

    async def work(x: int) -> int:
        with inside.of(x):
            try:
                await asyncio.sleep(0.2)
            finally:
                await asyncio.sleep(closing)  # a connection
            return x

    plain = function()(work)
    again = failing_once(0.0)(work)

    @function()
    async def below(x: int) -> int:
        value: int = await plain(x)
        return value

    @function()
    async def bad() -> None:
        await asyncio.sleep(0.02)
        if first:
            raise ValueError("once")

    @failing_once(delay)
    async def parent() -> list[int]:
        first[:] = [1] if RequestContext.get().attempt == 1 else []
        match how:
            case "map":
                calls: list[Any] = [plain.map([1, 2])]
            case "futures":
                calls = [plain.future(1), plain.future(2)]
            case _:
                called = {"gather": plain, "retried": again, "below": below}[how]
                calls = [called(1), called(2)]
        _, *values = await asyncio.gather(bad(), *calls)
        return values[0] if how == "map" else values

    @application()
    @function()
    async def app() -> list[int]:
        value: list[int] = await parent()
        return value

    request = run_local_application(app)
    assert request.status == "succeeded", request.error
    assert request.output() == [1, 2]
    assert sorted(inside.entered) == [1, 1, 2, 2]
    assert inside.most == 1
    assert {call.status for call in request.calls()} == {"succeeded"}


@pytest.mark.parametrize("options", [{}, {"timeout": 30}, {"retries": Retries(max_retries=1)}])
@pytest.mark.parametrize("how", ["future", "map", "async"])
def test_the_retry_of_a_caller_waits_for_its_child_that_sits_in_c_code(how: str, options: dict[str, Any]) -> None:
    inside = Inside()

    @function(**options)
    def stuck(x: int) -> int:
        with inside.of(x):
            time.sleep(STUCK)
            return x

    @failing_once(0.05)
    def parent() -> int:
        future: Any = stuck.future(1).run() if how == "future" else stuck.future.map([1]).run()
        time.sleep(0.2)
        if RequestContext.get().attempt == 1:
            raise ValueError("once")
        value = future.result()
        return int(value if how == "future" else value[0])

    @failing_once(0.05)
    async def parent_async() -> int:
        async def bad() -> None:
            await asyncio.sleep(0.2)
            if RequestContext.get().attempt == 1:
                raise ValueError("once")

        value, _ = await asyncio.gather(stuck.future(1), bad())
        return value

    @application()
    @function()
    def app() -> int:
        return int(parent_async.future().result() if how == "async" else parent())

    request = run_local_application(app)
    assert request.status == "succeeded", request.error
    assert request.output() == 1
    assert inside.entered == [1, 1]
    assert inside.most == 1
    assert statuses(request, "stuck")[-1] == "succeeded"


OPTIONS: dict[str, dict[str, Any]] = {"plain": {}, "timed": {"timeout": 30}, "limited": {"max_concurrency": 2}}
HERE: dict[str, Inside] = {}
THERE = threading.Event()


def sits(x: int) -> int:
    """In C code."""
    with HERE["inside"].of(x):
        THERE.set()
        time.sleep(STUCK)
        return x


async def closes(x: int) -> int:
    """Takes its time on its way out."""
    with HERE["inside"].of(x):
        THERE.set()
        try:
            await asyncio.sleep(0.1 if HERE["inside"].entered.count(x) > 1 else LONG)
        finally:
            await asyncio.sleep(STUCK)
        return x


SITS = {name: function(**options)(sits) for name, options in OPTIONS.items()}
CLOSES = {name: function(**options)(closes) for name, options in OPTIONS.items()}


@application()
@function()
def replayed(how: str, options: str) -> list[int]:
    """Calls of one kind."""
    match how:
        case "map":
            return list(SITS[options].map([1, 2]))
        case "future":
            return [future.result() for future in [SITS[options].future(n).run() for n in (1, 2)]]
        case "async":
            return list(CLOSES[options].future.map([1, 2]).result())
    return [sits(1), 2]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("how", ["map", "future", "root", "async"])
def test_a_replay_at_once_waits_for_what_the_cancelled_run_still_does(how: str, options: str) -> None:
    inside = HERE["inside"] = Inside()
    THERE.clear()
    request = replayed.submit(how, options)
    assert THERE.wait(LONG)
    time.sleep(0.1)
    request.cancel()
    request.wait(LONG)
    assert request.status == "cancelled"
    request.replay()
    assert request.status == "succeeded", request.error
    assert request.output() == [1, 2]
    assert inside.most == 1


def test_a_call_that_was_given_up_gets_no_idempotency_key_and_stops_no_run() -> None:
    asked: list[Any] = []

    @function()
    def stuck() -> int:
        scope = RequestContext.get()
        if scope.attempt == 1 and not asked:
            with contextlib.suppress(BaseException):
                time.sleep(1.2)
            try:
                asked.append(scope.idempotency_key)
            except Cancelled as error:
                asked.append(error)
                raise
        return 1

    @failing_once(0.0)
    def parent() -> int:
        future = stuck.future().run()
        time.sleep(0.1)
        if RequestContext.get().attempt == 1:
            raise ValueError("once")
        return future.result()

    @application()
    @function()
    def app() -> int:
        return parent()

    request = run_local_application(app)
    assert request.status == "succeeded", request.error
    assert [type(each) for each in asked] == [Cancelled]


@pytest.mark.parametrize("waits", ["child", "map", "backoff", "earlier"])
@pytest.mark.parametrize("how", ["wait_for", "cancel"])
def test_a_task_that_is_cancelled_while_its_call_waits_has_settled_it(how: str, waits: str) -> None:
    """For its children, for its next attempt, or for what is left of an earlier one."""
    went_on: list[int] = []

    @function()
    def ticks(_: int) -> None:
        for n in range(1000):
            time.sleep(0.01)
            went_on.append(n)

    @function(retries=Retries(max_retries=3, initial_delay=LONG, jitter=False))
    async def flaky() -> None:
        raise ValueError("again and again")

    @function(timeout=1, retries=Retries(max_retries=3, initial_delay=0.0, jitter=False))
    async def slow() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:  # it is told once, waited for, and then given up
            await asyncio.sleep(2.5)

    @function()
    async def waiting() -> None:
        (ticks.future(1) if waits == "child" else ticks.future.map([1, 2])).run()

    @application()
    @function()
    async def app() -> tuple[list[str], int]:
        called: Any = {"backoff": flaky, "earlier": slow}.get(waits, waiting)
        if how == "wait_for":
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(called(), 2.2 if waits == "earlier" else 0.3)
        else:
            task = asyncio.create_task(called())
            await asyncio.sleep(2.2 if waits == "earlier" else 0.3)
            task.cancel()
            await asyncio.wait([task])
        this = get_request(RequestContext.get().request_id)
        await asyncio.sleep(0.5)
        running = [run for run in this_engine().active.values() for call in run.open if call.parent is not None]
        seen = len(went_on)
        await asyncio.sleep(0.2)
        assert len(went_on) == seen
        return [call.status for call in this.calls() if call.name == called.__name__], len(running)

    request = run_local_application(app)
    assert request.status == "succeeded", request.error
    assert request.output() == (["cancelled"], 0)


def test_an_interrupt_that_the_caller_catches_settles_the_call_that_waited() -> None:
    @function(retries=Retries(max_retries=3, initial_delay=LONG, jitter=False))
    def flaky() -> None:
        raise ValueError("again and again")

    @application()
    @function()
    def app() -> str:
        threading.Timer(0.3, _thread.interrupt_main).start()
        with contextlib.suppress(KeyboardInterrupt):
            flaky()
        status = get_request(RequestContext.get().request_id).call("flaky").status
        assert double(1) == 2
        return status

    assert run_local_application(app).output() in ("cancelled", "running")
    assert get_request("last").call("flaky").status == "cancelled"
