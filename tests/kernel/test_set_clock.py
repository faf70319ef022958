"""Laws g, h and q over two real kernels: the wall clock of one of them is set, or runs slow, under everything it calls.

A few lines of C, preloaded, are its clock; the other kernel has that of the machine.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.kernel.conftest import Kernel

COMPILER: Final = shutil.which("gcc") or shutil.which("cc")
DAY: Final = 86_400.0
STEPS: Final = (20.0, -20.0, 3_600.0, -3_600.0, DAY, -DAY)
LEASE: Final = 15.0
LEASED: Final = "__import__('jupyter_durable').client.this_engine().store.request('last').lease_boot"
"""Until when, by the clock of the boot."""
FUNCTIONS: Final = """
import os, pathlib, time
from jupyter_durable import *
FOLDER = pathlib.Path(os.environ["FOLDER"])
def said(what):
    with open(FOLDER / "log", "a") as log:
        log.write(what + "\\n")
@function()
def first():
    said("first")
    return 1
@function(timeout=30)
def holds(n):
    said("holds")
    while not (FOLDER / "go").exists():
        time.sleep(0.01)
    return n
@function(retries=Retries(max_retries=2, initial_delay=0.3, jitter=False))
def flaky(n):
    said("flaky")
    if RequestContext.get().attempt < 3:
        raise OSError("again")
    return n
@function(timeout=1)
def slow():
    while not RequestContext.get().cancelled:
        time.sleep(0.01)
@application()
@function()
def flow(n: int) -> list[int]:
    found = [first(), holds(n), flaky(n)]
    try:
        slow()
    except TimeoutError:
        found.append(0)
    return found
"""
RUN: Final = "began = time.monotonic()\nprint(flow(7), round(time.monotonic() - began) < 20)"


class World(NamedTuple):
    """A kernel with a clock of its own, one without, and what they share."""

    folder: Path
    set: Kernel
    other: Kernel

    def turn(self, seconds: float, rate: float = 1.0) -> None:
        """Set the clock."""
        set_clock(self.folder, seconds, rate)

    def until(self, line: str) -> None:
        """Wait until a function has said it."""
        end = time.monotonic() + 60
        while line not in self.executed():
            assert time.monotonic() < end
            time.sleep(0.01)

    def executed(self) -> list[str]:
        """What functions said."""
        log = self.folder / "log"
        return log.read_text().split() if log.exists() else []

    def go(self) -> None:
        """Let what holds return."""
        (self.folder / "go").touch()

    def fresh(self) -> None:
        """Nothing was said, nothing may go, the clock is right."""
        for name in ("go", "log"):
            (self.folder / name).unlink(missing_ok=True)
        self.turn(0.0)


def set_clock(folder: Path, seconds: float, rate: float) -> None:
    """What the preloaded clock reads; the file stays the same one, which is mapped."""
    with (folder / "clock").open("r+b" if (folder / "clock").exists() else "wb") as file:
        file.write(struct.pack("dd", seconds, rate))


Make = Callable[..., Kernel]


def but(always: float) -> list[Any]:
    """All steps, of which one is tried in every run of the tests."""
    return [pytest.param(step, marks=[] if step == always else pytest.mark.full) for step in STEPS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the compiled clock."""
    if COMPILER is None:
        pytest.skip("there is no C compiler for the clock that is preloaded")
    made = tmp_path_factory.mktemp("clock")
    source = Path(__file__).with_name("clock.c")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", made / "clock.so", source], check=True)
    set_clock(made, 0.0, 1.0)
    return made


@pytest.fixture(scope="module")
def make(folder: Path) -> Iterator[Make]:
    """Start kernels on one store; `preloaded` with a clock that can be set, `python` in the place of ours."""
    made: list[Kernel] = []

    def begin(*, preloaded: bool, python: Path = Path(sys.executable)) -> Kernel:
        environment = {
            "JPY_SESSION_NAME": str(folder / "a.ipynb"),
            "JUPYTER_DURABLE_STORE": f"sqlite:///{folder}/store.db",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "FOLDER": str(folder),
        }
        if preloaded:
            environment |= {"LD_PRELOAD": str(folder / "clock.so"), "SET_CLOCK": str(folder / "clock")}
        kernel = Kernel(python, environment)
        made.append(kernel)
        assert not kernel.run("%load_ext jupyter_durable\n" + FUNCTIONS).error
        return kernel

    yield begin
    for kernel in made:
        kernel.close()


@pytest.fixture(scope="module")
def kernels(folder: Path, make: Make) -> World:
    return World(folder, make(preloaded=True), make(preloaded=False))


@pytest.fixture
def world(kernels: World) -> Iterator[World]:
    kernels.fresh()
    yield kernels
    kernels.go()
    kernels.turn(0.0)


def off(kernel: Kernel) -> float:
    """By how much the clock of a kernel is off."""
    return float(kernel.value("__import__('time').time()")) - time.time()


