"""Requests end with whatever leaves their application."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import logging.handlers
import os
import sys
import sysconfig
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType

import pytest

from jupyter_durable import application, function, get_request, run_local_application
from jupyter_durable.executor import visit
from jupyter_durable.runner import signals
from jupyter_durable.runner.failures import is_user_frame
from jupyter_durable.testing import memory_store


def test_a_cancelled_error_that_leaves_a_synchronous_application_ends_its_request() -> None:
    """So does one that comes up where it waits for an async Future, when the request is cancelled."""

    @application()
    @function()
    def leaves() -> None:
        raise asyncio.CancelledError

    with memory_store():
        with pytest.raises(asyncio.CancelledError):
            run_local_application(leaves)
        assert get_request("last").status == "cancelled"


def test_the_folders_of_the_standard_library_are_known_without_importing_what_is_in_them() -> None:
    """Nothing is thrown into frames of these modules, and a failure is not shown in them."""
    for module in (asyncio.tasks, concurrent.futures.thread, logging.handlers, threading, weakref):
        assert str(module.__file__).startswith(visit.SPARED)
    for module in (asyncio.tasks, concurrent.futures.thread):
        assert not is_user_frame(str(module.__file__))
    assert os.path.join(sysconfig.get_path("purelib"), "zmq") in visit.SPARED
    for name in ("stdlib", "purelib", "platlib"):
        assert sysconfig.get_path(name).startswith(signals.LIBRARIES)


BEGUN = threading.Event()


@function()
def tick() -> None:
    return None


@function()
def long() -> None:
    BEGUN.set()
    while True:
        time.sleep(0.001)


class SlowToTell:
    """Traces the thread that stops a run: it loses its turn when it has said so, and has told nobody yet."""

    def __init__(self) -> None:
        self.went_on = 0.0

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        if frame.f_code is visit._Throw.__init__.__code__:
            time.sleep(0.1)
            self.went_on = time.monotonic()


def test_a_root_that_sees_the_stop_first_ends_after_all_others_were_told() -> None:
    """Who stops a run says so before it tells those that execute, and may lose its turn in between."""
    slow = SlowToTell()

    @application()
    @function()
    def root() -> None:
        long.future().run()
        while True:
            tick()

    def cancel() -> None:
        BEGUN.wait(100)
        sys.settrace(slow)
        get_request("last").cancel()

    with memory_store():
        canceller = threading.Thread(target=cancel)
        canceller.start()
        assert run_local_application(root).status == "cancelled"
        ended = time.monotonic()
        canceller.join()
    assert 0 < slow.went_on < ended


def sent_while_it_sleeps(wanted: Callable[[], bool]) -> None:
    """An interrupt by another thread reaches this one in code of the user."""
    main, asleep = threading.get_ident(), threading.Event()

    def send() -> None:
        asleep.wait(100)
        time.sleep(0.02)
        signals.send(main, wanted)

    threading.Thread(target=send).start()
    asleep.set()
    time.sleep(0.1)


def test_the_interrupt_of_a_cancel_that_comes_after_its_call_was_left_is_forgotten() -> None:
    """What the main thread does next, in a cell or a script, has nothing to do with it."""

    @application()
    @function()
    def root() -> None:
        tick()

    with memory_store():
        root()
        sent_while_it_sleeps(lambda: False)
        with pytest.raises(KeyboardInterrupt):
            sent_while_it_sleeps(lambda: True)
