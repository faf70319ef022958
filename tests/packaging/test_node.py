"""Node comes with the build: none needs to be on the machine."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.conftest import ROOT

HOOKS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["hooks"]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a build reads of a clone before it begins."""
    for name in ("pyproject.toml", "hatch_build.py"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_a_build_from_a_clone_brings_its_own_node(clone: Path) -> None:
    assert HOOKS["custom"]["node"] in WheelBuilder(str(clone)).config.dependencies


def test_a_build_of_what_was_built_before_asks_for_no_node(clone: Path) -> None:
    """So a source distribution is installed without 60 MB of Node."""
    for name in HOOKS["jupyter-builder"]["skip-if-exists"]:
        (clone / name).parent.mkdir(parents=True)
        (clone / name).touch()
    assert "node" not in " ".join(WheelBuilder(str(clone)).config.dependencies)


def test_the_environment_of_the_scripts_has_the_same_node() -> None:
    pins = (ROOT / "constraints.txt").read_text().split()
    name, version = HOOKS["custom"]["node"].split("==")
    assert {f"{name}=={version}", f"{name}-binaries=={version}"} <= set(pins)
