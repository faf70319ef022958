"""Laws g and h: one process at a time runs a request, a stale one writes nothing, a dead one is seen at once."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from tests.laws.scripts import answer, ended, executions, start, wait_for
from tests.races.leases_verdict import Race
from tests.races.test_leases import tracks


def test_of_three_that_replay_at_once_one_runs_and_the_others_say_who(tmp_path: Path) -> None:
    """Their owner is dead, or a zombie. The calls of the winner are slow and succeed; each executes once."""
    with tracks(tmp_path) as track:
        assert track.run([Race(seed, ("dead", "zombie")[seed % 2], "replay", 3) for seed in range(6)]) == []


def paused(folder: Path, mutant: str = "") -> list[str]:
    """A holder is stopped in a call, its request is taken over and ended, then it goes on; what was wrong."""
    holder = start("hold", folder, *[mutant] * bool(mutant))
    with ended(holder):
        wait_for((folder / "there").exists)
        os.kill(holder.pid, signal.SIGSTOP)
        before, refused, status, output = answer(start("take_over", folder))
        assert (before, status) == ("running", "succeeded")
        assert f"is being run by process {holder.pid}" in refused
        assert "take it over" in refused
        os.kill(holder.pid, signal.SIGCONT)
        said = answer(holder)
    wrong = [] if said.startswith("LeaseLost") else [f"the stale holder ended with {said}"]
    after = answer(start("status", folder))
    if after != ["succeeded", output, 4]:
        wrong.append(f"the stale holder changed {output} to {after}")
    if Counter(executions(folder)) != {"part0": 1, "part1": 2, "part2": 1, "part3": 1}:
        wrong.append(f"executed: {executions(folder)}")
    return wrong


def test_a_holder_that_was_paused_and_taken_over_commits_nothing(tmp_path: Path) -> None:
    """SIGSTOP in a call; while it stands another takes over; SIGCONT: its commit is refused and it stops."""
    assert paused(tmp_path) == []


def test_a_store_without_fences_is_found(tmp_path: Path) -> None:
    """The planted bug: the epoch is ignored."""
    assert paused(tmp_path, "no fencing")


def test_a_killed_owner_reads_interrupted_at_once(tmp_path: Path) -> None:
    """Also a zombie is gone; the lease is not waited for."""
    holder = start("hold", tmp_path)
    with ended(holder):
        wait_for((tmp_path / "there").exists)
        assert answer(start("status", tmp_path))[0] == "running"
        os.kill(holder.pid, signal.SIGKILL)
        assert answer(start("status", tmp_path))[0] == "interrupted"  # not waited for: it is a zombie
    (tmp_path / "go").touch()
    assert answer(start("hold", tmp_path)) == "succeeded"
