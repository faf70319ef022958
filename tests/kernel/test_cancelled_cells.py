"""A cell that is cancelled ends with one calm line; to Run All it has failed."""

from __future__ import annotations

import re
import time

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log

LAST = "__import__('jupyter_durable').get_request('last')"
DEFINE = """%%durable
import asyncio, threading, time
from jupyter_durable import application, function, get_request
def slow(x, seconds=0.0):
    _log(x)
    time.sleep(seconds)
    return x
async def slow_too(x, seconds=0.0):
    _log(x)
    await asyncio.sleep(seconds)
    return x
def later(seconds):
    return slow(3, seconds)
def _cancel_soon(_=None):
    last = get_request("last")
    threading.Timer(0.3, last.cancel).start()
"""
BODIES = {
    "in a call": "slow(1)\nslow(2)\n_cancel_soon()\nslow(3, 30)",
    "between calls": "slow(1)\nslow(2)\n_cancel_soon()\ntime.sleep(30)",
    "computing": "slow(1)\nslow(2)\n_cancel_soon()\nwhile True: pass",
    "awaiting": "slow(1)\nslow(2)\n_cancel_soon()\nawait asyncio.sleep(30)",
    "in an async call": "await slow_too(1)\nawait slow_too(2)\n_cancel_soon()\nawait slow_too(3, 30)",
    "in a map": "_cancel_soon(slow.map([1, 2]))\nlater.map([30, 30])",
    "by itself": "slow(1)\nslow(2)\nget_request('last').cancel()\nslow(3)",
    "in a durable body": "%%durable\nslow(1)\nslow(2)\n_cancel_soon()\nslow(3, 30)",
}


@pytest.fixture(scope="module", autouse=True)
def _functions(kernel: Kernel) -> None:
    kernel.run(LOGGING)
    ran = kernel.run(DEFINE)
    assert not ran.error, ran.error


@pytest.mark.parametrize("case", BODIES)
def test_one_line_says_what_is_kept_and_how_to_go_on(kernel: Kernel, case: str) -> None:
    """No traceback stands there, and the kernel answers that the cell failed."""
    ran = kernel.run(BODIES[case], case.replace(" ", "-"))
    assert ran.error == ""
    assert ran.kinds == ["view", "display_data"]
    id = kernel.value(f"{LAST}.id")
    assert ran.saved[1].text == (
        f"cancelled · 2 finished calls are kept · run the cell again to go on, or %durable replay {id}"
    )
    assert ran.status == "error"
    assert ran.reply["ename"] == "Cancelled"
    assert ran.reply["traceback"] == [ran.saved[1].text]
    assert kernel.value(f"{LAST}.status") == "cancelled"


def test_an_application_that_is_cancelled_in_its_cell_ends_as_calmly(kernel: Kernel) -> None:
    """Its request is named, whose calls are kept."""
    ran = kernel.run(
        "@application()\n@function()\ndef app(n: int) -> int:\n"
        "    slow(n)\n    _cancel_soon()\n    return slow(n, 30)\napp(1)"
    )
    assert (ran.error, ran.status) == ("", "error")
    assert re.search(r"^cancelled · 1 finished call is kept · .* %durable replay req_\w+$", ran.saved[-1].text)


def test_the_cell_goes_on_as_the_line_says(kernel: Kernel, log: Log) -> None:
    """Run again, it serves what is kept and executes the rest."""
    kernel.run("seconds = 30")
    cell = "slow(1)\nslow(2)\nif seconds: _cancel_soon()\nslow(3, seconds)\nprint('done')"
    kernel.run(cell, "again")
    kernel.run("seconds = 0")
    log.take()
    ran = kernel.run(cell, "again")
    assert (ran.error, ran.status, ran.stdout) == ("", "ok", "done\n")
    assert log.take() == ["3"]


def test_an_interrupt_and_any_other_error_keep_their_traceback(kernel: Kernel, log: Log) -> None:
    """Only a cancel is calm: ■ and a mistake still say where."""
    id = kernel.send("slow(1)\nslow(2, 30)", "interrupted")
    while len(log.path.read_text().split()) < 2:
        time.sleep(0.02)
    kernel.interrupt()
    ran = kernel.result(id)
    assert "KeyboardInterrupt" in ran.error
    ran = kernel.run(
        "slow(1)\n_cancel_soon()\ntry:\n    time.sleep(30)\nexcept BaseException:\n    raise ValueError('mine')"
    )
    assert "ValueError: mine" in ran.error


def test_a_cancel_that_comes_when_nothing_is_left_to_do_is_told_and_no_failure(kernel: Kernel) -> None:
    """The statements have run; the request is cancelled all the same."""
    ran = kernel.run("slow(1)\nget_request('last').cancel()\nprint('end')", "late")
    assert (ran.error, ran.status, ran.stdout) == ("", "ok", "end\n")
    assert ran.saved[-1].text.startswith("cancelled · 1 finished call is kept")
