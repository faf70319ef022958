"""A view is the first output of its cell, above everything printed, whatever the cell does."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import Kernel, Start

DEFINE = """%%durable
import asyncio, sys, threading, time, warnings
from IPython.display import clear_output, display
from jupyter_durable import application, function
def say(x, seconds=0.0):
    print("in", x)
    time.sleep(seconds)
    return x
def quiet(x, seconds=0.0):
    time.sleep(seconds)
    return x
async def later(x):
    print("in", x)
    await asyncio.sleep(0.01)
    return x
def fails(x):
    print("in", x)
    raise ValueError(x)
def _thread(*bodies):
    threads = [threading.Thread(target=body) for body in bodies]
    for each in threads: each.start()
    for each in threads: each.join()
"""


@pytest.fixture(scope="module", autouse=True)
def _functions(kernel: Kernel) -> None:
    ran = kernel.run(DEFINE)
    assert not ran.error, ran.error


SHOWN = {
    "before the first call": "%%durable\nprint('a')\nsay(1)\nprint('b')\nNone",
    "within the first call": "%%durable\nsay(1)\nNone",
    "on stderr": "%%durable\nprint('a', file=sys.stderr)\nquiet(1)\nNone",
    "a warning": "%%durable\nwarnings.warn('careful')\nquiet(1)\nNone",
    "something displayed": "%%durable\ndisplay('a')\nquiet(1)\nNone",
    "the value of the cell": "%%durable\nquiet(1)",
    "from threads of the user": "%%durable\n_thread(lambda: print('a'), lambda: print('b'))\nquiet(1)\nNone",
    "from a map": "%%durable\nsay.map(range(3))\nNone",
    "from a loop": "%%durable\n[await later(n) for n in range(3)]\nNone",
    "of an application": (
        "@application()\n@function()\ndef app(n: int) -> int:\n    return say(n)\nprint('a')\napp(1)\nNone"
    ),
    "through a plain function": (
        "def plain():\n    return say(1)\nprint('a')\nfor n in range(2): plain(); time.sleep(0.6)"
    ),
    "of a plain cell that lasts": "print('a')\nfor n in range(3): say(n, 0.5)",
    "in a subprocess": "%%durable\n!echo a\nquiet(1)\nNone",
}


@pytest.mark.parametrize("case", SHOWN)
def test_whatever_is_put_out_stands_below_the_view(kernel: Kernel, case: str) -> None:
    """The one view is first, and what was put out follows."""
    ran = kernel.run(SHOWN[case])
    assert not ran.error, ran.error
    assert ran.kinds[0] == "view", ran.saved
    assert ran.kinds.count("view") == 1
    assert "empty" not in ran.kinds
    assert len(ran.kinds) > 1


def test_functions_that_are_defined_and_called_in_one_cell_are_told_below_the_view(kernel: Kernel) -> None:
    """What became durable is a remark, and remarks follow the view."""
    ran = kernel.run("%%durable\ndef made(x):\n    print('in')\n    return x\nmade(1)\nNone")
    assert ran.kinds == ["view", "display_data", "stdout"]
    assert ran.saved[1].text == "durable: made"


@pytest.mark.parametrize("wait", [True, False])
def test_clearing_the_outputs_leaves_the_view_first(kernel: Kernel, wait: bool) -> None:
    """A progress line that clears what it wrote does not clear the view, before and after it has appeared."""
    ran = kernel.run(
        f"%%durable\nfor n in range(4):\n    clear_output(wait={wait})\n    print('at', n)\n    quiet(n, 0.2)"
    )
    assert ran.kinds == ["view", "stdout"], ran.saved
    assert ran.saved[1].text == "at 3\n"
    assert "✓" in ran.saved[0].text


def test_a_cell_that_clears_at_its_end_still_shows_its_view(kernel: Kernel) -> None:
    """The last state of the view is put out though nothing follows it."""
    ran = kernel.run("%%durable\nsay(1, 0.3)\nclear_output()")
    assert ran.kinds == ["view"]
    assert "succeeded" in ran.saved[0].text


def test_an_application_that_has_ended_survives_a_clearing(kernel: Kernel) -> None:
    """Its view, which has nothing more to tell, is put out again."""
    kernel.run("@application()\n@function()\ndef app(n: int) -> int:\n    return quiet(n)")
    assert kernel.run("app(1)\nclear_output()\nNone").kinds == ["view"]
    assert kernel.run("app(1)\nclear_output()\nprint('a')").kinds == ["view", "stdout"]


def test_an_error_stands_below_the_view(kernel: Kernel) -> None:
    """A failed call shows its view first, then what was printed, then the traceback."""
    for code in ("print('a')\nfails(1)", "%%durable\nprint('a')\nfails(2)"):
        ran = kernel.run(code)
        assert ran.kinds == ["view", "stdout", "error"], ran.saved


def test_an_error_before_the_first_call_takes_no_place(kernel: Kernel) -> None:
    """No request was made, so nothing is left of its view."""
    assert kernel.run("%%durable\nunknown\nsay(1)").kinds == ["error"]


def test_a_short_plain_cell_leaves_nothing_visible(kernel: Kernel) -> None:
    """It stays silent: no view, and an output without any form where something was printed."""
    assert kernel.run("quiet(1)\nNone").kinds == []
    assert kernel.run("quiet(1)").kinds == ["execute_result"]
    assert kernel.run("print('a')\nquiet(1)\nNone").kinds == ["empty", "stdout"]


def test_a_cell_without_durable_calls_is_untouched(kernel: Kernel) -> None:
    """Neither a cell of other things nor one that only defines, or calls `.local`, takes a place."""
    assert kernel.run("print('a')\n1").kinds == ["stdout", "execute_result"]
    assert kernel.run("def uses(x):\n    return quiet(x)\nprint('a')").kinds == ["stdout"]
    assert kernel.run("print('a')\nquiet.local(1)\nNone").kinds == ["stdout"]


def test_a_second_request_of_a_cell_stands_where_it_began(kernel: Kernel) -> None:
    """Each application has its view above what it printed itself."""
    kernel.run("@application()\n@function()\ndef app(n: int) -> int:\n    return say(n)")
    ran = kernel.run("print('a')\napp(1)\nprint('b')\napp(2)\nNone")
    assert ran.kinds == ["view", "stdout", "view", "stdout"]


def test_a_resumed_cell_shows_its_view_first(kernel: Kernel) -> None:
    """Resuming is told in the view, above what the cell prints again."""
    kernel.run("stop = True")
    cell = "print('a')\nsay(7)\nassert not stop"
    assert kernel.run(cell, "resumed").kinds == ["view", "stdout", "error"]
    kernel.run("stop = False")
    ran = kernel.run(cell, "resumed")
    assert ran.kinds == ["view", "stdout"]
    assert "resumed" in ran.saved[0].text


def test_unloading_puts_the_outputs_back(start: Start) -> None:
    """What was extended of the shell is its own again."""
    kernel = start("outputs.ipynb")
    kernel.run("%unload_ext jupyter_durable")
    ip = "get_ipython()"
    own = f"{{**vars({ip}.display_pub), **vars({ip}.displayhook)}}"
    assert kernel.value(f"[n for n in ('publish', 'clear_output', 'start_displayhook') if n in {own}]") == []
