"""What a cancel must leave alone, and what it must not leave behind: tasks, slots, and what user code catches."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator

import pytest

import jupyter_durable as jd
from jupyter_durable import Retries, application, function, get_request, run_local_application
from jupyter_durable.client import Engine, this_engine
from jupyter_durable.testing import memory_store
from tests.model.shared import SOON, double, double_async

LONG = 60.0
"""Seconds that nothing here may last."""


class Cancelling:
    """Cancels the request that runs, once its code says that it is there."""

    def __init__(self) -> None:
        self.there = threading.Event()

    def __enter__(self) -> Cancelling:
        self._thread = threading.Thread(target=self._cancel, args=(this_engine(),))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _cancel(self, engine: Engine) -> None:
        self.there.wait(LONG)
        time.sleep(0.05)
        for run in list(engine.active.values()):
            run.cancel()


@pytest.fixture
def cancelling() -> Iterator[Cancelling]:
    """A request on the memory store is about to be cancelled."""
    with memory_store(max_concurrency=2), Cancelling() as made:
        yield made


@pytest.mark.parametrize("calls_again", [True, False])
def test_the_task_that_awaited_a_cancelled_application_goes_on(cancelling: Cancelling, calls_again: bool) -> None:
    """It is the user's: a cancel that its loop hears of late has nothing to do with what it does next."""

    @application()
    @function()
    async def app() -> int:
        cancelling.there.set()
        time.sleep(0.2)  # as numpy or a file would hold the loop
        return await double_async(2) if calls_again else 7

    async def task() -> str:
        with contextlib.suppress(jd.Cancelled):
            await app()
        await asyncio.sleep(0.1)
        return "went on"

    assert asyncio.run(task()) == "went on"


def test_a_cancelled_request_keeps_no_slot_for_what_cannot_be_stopped(cancelling: Cancelling) -> None:
    """Its threads sit in C code; the next request has need of their slots."""

    @function()
    def stuck(_: int) -> None:
        cancelling.there.set()
        time.sleep(6)

    @application()
    @function()
    def app() -> None:
        stuck.map(range(20))

    @application()
    @function()
    def next_one() -> int:
        return double.future(1).run().result()

    assert app.submit().wait(LONG).status == "cancelled"
    began = time.monotonic()
    assert next_one.submit().wait(LONG).output() == 2
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("where", ["main", "thread", "loop"])
def test_the_caller_is_left_where_a_call_catches_the_cancel(cancelling: Cancelling, where: str) -> None:
    """The call has succeeded, and that is kept; nothing is thrown twice, so that code may tidy up on its way out."""

    @function()
    def careless() -> int:
        cancelling.there.set()
        with contextlib.suppress(BaseException):  # what a careless user writes
            time.sleep(6)
        return 1

    @function()
    async def careless_async() -> int:
        cancelling.there.set()
        with contextlib.suppress(BaseException):
            await asyncio.sleep(LONG)
        return 1

    @application()
    @function()
    def app() -> None:
        careless() if where == "main" else careless.future().run().result()
        time.sleep(LONG)

    @application()
    @function()
    async def app_async() -> None:
        await careless_async()
        await asyncio.sleep(LONG)

    began = time.monotonic()
    assert run_local_application(app_async if where == "loop" else app).status == "cancelled"
    assert time.monotonic() - began < SOON


def test_what_a_coroutine_does_on_its_way_out_is_not_cut_off(cancelling: Cancelling) -> None:
    """It is cancelled once, as `asyncio` would; a connection takes a moment to close."""
    closed = []

    @application()
    @function()
    async def app() -> None:
        cancelling.there.set()
        try:
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(0.6)
            closed.append(1)

    assert run_local_application(app).status == "cancelled"
    assert closed == [1]


@pytest.mark.parametrize("on_main", [True, False])
def test_an_attempt_that_fails_because_of_the_cancel_is_no_final_failure(cancelling: Cancelling, on_main: bool) -> None:
    @function(retries=Retries(max_retries=5, initial_delay=0.01))
    def careful() -> None:
        cancelling.there.set()
        try:
            time.sleep(LONG)
        except BaseException:  # noqa: BLE001 - what a careless user writes
            raise ConnectionError("closed on the way out") from None

    @application()
    @function()
    def app() -> None:
        careful() if on_main else careful.future().run().result()

    assert run_local_application(app).status == "cancelled"
    assert get_request("last").call("careful").status == "cancelled"


def test_a_function_in_c_code_is_left_when_it_comes_back_though_its_request_has_settled(cancelling: Cancelling) -> None:
    """The thread that looks after the run ends it meanwhile; what comes after the C code does not run."""
    went_on: list[int] = []

    @application()
    @function()
    def app() -> None:
        cancelling.there.set()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 4_000_000)  # seconds, in which other threads go on
        went_on.append(1)
        time.sleep(LONG)

    began = time.monotonic()
    assert run_local_application(app).status == "cancelled"
    assert time.monotonic() - began < LONG / 2
    assert went_on == []
