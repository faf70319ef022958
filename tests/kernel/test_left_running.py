"""What a cell leaves running keeps its request open: tasks, coroutines and submitted calls that a later cell awaits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log, Start

DEFINITIONS = """%%durable
import asyncio, concurrent.futures, pathlib, time
async def later(n):
    while not pathlib.Path(FOLDER, f"go{n}").exists():
        await asyncio.sleep(0.01)
    _log(n)
    return n * 10
def slow(n):
    pathlib.Path(FOLDER, f"in{n}").touch()
    while not pathlib.Path(FOLDER, f"go{n}").exists():
        time.sleep(0.01)
    _log(n)
    return n * 10
def quick(n):
    _log(f"quick{n}")
    return n
"""
REQUESTS = "[(r.id, r.status, [(c.name, c.status) for c in r.calls()]) for r in jd.list_requests(limit={n})]"


BEGUN_IN_ITS_CELL = "while not pathlib.Path(FOLDER, 'in{n}').exists(): time.sleep(0.01)"
"""A thread belongs to the cell in which it makes its first call."""


class Gates:
    """Lets calls go on, by their number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, *numbers: object) -> None:
        for number in numbers:
            (self.folder / f"go{number}").touch()


@pytest.fixture
def gates(kernel: Kernel, tmp_path: Path) -> Gates:
    kernel.run(LOGGING)
    ran = kernel.run(f"FOLDER = {str(tmp_path)!r}\nimport jupyter_durable as jd")
    assert not ran.error, ran.error
    ran = kernel.run(DEFINITIONS, "left-define")
    assert not ran.error, ran.error
    return Gates(tmp_path)


def requests(kernel: Kernel, n: int) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The newest requests, newest first: id, status, calls."""
    return kernel.value(REQUESTS.format(n=n))


def ended(kernel: Kernel, n: int) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The same, once none of them runs."""
    end = time.monotonic() + 60
    while any(status == "running" for _, status, _ in requests(kernel, n)):
        assert time.monotonic() < end, "a request is still open"
        time.sleep(0.1)
    return requests(kernel, n)


BEGUN = {
    "a task": ("left = asyncio.create_task(later(1))", "await left"),
    "tasks of gather": ("left = asyncio.gather(later(1), later(2))", "sum(await left)"),
    "a task of a plain coroutine": (
        "async def main(): return await asyncio.wait_for(later(1), 60)\nleft = asyncio.create_task(main())",
        "await left",
    ),
    "a coroutine that was not awaited": ("left = later(1)", "await left"),
    "a submitted call": (
        "pool = concurrent.futures.ThreadPoolExecutor(2)\nleft = pool.submit(slow, 1)",
        "left.result()",
    ),
    "more calls than threads": (
        "pool = concurrent.futures.ThreadPoolExecutor(2)\nleft = [pool.submit(slow, n) for n in range(5)]\n"
        + BEGUN_IN_ITS_CELL.format(n=1),
        "sum(each.result() for each in left)",
    ),
    "a thread": (
        "import threading\nleft = []\nthread = threading.Thread(target=lambda: left.append(slow(1)))\nthread.start()\n"
        + BEGUN_IN_ITS_CELL.format(n=1),
        "(thread.join(), left[0])[1]",
    ),
}


@pytest.mark.parametrize("what", list(BEGUN))
def test_what_began_in_one_cell_gives_its_result_in_a_later_one(
    kernel: Kernel, log: Log, gates: Gates, what: str
) -> None:
    """It executes once, in a request of its own; the cell between has another one."""
    begin, take = BEGUN[what]
    ran = kernel.run(begin, f"left-{what}")
    assert not ran.error, ran.error
    ran = kernel.run("quick(7)", f"between-{what}")
    assert not ran.error, ran.error
    gates.open(*range(5))
    ran = kernel.run(f"print({take})", f"take-{what}")
    assert not ran.error, ran.error
    numbers = {"tasks of gather": [1, 2], "more calls than threads": [0, 1, 2, 3, 4]}.get(what, [1])
    assert int(ran.stdout) == 10 * sum(numbers)
    found = ended(kernel, 2)
    assert [status for _, status, _ in found] == ["succeeded", "succeeded"]
    calls = sorted(calls for _, _, calls in found)
    name = "later" if "later" in begin else "slow"
    assert calls == sorted([[("quick", "succeeded")], [(name, "succeeded")] * len(numbers)])
    assert sorted(log.take()) == sorted(["quick7", *map(str, numbers)])


def test_a_request_that_is_open_reads_running_and_can_be_cancelled_from_another_cell(
    kernel: Kernel, log: Log, gates: Gates
) -> None:
    """The cell that cancels it is not interrupted."""
    kernel.run("left = asyncio.create_task(later(1))", "cancelled")
    kernel.run("await asyncio.sleep(0.1)")
    ((id, status, calls),) = requests(kernel, 1)
    assert (status, calls) == ("running", [("later", "running")])
    ran = kernel.run(f"jd.get_request({id!r}).cancel()\ntime.sleep(1)\nprint('went on')")
    assert ran.stdout == "went on\n", ran.error
    assert ended(kernel, 1)[0][1] == "cancelled"
    assert log.take() == []


def test_a_kernel_that_dies_leaves_it_interrupted_and_the_cell_goes_on_with_it(
    start: Start, log: Log, tmp_path: Path
) -> None:
    kernel = start()
    kernel.run(LOGGING + f"\nFOLDER = {str(tmp_path)!r}\nimport jupyter_durable as jd")
    kernel.run(DEFINITIONS, "died-define")
    kernel.run("left = asyncio.gather(later(1), later(2))", "died")
    Gates(tmp_path).open(1)
    end = time.monotonic() + 60
    while ("later", "succeeded") not in requests(kernel, 1)[0][2]:
        assert time.monotonic() < end
    log.take()
    kernel.kill()
    kernel = start()
    kernel.run(LOGGING + f"\nFOLDER = {str(tmp_path)!r}\nimport jupyter_durable as jd")
    kernel.run(DEFINITIONS, "died-define")
    assert requests(kernel, 1)[0][1] == "interrupted"
    Gates(tmp_path).open(2)
    ran = kernel.run("left = asyncio.gather(later(1), later(2))", "died")
    assert not ran.error, ran.error
    assert kernel.run("print(await left)").stdout == "[10, 20]\n"
    assert ended(kernel, 1)[0][1] == "succeeded"
    assert log.take() == ["2"]


def test_the_view_of_a_request_that_was_left_open_says_how_it_goes(kernel: Kernel, log: Log, gates: Gates) -> None:
    """While the task runs it says so, under the cell that has ended; then it says how it ended."""
    id = kernel.send("left = asyncio.create_task(later(1))\nawait asyncio.sleep(1.5)", "viewed")
    ran = kernel.result(id)
    assert not ran.error, ran.error
    assert "running" in ran.text
    gates.open(1)
    shown = "running"
    end = time.monotonic() + 60
    while "running" in shown:
        assert time.monotonic() < end, shown
        message = kernel.client.get_iopub_msg(timeout=100)
        if message["msg_type"] == "update_display_data":
            shown = message["content"]["data"].get("text/plain", "")
    assert "1 ran" in shown
    assert ended(kernel, 1)[0][1] == "succeeded"
