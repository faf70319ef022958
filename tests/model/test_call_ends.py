"""How a call ends: with what it has started and all of its items, heard of by all; nothing begins afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable import (
    Cancelled,
    Request,
    Retries,
    application,
    configure,
    function,
    run_local_application,
)
from jupyter_durable.client import this_engine
from jupyter_durable.testing import memory_store
from tests.model.shared import double


@pytest.fixture(autouse=True)
def store() -> Iterator[None]:
    """A store for the test."""
    with memory_store():
        yield


def statuses(request: Request, name: str) -> list[str]:
    """Of all calls of a name."""
    return [call.status for call in request.calls() if call.name == name]


@pytest.mark.parametrize("what", ["call", "map", "below", "many"])
@pytest.mark.parametrize("lasts", [0.0, 0.05])
def test_an_async_function_ends_when_the_tasks_that_it_made_of_calls_have(lasts: float, what: str) -> None:
    """Also one that has not had its first turn when the function returns."""
    tasks: list[Any] = []

    @function()
    async def work(x: int) -> int:
        await asyncio.sleep(0.2)
        return x

    @function()
    async def below(x: int) -> int:
        tasks.append(asyncio.create_task(work(x)))
        return x

    @function()
    async def parent(x: int) -> int:
        match what:
            case "call" | "map":
                tasks.append(asyncio.create_task(work(x) if what == "call" else work.map([x])))
            case "below":
                await below(x)
            case "many":
                tasks.extend(asyncio.create_task(work(n)) for n in range(20))
        await asyncio.sleep(lasts or (0.01 if what == "map" else 0.0))
        return x

    @application()
    @function()
    async def app() -> int:
        x: int = await parent(1)
        assert all(task.done() for task in tasks)
        return x

    request = run_local_application(app)
    assert request.status == "succeeded", request.error
    assert {call.status for call in request.calls()} == {"succeeded"}
    assert len(statuses(request, "work")) == (20 if what == "many" else 2 if what == "map" else 1)


def test_a_coroutine_that_is_never_awaited_holds_up_nothing() -> None:
    made: list[Any] = []

    @function()
    async def work() -> None:
        raise AssertionError("it has not begun")

    @application()
    @function()
    async def app() -> int:
        made.append(work())
        return 1

    assert run_local_application(app).output() == 1
    made.pop().close()


@pytest.mark.parametrize("ends", ["returns", "raises"])
@pytest.mark.parametrize("how", ["thread", "task"])
def test_nothing_begins_below_a_call_that_has_ended(how: str, ends: str) -> None:
    late: list[BaseException | None] = []

    def in_thread(context: contextvars.Context) -> None:
        time.sleep(0.2)
        try:
            context.run(double, 1)
        except Exception as error:  # noqa: BLE001 - it is looked at
            late.append(error)
        else:
            late.append(None)

    async def in_task() -> None:
        await asyncio.sleep(0.2)
        try:
            double(1)
        except Exception as error:  # noqa: BLE001 - it is looked at
            late.append(error)

    @function()
    async def starts() -> None:
        if how == "task":
            late_tasks.append(asyncio.create_task(in_task()))
        else:
            threading.Thread(target=in_thread, args=(contextvars.copy_context(),)).start()
        if ends == "raises":
            raise ValueError

    late_tasks: list[asyncio.Task[None]] = []

    @application()
    @function()
    async def app() -> int:
        with contextlib.suppress(ValueError):
            await starts()
        await asyncio.sleep(0.5)
        return 1

    request = run_local_application(app)
    assert request.output() == 1
    assert [type(error) for error in late] == [Cancelled]
    assert statuses(request, "double") == []


class Heard:
    """A listener that counts outcomes."""

    hears_starts = False

    def __init__(self) -> None:
        self.settled_rows: list[Any] = []

    def settled(self, row: Any) -> None:
        self.settled_rows.append(row)

    def started(self, row: Any) -> None: ...
    def reused(self, *told: Any) -> None: ...
    def progressed(self, progress: Any) -> None: ...
    def logged(self, entry: Any) -> None: ...


def test_a_call_that_is_cancelled_while_its_outcome_is_committed_is_told_of(tmp_path: Path) -> None:
    """What the store says, those who listen say, too."""
    heard = Heard()

    @function()
    async def quick(n: int) -> int:
        await asyncio.sleep(0.0005 * (n % 3))
        return n

    @application()
    @function()
    async def app() -> int:
        next(iter(this_engine().active.values())).listeners.append(heard)
        for lasts in range(20):
            tasks = [asyncio.create_task(quick(n)) for n in range(20)]
            await asyncio.sleep(0.0005 * lasts)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return 1

    configure(store=f"sqlite:///{tmp_path}/s.db")
    request = run_local_application(app)
    told = {row.identity: row.status for row in heard.settled_rows if row.name == "quick"}
    assert sorted(told.values()) == sorted(statuses(request, "quick"))


class OfTheUser(BaseException):
    """No `Exception`, as some frameworks have."""


@pytest.mark.parametrize("error", [OfTheUser, SystemExit, ValueError])
@pytest.mark.parametrize("kind", ["sync", "async", "async below"])
def test_a_map_lets_all_items_end_whatever_one_of_them_raises(kind: str, error: type[BaseException]) -> None:
    @function()
    def item(n: int) -> int:
        if n == 1:
            raise error("boo")
        time.sleep(0.1)
        return n

    @function()
    async def item_async(n: int) -> int:
        if n == 1:
            raise error("boo")
        await asyncio.sleep(0.1)
        return n

    @function()
    async def below(n: int) -> int:
        value: int = await item_async(n)
        return value

    @application()
    @function()
    def app() -> str:
        try:
            item.map([0, 1, 2])
        except error as raised:
            return str(raised)
        return ""

    @application()
    @function()
    async def app_async() -> str:
        try:
            await (item_async if kind == "async" else below).map([0, 1, 2])
        except error as raised:
            return str(raised)
        return ""

    request = run_local_application(app if kind == "sync" else app_async)
    assert request.output() == "boo"
    name = {"sync": "item", "async": "item_async", "async below": "below"}[kind]
    items = [call.status for call in request.calls() if call.name == name and call.kind == "map_item"]
    assert sorted(items) == ["cancelled" if error is SystemExit else "failed", "succeeded", "succeeded"]


@pytest.mark.parametrize("left_with", [SystemExit, ValueError, OfTheUser])
def test_a_copy_of_the_process_made_in_a_call_is_left_with_what_its_code_raised(
    tmp_path: Path, left_with: type[BaseException]
) -> None:
    """It settles nothing, and the process that made it goes on."""
    here = os.getpid()

    @function(retries=Retries(max_retries=2, initial_delay=0.0))
    def forks() -> str:
        if (child := os.fork()) == 0:
            raise left_with("in the copy")
        return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    @function()
    def above() -> str:
        return forks()

    @application()
    @function()
    def app() -> str:
        return above()

    configure(store=f"sqlite:///{tmp_path}/s.db")
    try:
        request = run_local_application(app)
    except BaseException as error:  # noqa: BLE001 - the copy must not go on with the tests
        os._exit(7 if type(error) is left_with and os.getpid() != here else 8)
    if os.getpid() != here:
        os._exit(9)
    assert request.output() == "7"


@pytest.mark.parametrize("kind", ["function", "async", "map"])
@pytest.mark.parametrize("ends", ["cancel", "failure"])
def test_the_future_of_a_call_that_was_given_up_says_so_and_later_code_gets_an_ordinary_error(
    ends: str, kind: str
) -> None:
    """Its thread may sit in C code for long."""
    futures: list[Any] = []
    there = threading.Event()

    @function()
    def slow(n: int) -> int:
        there.set()
        time.sleep(3)
        return n

    @function()
    async def slow_async(n: int) -> int:
        there.set()
        await asyncio.sleep(60)
        return n

    @application()
    @function()
    def app() -> None:
        made: Any = {"function": slow.future(1), "async": slow_async.future(1), "map": slow.future.map([1])}[kind]
        futures.append(made.run())
        assert there.wait(60)
        if ends == "failure":
            raise ValueError
        time.sleep(60)

    request = app.submit()
    assert there.wait(60)
    if ends == "cancel":
        time.sleep(0.1)
        request.cancel()
    request.wait(60)
    (future,) = futures
    end = time.monotonic() + 2
    while not future.done() and time.monotonic() < end:
        time.sleep(0.01)
    assert "done" in repr(future)
    assert isinstance(future.exception, Cancelled)
    with pytest.raises(Cancelled):
        future.result(1)

    async def awaits() -> None:
        await future

    with pytest.raises(Cancelled):
        asyncio.run(awaits())
