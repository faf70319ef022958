"""Laws g, h: a process is silent for longer than its lease, or killed for its memory: nothing is lost or done twice."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.witness import ACKNOWLEDGED
from tests.laws.scripts import answer, ended, executions, log_of, start, wait_for

CALLS = 40


def silent(folder: Path, lease: float, pauses: int, seed: int) -> None:
    """An owner is stopped for longer than its lease, at random moments; others want its request; it goes on."""
    draw = random.Random(seed)
    owner = start("quiet", folder, CALLS, lease)
    with ended(owner):
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        wait_for(lambda: executions(folder))
        for _ in range(pauses):
            time.sleep(draw.random() * 0.1)
            os.kill(owner.pid, signal.SIGSTOP)
            time.sleep(lease * 1.2)
            if len(executions(folder)) < CALLS:
                said, why = answer(start("replay_plainly", folder))[:2]
                assert (said, f"is being run by process {owner.pid}" in why) == ("refused", True)
                assert f"`kill -CONT {owner.pid}` lets it go on" in why
            os.kill(owner.pid, signal.SIGCONT)
        assert answer(owner) == ["succeeded", CALLS, 1]
    assert set(Counter(executions(folder)).values()) == {1}
    assert len(executions(folder)) == CALLS


def test_a_run_that_was_silent_past_its_lease_goes_on(tmp_path: Path) -> None:
    """With a lease of half a second, so that the test is quick."""
    silent(tmp_path, 0.5, 1, 3)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_was_silent_past_a_real_lease_goes_on(tmp_path: Path, seed: int) -> None:
    """SIGSTOP for longer than the 15 seconds, several times."""
    silent(tmp_path, 15.0, 3, seed)


def killed_for_memory(folder: Path, at: int) -> None:
    """A call takes memory until its process is killed; with memory enough the request goes on."""
    assert answer(start("hungry", folder, at, 64, "killed")) is None
    before, after, output = answer(start("go_on", folder))
    keys = [f"part{i}" for i in range(at + 3)]
    assert (before, after, output) == ("interrupted", "succeeded", keys)
    assert Counter(executions(folder)) == Counter(keys) + Counter([f"part{at}"])
    values: dict[str, set[str]] = {}
    for event in log_of(folder):
        if event.kind == ACKNOWLEDGED:
            values.setdefault(event.key, set()).add(event.detail)
    assert all(len(each) == 1 for each in values.values())


def test_a_process_that_is_killed_for_its_memory_loses_the_call_it_was_in_only(tmp_path: Path) -> None:
    """SIGKILL in the middle of an allocation, as the system does it."""
    killed_for_memory(tmp_path, 4)


@pytest.mark.full
@pytest.mark.parametrize("at", range(0, 200, 10))
def test_a_process_is_killed_for_its_memory_wherever_it_is(tmp_path: Path, at: int) -> None:
    """The same in other calls."""
    killed_for_memory(tmp_path, at)


@pytest.mark.full
@pytest.mark.parametrize("megabytes", [8, 64, 256])
def test_an_allocation_that_fails_is_a_failure_of_its_call(tmp_path: Path, megabytes: int) -> None:
    """`MemoryError` is an error as others are: what succeeded is kept, and a replay with memory enough goes on."""
    status, error = answer(start("hungry", tmp_path, 4, megabytes, "refused"))
    assert status == "failed"
    assert error == "MemoryError"
    before, after, output = answer(start("go_on", tmp_path))
    assert (before, after, len(output)) == ("failed", "succeeded", 7)
    assert Counter(executions(tmp_path))["part3"] == 1
