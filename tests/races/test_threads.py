"""Races between the threads of one process: every concurrent feature, with delays at the lines of the engine.

The long tier is one command: `RACES_SEEDS=1-40 pytest tests/races/test_threads.py -m full -s`. A run that failed is
done again by `python -m tests.races.threads_run --seed SEED --only SCENARIO --at NUMBER`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.races.threads_mutants import MUTANTS

ROOT = Path(__file__).resolve().parent.parent.parent
FIRST, _, LAST = os.environ.get("RACES_SEEDS", "1-40").partition("-")
SEEDS = range(int(FIRST), int(LAST or FIRST) + 1)
RUNS = int(os.environ.get("RACES_RUNS", "500"))
"""Of scenarios, under each seed."""
CANCELS = int(os.environ.get("RACES_CANCELS", "10000"))
BESIDE = int(os.environ.get("RACES_BESIDE", "6"))
"""Processes at once: the load under which it is raced."""
SOON = ("a_cancelled_map", "a_failing_map", "calls_of_a_cell", "an_interrupted_map", "cancelled_async_futures")


def raced(*arguments: object, seconds: float = 110.0) -> tuple[list[dict], str]:
    """What the runs said, each failure and the end; and the standard error, with all stacks when one hung."""
    command = [sys.executable, "-m", "tests.races.threads_run", *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    return [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr[-20_000:]


def right(told: list[dict], errors: str) -> dict:
    """The end of runs of which none was wrong and none hung."""
    assert "end" in (told[-1] if told else {}), f"a run hangs:\n{errors}"
    assert len(told) == 1, told[:3]
    return told[0]


def test_scenarios_with_delays() -> None:
    """Values, executions and ends are those of the same code without any delay."""
    right(*raced("--seed", 1, "--only", ",".join(SOON), "--runs", 2 * len(SOON)))


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_all_scenarios_under_many_seeds() -> None:
    """20,000 runs over 40 seeds, several processes at once: none wrong, none twice, none hung."""
    with ThreadPoolExecutor(BESIDE) as pool:
        ended = list(pool.map(partial(_under_seed, RUNS), SEEDS))
    print(f"{sum(each['runs'] for each in ended)} runs over {len(SEEDS)} seeds")


def _under_seed(runs: int, seed: int) -> dict:
    return right(*raced("--seed", seed, "--runs", runs, seconds=3500))


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_maps_that_are_cancelled_at_random_moments() -> None:
    """10,000 cancels, several processes at once: each is settled, nothing begins afterwards, what was kept stays."""
    each = -(-CANCELS // BESIDE)
    arguments = ("--runs", each, "--only", "a_cancelled_map", "--no-delays")
    with ThreadPoolExecutor(BESIDE) as pool:
        ended = list(pool.map(lambda seed: right(*raced("--seed", seed, *arguments, seconds=3500)), range(BESIDE)))
    settled = sorted(second for end in ended for second in end["settled"])
    late = [second for second in settled if second > 1]
    print(f"{len(settled)} cancels: settled in {settled[len(settled) // 2]:.3f} s, at most {settled[-1]:.3f} s")
    assert len(late) <= len(settled) // 1000, f"{len(late)} were settled after more than a second"


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_planted_bug_is_found(name: str) -> None:
    """By a wrong value, a second execution, or a hang."""
    mutant = MUTANTS[name]
    scenarios = ",".join(mutant.scenarios)
    told, errors = raced("--seed", 1, "--runs", mutant.runs, "--only", scenarios, "--mutant", name, "--first")
    hung = not told or "end" not in told[-1]
    assert hung or len(told) > 1, f"not found in {mutant.runs} runs"
    at = errors.rpartition("Timeout")[0].splitlines()[-1:] if hung else [told[0]["wrong"].splitlines()[-1]]
    print(f"{name}: {'hung' if hung else 'found'} {at}")
