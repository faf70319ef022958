"""Races between the threads of one process: every concurrent feature, with delays at the lines of the engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RUN_SECONDS = 110.0


def raced(*arguments: object) -> tuple[list[dict], str]:
    """What the runs said, each failure and the end; and the standard error, with all stacks when one hung."""
    command = [sys.executable, "-m", "tests.races.threads_run", *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS)
    return [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr[-20_000:]


def test_every_scenario_once_with_delays() -> None:
    """Values, executions and ends are those of the same code without any delay."""
    told, errors = raced("--seed", 1)
    assert "end" in (told[-1] if told else {}), f"a run hangs:\n{errors}"
    assert len(told) == 1, told
