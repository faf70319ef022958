"""What one process captured, another one that never ran the cells restores and runs."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.code.cases import CASES

ROOT = Path(__file__).resolve().parents[2]


def _python(*args: str, seed: str = "1") -> str:
    env = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"}
    return subprocess.run([sys.executable, *args], env=env, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("snapshots") / "first"
    _python("-m", "tests.code.notebook", "write", str(path))
    return path


@pytest.fixture(scope="module")
def answers(snapshots):
    return json.loads(_python("-m", "tests.code.notebook", "read", str(snapshots)))


@pytest.mark.parametrize("name", CASES)
def test_restored_code_gives_what_the_cells_gave(answers, name):
    answer, missing = answers[name]
    assert answer == CASES[name].answer
    assert tuple(statement for _, statement in missing) == CASES[name].missing


def test_snapshots_are_equal_bytes_in_every_process(snapshots, tmp_path):
    """So that a version is stored once, whatever the hash seed. Pydantic writes addresses into its schemas."""
    _python("-m", "tests.code.notebook", "write", str(tmp_path / "again"), seed="2")
    first = pickle.loads(snapshots.read_bytes())
    again = pickle.loads((tmp_path / "again").read_bytes())
    assert [name for name in CASES if first[name] != again[name]] in ([], ["a pydantic model"])


def test_a_snapshot_holds_no_credential(snapshots):
    data = pickle.loads(snapshots.read_bytes())["credentials"]
    assert b"okay" in data
    assert [text for text in (b"hunter2", b"letmein99", b"zzz") if text in data] == []
