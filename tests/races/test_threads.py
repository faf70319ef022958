"""Races between the threads of one process: every concurrent feature, with delays between the engine's statements.

The long tier is one command: `RACES_SEEDS=1-40 pytest tests/races/test_threads.py -m full -s`, or in pieces that are
added up, `python -m tests.races.threads_long`. A run that failed is done again by
`python -m tests.races.threads_run --seed SEED --only SCENARIO --at NUMBER`.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.races.threads_long import of_seed, raced, total
from tests.races.threads_mutants import MUTANTS

FIRST, _, LAST = os.environ.get("RACES_SEEDS", "1-40").partition("-")
SEEDS = range(int(FIRST), int(LAST or FIRST) + 1)
SEED = int(os.environ.get("RACES_SEED", "1"))
"""Of the short tier."""
RUNS = int(os.environ.get("RACES_RUNS", "500"))
"""Of scenarios, under each seed."""
CANCELS = int(os.environ.get("RACES_CANCELS", "10000"))
BESIDE = int(os.environ.get("RACES_BESIDE", "6"))
"""Processes at once: the load under which it is raced."""
SOON = (
    "a_map", "an_async_map", "an_async_map_of_maps", "a_failing_map", "limited_maps",
    "futures_of_futures", "a_reduce", "retried_calls", "timeouts_that_progress_resets", "state_of_a_map",
    "threads_of_the_user", "calls_of_a_cell", "a_cancelled_map", "cancelled_async_futures", "an_interrupted_map",
)  # fmt: skip
"""One of each kind; two processes on one request are raced in `test_leases`."""


def test_scenarios_with_delays() -> None:
    """Values, executions and ends are those of the same code without any delay."""
    told, errors = raced("--seed", SEED, "--only", ",".join(SOON), "--runs", len(SOON), seconds=110)
    assert "end" in (told[-1] if told else {}), f"a run hangs:\n{errors}"
    assert len(told) == 1, told[:3]


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_scenarios_and_cancels_under_many_seeds() -> None:
    """20,000 runs and 10,000 cancels over 40 seeds, several processes at once: none wrong, none twice, none hung, and
    each cancel settled within a second. What a thread that only sleeps was held up meanwhile is the machine's."""
    cancels = -(-CANCELS // len(SEEDS))
    with ThreadPoolExecutor(BESIDE) as pool:
        ended = list(pool.map(lambda seed: of_seed(seed, RUNS, cancels), SEEDS))
    summed = total(ended)
    print(json.dumps(summed, indent=1))
    assert (summed["wrong"], summed["twice"], summed["hung"]) == (0, 0, 0), summed["failures"][:3]
    assert summed["settled"]["later than a second"] == 0, [end["late"] for end in ended]


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
    run = "hung" if hung else f"found in run {told[-1]['runs']}"
    print(f"{name}: {run} {at}")
