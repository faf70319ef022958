"""The benchmarks run. How fast they are is not for tests to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cases import CASES
from benchmarks.measure import Figure, paired, read_figure

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("named", [("script", "map", "array"), pytest.param(tuple(CASES), marks=pytest.mark.full)])
def test_the_command_runs_cases_at_their_smallest_size(named):
    """One command runs the cases, each in a process of its own, and prints figures of each."""
    command = [sys.executable, "-m", "benchmarks", "--smallest", "--json", "-", *named]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]
    figures = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len({figure["case"] for figure in figures}) == len(named)
    assert all(figure["unit"] == "MB" or figure["value"] >= 0 for figure in figures)


def test_a_figure_survives_its_line():
    """What a case prints in its own process is what the table shows."""
    figure = Figure("case", "name", 1.5, "us", None, 1.0, "floor", 1.5, 1.2)
    assert read_figure(figure.line()) == figure
    assert read_figure("something else that was printed") is None


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("c", "n", 9.0, "us", 10.0), "ok"),
        (Figure("c", "n", 11.0, "us", 10.0), "over"),
        (Figure("c", "n", 11.0, "us", None, 10.0, "f", 1.1, 1.2), "ok"),
        (Figure("c", "n", 13.0, "us", None, 10.0, "f", 1.3, 1.2), "over"),
        (Figure("c", "n", 13.0, "us"), ""),
    ],
)
def test_a_figure_is_held_against_its_bar(figure: Figure, verdict: str):
    """A bar is on the figure or on the ratio; without one there is no verdict."""
    assert figure.verdict() == verdict


def test_ratios_are_medians_over_rounds():
    """A round in which the machine was slow slows both, and one outlier does not count."""
    times = {"a": iter([2.0, 20.0, 2.0]), "b": iter([1.0, 10.0, 0.1])}
    pairs = paired({"a": lambda: next(times["a"]), "b": lambda: next(times["b"])}, 3, 0)
    assert pairs.ratio("a", "b") == 2.0
    assert pairs.median("a") == 2.0
