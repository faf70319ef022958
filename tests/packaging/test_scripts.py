"""The commands of the README are there and work from any directory."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

COMMANDS = sorted(path for path in (ROOT / "scripts").iterdir() if path.suffix == "" and path.name != "_env")


def test_the_readme_names_every_command_and_no_other() -> None:
    named = set(re.findall(r"scripts/([a-z-]+)", (ROOT / "README.md").read_text()))
    assert named == {path.name for path in COMMANDS if path.is_file()}


@pytest.mark.parametrize("path", [path for path in COMMANDS if path.is_file()], ids=lambda path: path.name)
def test_a_command_stops_at_its_first_error(path: Path) -> None:
    assert os.access(path, os.X_OK)
    assert "\nset -euo pipefail\n" in path.read_text()
    subprocess.run(["bash", "-n", path], check=True)


def test_ci_runs_the_test_command_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith(("#", "set "))]
    assert commands == ['exec "$(dirname "${BASH_SOURCE[0]}")/../scripts/test"']


def test_the_environment_is_entered_from_any_directory(tmp_path: Path) -> None:
    program = 'set -euo pipefail; source "$1"; pwd; echo "$python"'
    command = ["bash", "-c", program, "bash", str(ROOT / "scripts" / "_env")]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [str(ROOT), str(ROOT / ".venv" / "bin" / "python")]


def test_every_pinned_version_is_for_the_oldest_python_of_the_project() -> None:
    """A pin that wanted 3.11.5 left whoever has the Python 3.11.2 of Debian 12 without an environment."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest = f"{wanted.removeprefix('>=')}.0"
    pins = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    there = {(canonicalize_name(found.name), found.version): found.metadata for found in distributions()}
    pinned = {(name, version): there.get((canonicalize_name(name), version)) for name, version in pins}
    assert [pin for pin, found in pinned.items() if found is None] == []
    pythons = {pin: SpecifierSet(found["Requires-Python"] or "") for pin, found in pinned.items() if found is not None}
    assert [pin for pin, python in pythons.items() if oldest not in python] == []
