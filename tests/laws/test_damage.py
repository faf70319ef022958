"""Law c: a value that is served is the recorded one, byte for byte, else there is a typed error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def damages(folder: Path, count: int, mutant: str | None = None) -> Any:
    seed = os.environ.get("CRASH_SEED") or str(int.from_bytes(os.urandom(3), "big"))
    command = [sys.executable, "-B", "-m", "tests.laws.damage", str(folder / "damages"), seed, str(count)]
    command += [mutant] if mutant else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    print(f"\nCRASH_SEED={seed}: {said['made']} -> {said['ends']}, {len(said['unseen'])} unseen")
    return said


def test_damages_are_seen_or_change_nothing(tmp_path: Path) -> None:
    """Bits, pages, rows and large values are changed, cut and exchanged."""
    said = damages(tmp_path, 72)
    assert said["unseen"] == []
    assert said["ends"]["DeserializationError"] > 5


def test_values_that_are_served_unchecked_are_found(tmp_path: Path) -> None:
    """The planted bug: signatures are not checked."""
    assert damages(tmp_path, 36, "signatures not checked")["unseen"]


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_ten_thousand_damages(tmp_path: Path) -> None:
    """The same, long."""
    assert damages(tmp_path, 10_000)["unseen"] == []
