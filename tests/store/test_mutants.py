"""The store's tests find planted bugs: each mutant is a copy of the project with one change, and must fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Mutant(NamedTuple):
    name: str
    file: str
    old: str
    new: str
    tests: str
    """Expression for `pytest -k`."""


SETTINGS = """
[pytest]
pythonpath = .
addopts = --import-mode=importlib -p no:asyncio
filterwarnings = error
timeout = 40
markers = full
"""
MUTANTS = [Mutant(**entry) for entry in tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["mutant"]]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_fits_the_code(mutant: Mutant) -> None:
    """Whether it is found takes long to see; that what it changes is still there, once, is seen whenever code moves."""
    assert file_of(mutant, ROOT).read_text().count(mutant.old) == 1


@pytest.mark.full
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_found(mutant: Mutant, tmp_path: Path) -> None:
    for name in ("jupyter_durable", "tests/store"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests/__init__.py").touch()
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    file = file_of(mutant, tmp_path)
    text = file.read_text()
    sound = run_tests(tmp_path, mutant.tests)
    assert sound.returncode == 0, sound.stdout
    file.write_text(text.replace(mutant.old, mutant.new))
    assert run_tests(tmp_path, mutant.tests).returncode == 1


def file_of(mutant: Mutant, root: Path) -> Path:
    """The file that it changes, in the project at `root`."""
    return root / "jupyter_durable/store/sqlite" / mutant.file


def run_tests(folder: Path, expression: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not full", "-k", expression]
    return subprocess.run(
        [*command, "tests/store"], cwd=folder, capture_output=True, text=True, check=False, timeout=100
    )
