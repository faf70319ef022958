"""Two live kernels of one notebook: what one of them runs the other does not begin again in silence."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log, Start

SLOW = """%%durable {options}
import pathlib, time
def slow(n):
    _log(n)
    while not pathlib.Path(FOLDER, "go").exists():
        time.sleep(0.01)
    return n
{body}"""
CELLS = {
    "a durable body": SLOW.format(options="{options}", body="print(slow(1))"),
    "an application": (
        "{options}import pathlib, time\nfrom jupyter_durable import application, function\n"
        "@application()\n@function()\ndef app(n: int) -> int:\n    _log(n)\n"
        "    while not pathlib.Path(FOLDER, 'go').exists(): time.sleep(0.01)\n    return n\n"
        "print(app(1))"
    ),
}


@pytest.fixture(scope="module")
def kernels(start: Start) -> tuple[Kernel, Kernel]:
    return start(), start()


@pytest.fixture
def pair(kernels: tuple[Kernel, Kernel], tmp_path: Path) -> Iterator[tuple[Kernel, Kernel]]:
    for kernel in kernels:
        kernel.run(LOGGING + f"\nFOLDER = {str(tmp_path)!r}")
    yield kernels
    (tmp_path / "go").touch()


def until_logged(log: Log, line: str) -> None:
    end = time.monotonic() + 60
    while line not in log.path.read_text().split():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("what", list(CELLS))
def test_a_second_kernel_that_runs_the_cell_is_told_who_runs_it(
    pair: tuple[Kernel, Kernel], log: Log, tmp_path: Path, what: str
) -> None:
    """Who, since when, and the ways out; after the end the cell may be run again."""
    first, second = pair
    source, key = CELLS[what].format(options=""), f"second-{what}"
    running = first.send(source, key)
    until_logged(log, "1")
    pid = first.manager.provisioner.pid  # type: ignore[union-attr]
    ran = second.run(source, key)
    assert re.search(rf"is being run by process {pid} on \S+ since \d\d:\d\d:\d\d; wait for it", ran.error), ran.error
    for way in ("%durable cancel req_", "%durable replay req_", "--take-over", "--fresh"):
        assert way in ran.error
    assert ran.status == "error"
    assert log.take() == ["1"]
    (tmp_path / "go").touch()
    assert first.result(running).stdout == "1\n"
    assert second.run(source, key).stdout == "1\n"
    assert log.take() == ["1"]


def test_the_ways_out_work(pair: tuple[Kernel, Kernel], log: Log, tmp_path: Path) -> None:
    """`--fresh` begins another request beside it; `--take-over` has the first kernel stop, which says who took it."""
    first, second = pair
    running = first.send(CELLS["a durable body"].format(options=""), "ways")
    until_logged(log, "1")
    (id,) = re.findall(
        r"request (req_\w+) is being run", second.run(CELLS["a durable body"].format(options=""), "ways").error
    )
    beside = second.send(CELLS["a durable body"].format(options="--fresh"), "ways")
    end = time.monotonic() + 60
    while log.path.read_text().split().count("1") < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    second.interrupt()
    second.result(beside)
    taking = second.send(f"%durable replay {id} --take-over")
    said = first.result(running)
    assert "was taken over by process" in said.error
    (tmp_path / "go").touch()
    assert not second.result(taking).error
    assert second.value(f"__import__('jupyter_durable').get_request({id!r}).status") == "succeeded"
