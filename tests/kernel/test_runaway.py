"""A recursion of durable calls that does not end, in a real kernel: an error says so, ■ stops it, no thread is left."""

from __future__ import annotations

import re
import time

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log

DEFINE = """%%durable
import sys, threading, time
from jupyter_durable import RequestContext, get_request
def down(n):
    return down(n + 1)
def down_in_futures(n):
    return down_in_futures.future(n + 1).result()
def deep(n):
    return deep(n - 1) if n else 1 / 0
def down_slowly(n):
    _log(n)
    if n == 150:
        while not RequestContext.get().cancelled: time.sleep(0.01)
    return down_slowly(n + 1)
"""
LIMIT = 400
"""A low one, in place of Python's; well above the frames that the kernel itself needs."""
IDLE = 8
"""Workers that wait for further calls may stay for a while: not one for each of the calls."""


@pytest.fixture(scope="module", autouse=True)
def _functions(kernel: Kernel) -> None:
    kernel.run(LOGGING)
    ran = kernel.run(DEFINE)
    assert not ran.error, ran.error
    kernel.run("usual = sys.getrecursionlimit()")


def threads(kernel: Kernel) -> int:
    count: int = kernel.value("threading.active_count()")
    return count


def ended(kernel: Kernel, before: int) -> bool:
    """Whether the threads of the calls end, which they do by themselves."""
    end = time.monotonic() + 60
    while threads(kernel) > before + IDLE:
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


@pytest.mark.parametrize("name", ["down", pytest.param("down_in_futures", marks=pytest.mark.full)])
def test_an_error_names_the_function_and_no_thread_is_left(kernel: Kernel, name: str) -> None:
    """It is raised like any other, and can be caught; the next cell runs."""
    before = threads(kernel)
    kernel.run(f"sys.setrecursionlimit({LIMIT})")
    ran = kernel.run(f"%%durable\ntry:\n    {name}(0)\nexcept RecursionError as error:\n    print(error)", name)
    kernel.run("sys.setrecursionlimit(usual)")
    assert f"{name} is {LIMIT + 1} durable calls deep: a recursion that does not end?" in ran.stdout
    assert not ran.error
    assert ended(kernel, before)


def test_the_traceback_of_a_deep_recursion_has_its_beginning_and_its_end(kernel: Kernel) -> None:
    """IPython takes its time for each frame, and nobody reads a thousand that are alike."""
    ran = kernel.run("deep(80)", "deep")
    shown = re.findall(r"^Cell In\[\d+\], line \d+", ran.error, re.MULTILINE)
    assert 50 <= len(shown) <= 60
    assert "----> 1 deep(80)" in ran.error
    assert "ZeroDivisionError: division by zero" in ran.error


def test_an_interrupt_stops_it_at_any_depth(kernel: Kernel, log: Log) -> None:
    """One ■ is enough; no further call begins, and what stood open is cut off."""
    before = threads(kernel)
    id = kernel.send("down_slowly(0)", "slowly")
    while len(log.path.read_text().split()) < 151:
        time.sleep(0.02)
    kernel.interrupt()
    ran = kernel.result(id)
    assert "KeyboardInterrupt" in ran.error
    assert kernel.value("{call.status for call in get_request('last').calls()}") <= {"cancelled", "interrupted"}
    assert ended(kernel, before)
    assert len(log.take()) == 151
