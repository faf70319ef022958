"""Laws l and o: a disk that is full, a store that may not be written, a storm of interrupts: nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.witness import ACKNOWLEDGED
from tests.laws.scripts import LARGE, answer, ended, executions, log_of, start


def test_a_full_disk_is_an_error_that_says_so_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    said, status, first, after = answer(start("full_disk", tmp_path))
    assert "could not be written" in said
    assert "replay the request to go on" in said or "Free some space" in said
    assert status in ("interrupted", "running")
    assert 0 < first < 40
    assert after == "succeeded"
    acknowledged = {event.key for event in log_of(tmp_path)[: 2 * first] if event.kind == ACKNOWLEDGED}
    counts = Counter(executions(tmp_path))
    assert len(counts) == 40
    assert sum(counts.values()) <= 41, "more than the call that could not be kept executed again"
    values: dict[str, set[str]] = {}
    for event in log_of(tmp_path):
        if event.kind == ACKNOWLEDGED:
            values.setdefault(event.key, set()).add(event.detail)
    assert acknowledged
    assert all(len(each) == 1 for each in values.values())


@pytest.mark.parametrize("what", LARGE)
def test_a_large_value_that_could_not_be_written_is_kept_and_its_call_does_not_execute_again(
    tmp_path: Path, what: str
) -> None:
    """As it was when the call returned it, whatever became of it since; a replay without room says the same again."""
    said, first, status, output = answer(start("large", tmp_path, what))
    assert [text.partition(":")[0] for text in said] == ["CheckpointError"] * 2, said
    assert all("kept in memory" in text for text in said)
    assert status == "succeeded"
    counts = Counter(executions(tmp_path))
    if what == "map":  # what ran beside the refused one was cut off, and had told nobody its result
        assert sum(counts.values()) < 8, counts
    elif what == "failure":  # failures execute again
        assert counts["part0"] == 2
    else:
        assert set(counts.values()) == {1}, counts
        assert len(first) < 4
    if what == "array":
        assert output == [0, 1, 2, 3]


def test_without_file_descriptors_nothing_is_lost_and_it_goes_on_when_some_are_free(tmp_path: Path) -> None:
    """Small values need none; a large one is kept; and nobody's owner counts as gone because it cannot be looked at."""
    said, owner, status, length = answer(start("descriptors", tmp_path))
    assert len(said) == 2, said
    assert said[0].startswith("CheckpointError: a large value could not be written"), said
    assert all("limit of open files" in text or "ulimit -n" in text for text in said), said
    assert owner == "True" or "cannot be told" in owner
    assert (status, length) == ("succeeded", 300)
    assert Counter(executions(tmp_path)) == Counter(f"part{i}" for i in range(300))


@pytest.mark.parametrize("size", [5_000, 60_000, 200_000])
def test_a_file_system_that_fills_up_loses_nothing_and_executes_nothing_twice(tmp_path: Path, size: int) -> None:
    """With small values the log is what does not fit, with large ones a file of their own."""
    home = tmp_path / "home"
    home.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(home)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        said, first, count, status, length, levels = answer(start("small_tmpfs", tmp_path, size))
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)
    assert len(said) == 2, said
    assert all(text.startswith("CheckpointError") for text in said), said
    assert 0 < first < count
    assert (status, length, levels) == ("succeeded", count, ["ok"])
    assert Counter(executions(tmp_path)) == Counter(f"part{i}" for i in range(count))


def storm(folder: Path, calls: int, interrupts: int, each: int = 1) -> None:
    """SIGINT at random moments; the script goes on with its request each time."""
    process = start("storm", folder, calls, each)
    draw = random.Random(11)
    with ended(process):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        sent = 0
        while process.poll() is None and sent < interrupts:
            time.sleep(draw.random() * 0.06)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGINT)
                sent += 1
        said = answer(process, 600)
    seen, open_transactions, output, refused = said
    print(f"{sent} interrupts were sent, {seen} came while a request ran")
    assert refused == []
    assert sent > interrupts // 2, "the request ended before most of them"
    assert seen > sent // 3
    assert open_transactions == 0
    assert output == calls
    values: dict[str, set[str]] = {}
    for event in log_of(folder):
        if event.kind == ACKNOWLEDGED:
            values.setdefault(event.key, set()).add(event.detail)
    assert len(values) == calls
    assert all(len(each) == 1 for each in values.values()), "an acknowledged call executed again"


def test_a_storm_of_interrupts_leaves_no_open_transaction_and_no_half_committed_call(tmp_path: Path) -> None:
    storm(tmp_path, 2000, 60)


def test_a_second_interrupt_while_the_first_is_settled(tmp_path: Path) -> None:
    storm(tmp_path, 2000, 60, each=3)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_a_thousand_interrupts(tmp_path: Path) -> None:
    storm(tmp_path, 30_000, 1000)
