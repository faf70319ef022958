"""Each example, headless, killed with -9 at random points and run again.

The law: what the store had recorded as succeeded when a process was killed is not executed again, as a log outside of
the store saw it. What was acknowledged is recorded, so it is in that set.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.examples.runs import Example, assert_complete, outputs

EXECUTIONS = {"research_agent": 24, "document_batch": 740, "model_sweep": 16}
"""Lines in the log of one whole run; about so many for the agent."""
EDITED = "bayes"
"""Its code is another one after the fix, so the cells before the fix rightly execute it again."""
SLOTS = 40
"""Calls that may be under way at once, at most."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Example:
    return Example(request.param, tmp_path)


each_example = pytest.mark.parametrize("example", list(EXECUTIONS), indirect=True)


def kill_and_run_again(example: Example, kills: int, seed: int) -> None:
    """Kill at random points, run again each time, and hold every execution against what was recorded before it."""
    chance = random.Random(f"{example.name} {seed}")
    done = 0
    seen: list[tuple[int, set[tuple[str, str]]]] = []
    while done < kills:
        whom = chance.choice(["runner", "kernel", "both"])
        if not example.run_killed(chance.randint(1, max(2, EXECUTIONS[example.name] // kills)), whom):
            break
        done += 1
        seen.append((len(example.log), example.recorded()))
        print(f"seed {seed}: killed the {whom} after {seen[-1][0]} executions, {len(seen[-1][1])} recorded")
    assert done
    example.finish()

    for at, recorded in seen:
        again = Counter((what, subject) for _, what, subject in example.log[at:] if what != EDITED)
        assert not {call: times for call, times in again.items() if call in recorded}
    finished = Counter((what, subject) for _, what, subject in example.log if what == "model answered")
    assert sum(finished.values()) - len(finished) <= SLOTS * done
    assert_complete(example.out)


@pytest.mark.parametrize("example", ["research_agent"], indirect=True)
def test_killed_once_and_run_again_nothing_recorded_executes_twice(example: Example) -> None:
    kill_and_run_again(example, kills=1, seed=int(os.environ.get("CRASH_SEED") or random.randrange(1000)))


@pytest.mark.full
@each_example
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_five_points_and_run_again_each_time(example: Example, seed: int) -> None:
    kill_and_run_again(example, kills=5, seed=seed)


@pytest.mark.parametrize("example", ["document_batch"], indirect=True)
def test_three_broken_files_fail_and_are_replayed_alone(example: Example) -> None:
    """At least 500 real files; three fail; the replay executes three."""
    example.finish()
    assert_complete(example.out)
    measured = Counter(Path(subject).name for _, what, subject in example.log if what == "measure")
    broken = {"greeting.py", "report.py", "tides.py"}
    inbox = Counter(subject for _, what, subject in example.log if what == "measure" and subject.startswith("inbox"))
    assert set(inbox.values()) == {2}
    assert {Path(subject).name for subject in inbox} == broken
    assert sum(measured.values()) - sum(inbox.values()) >= 500
    assert sum(measured.values()) == len({tuple(line[1:]) for line in example.log}) + 3
    assert "3 failed" in outputs(example.out, "first")
    assert "from checkpoint · 3 ran" in outputs(example.out, "replay")
    for name in broken:
        assert f"inbox/{name}" in outputs(example.out, "failures")


@pytest.mark.parametrize("example", ["model_sweep"], indirect=True)
def test_the_sweep_fails_at_one_model_and_goes_on_there_after_the_fix(example: Example) -> None:
    example.finish()
    assert_complete(example.out)
    runs = Counter((what, subject) for _, what, subject in example.log)
    assert runs.pop(("bayes", "1.0")) == 2
    assert set(runs.values()) == {1}
    assert len(runs) == 15
    assert "Negative values" in outputs(example.out, "first")
    assert "9 from checkpoint · 7 ran" in outputs(example.out, "replay")
    assert "reused with changed code" not in outputs(example.out, "replay")
    (sweep,) = example.requests()
    assert [(each.current, each.total) for each in sweep.progress] == [(16, 16)]


@pytest.mark.full
@each_example
def test_a_finished_notebook_run_again_executes_nothing(example: Example) -> None:
    """Everything is served, and the output notebook is complete all the same."""
    example.finish()
    before = len(example.log)
    example.finish()
    assert [line for line in example.log[before:] if line[1] != EDITED] == []
    assert_complete(example.out)


@pytest.mark.parametrize("example", ["research_agent"], indirect=True)
def test_the_agents_go_on_after_the_outage_with_the_answers_they_had(example: Example) -> None:
    example.finish()
    assert_complete(example.out)
    answered = [subject for _, what, subject in example.log if what == "model answered"]
    assert len(answered) == len(set(answered))
    assert "503: the service is down" in outputs(example.out, "research")
    assert " from checkpoint · " in outputs(example.out, "replay")
    (research,) = example.requests()
    assert research.status == "succeeded"
    assert len(research.calls("ask")) == len(answered)
    assert len(research.output()) == 3
