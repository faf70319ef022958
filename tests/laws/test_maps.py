"""Laws j and k: a map of 1,000 with k failures executes exactly those k again, and keeps the order of its input."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.laws.scripts import answer, ended, executions, start, wait_for

IN_ORDER = [f"item{i}" for i in range(1000)]


def _far_enough(folder: Path, process: subprocess.Popen[str], executed: int) -> bool:
    return len(executions(folder)) >= executed or process.poll() is not None


def failing(k: int) -> set[str]:
    return {f"item{i}" for i in range(1000) if i * k % 1000 < k}


@pytest.mark.parametrize("k", [0, 1, 3, 1000])
def test_exactly_the_failed_items_execute_again(tmp_path: Path, k: int) -> None:
    first = answer(start("map_with_failures", tmp_path, k))
    assert first[0] == ("failed" if k else "succeeded")
    assert Counter(executions(tmp_path)) == Counter(IN_ORDER)
    assert len(failing(k)) == k
    status, output = answer(start("map_with_failures", tmp_path, 0))
    again = Counter(executions(tmp_path)) - Counter(IN_ORDER)
    assert again == Counter(failing(k))
    assert (status, output) == ("succeeded", IN_ORDER)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full), pytest.param(3, marks=pytest.mark.full)])
def test_killed_in_the_map_and_in_its_replay_only_what_was_not_durable_executes_again(
    tmp_path: Path, seed: int
) -> None:
    """At each kill the items that are durable are counted from the store; the next process executes the others."""
    draw = random.Random(seed)
    total = 0
    for number in range(4):
        process = start("map_with_failures", tmp_path, 0)
        with ended(process):
            if number < 3:
                want = total + draw.randrange(50, 200)
                wait_for(partial(_far_enough, tmp_path, process, want))
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                total = len(executions(tmp_path))
                durable = answer(start("status", tmp_path))[2]
                left = 1000 - durable
            else:
                status, output = answer(process)
                assert len(executions(tmp_path)) - total == left
                assert (status, output) == ("succeeded", IN_ORDER)