def refused(by: Kernel) -> str:
    """What a kernel is told that wants the last request."""
    assert by.value("get_request('last').status") == "running"
    return by.run("get_request('last').replay()").error


def as_it_should(world: World, runs: Kernel, looks: Kernel, turn: Callable[[], None], *, renewed: bool = True) -> None:
    """A request is run by one kernel while a clock is turned: it is refused to the other, and ends as it should.

    `renewed`: also once its lease was renewed under the clock that was turned.
    """
    running = runs.send(RUN)
    world.until("holds")
    turn()
    assert "is being run by" in refused(looks)
    if renewed:
        before, end = looks.value(LEASED), time.monotonic() + 60
        while looks.value(LEASED) == before:
            assert time.monotonic() < end
            time.sleep(0.2)
        assert "is being run by" in refused(looks)
    world.go()
    ran = runs.result(running)
    assert ran.stdout == "[1, 7, 7, 0] True\n", (ran.error, ran.stderr, ran.text)
    assert world.executed() == ["first", "holds", "flaky", "flaky", "flaky"]
    durations = looks.value("[call.duration for call in get_request('last').calls()]")
    assert all(0.0 <= each < 60 for each in durations)


@pytest.mark.parametrize("step", but(-DAY))
def test_a_step_of_the_owners_clock_takes_nothing_from_it(world: World, step: float) -> None:
    """Nobody takes its request, its timeouts and retries go by what has passed."""
    as_it_should(world, world.set, world.other, lambda: world.turn(step))
    assert off(world.set) == pytest.approx(step, abs=5)


@pytest.mark.parametrize("step", but(DAY))
def test_a_step_of_the_clock_of_who_looks_takes_nothing_from_the_owner(world: World, step: float) -> None:
    as_it_should(world, world.other, world.set, lambda: world.turn(step), renewed=False)


@pytest.mark.full
@pytest.mark.parametrize("rate", [0.1, 3.0])
def test_a_clock_that_runs_slow_or_fast_takes_nothing_from_the_owner(world: World, rate: float) -> None:
    for runs, looks in ((world.set, world.other), (world.other, world.set)):
        world.fresh()
        as_it_should(world, runs, looks, lambda: world.turn(0.0, rate))


@pytest.mark.full
@pytest.mark.parametrize("step", STEPS)
def test_an_owner_that_is_killed_after_a_step_is_seen_at_once_and_its_request_goes_on(
    world: World, make: Make, step: float
) -> None:
    owner = make(preloaded=True)
    owner.send(RUN)
    world.until("holds")
    world.turn(step)
    owner.kill()
    assert world.other.value("get_request('last').status") == "interrupted"
    world.go()
    assert world.other.run("print(get_request('last').replay().output())").stdout.endswith("[1, 7, 7, 0]\n")
    assert world.executed().count("first") == 1


@pytest.mark.full
@pytest.mark.parametrize("step", [DAY, -DAY])
def test_the_lease_of_an_owner_that_cannot_be_looked_at_is_as_long_as_it_says_after_a_step(
    world: World, make: Make, step: float
) -> None:
    """It has processes of its own, as in another container: its lease decides, by the clock that nobody sets."""
    apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], check=False).returncode:
        pytest.skip("no process can be put apart here")
    python = world.folder / "python"
    python.write_text(f'#!/bin/sh\nexec {" ".join(apart)} {sys.executable} "$@"\n')
    python.chmod(0o700)
    owner = make(preloaded=True, python=python)
    owner.send(RUN)
    world.until("holds")
    world.turn(step)
    until = time.monotonic() + 1.5 * LEASE
    while time.monotonic() < until:  # its lease is renewed under the clock that was set
        assert "is being run by" in refused(world.other)
        time.sleep(1)
    owner.kill()
    killed = time.monotonic()
    while world.other.value("get_request('last').status") == "running":
        assert time.monotonic() < killed + 2 * LEASE
        time.sleep(0.2)
    assert time.monotonic() - killed > LEASE / 3 - 1
    world.go()
    assert world.other.run("print(get_request('last').replay().output())").stdout.endswith("[1, 7, 7, 0]\n")


def test_the_preloaded_clock_is_set_and_leaves_the_others_alone(world: World) -> None:
    """The harness itself: what is seen is the step, in `time.time`, in files' names of days, and nowhere else."""
    before = world.set.value("__import__('time').monotonic()")
    world.turn(DAY)
    assert off(world.set) == pytest.approx(DAY, abs=5)
    assert abs(world.set.value("__import__('datetime').datetime.now().timestamp()") - time.time() - DAY) < 5
    assert off(world.other) == pytest.approx(0.0, abs=5)
    assert 0 <= world.set.value("__import__('time').monotonic()") - before < 60
    assert os.path.exists(world.folder / "store.db")
