"""What `scripts/demo` claims, seen from outside."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import jupyter_durable
from jupyter_durable.client import Engine, Settings, this_engine
from jupyter_durable.context import engine
from tests.conftest import ROOT
from tests.examples.runs import loaded

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    before = this_engine()
    engine.set(Engine(Settings(store=f"sqlite:///{tmp_path / 'store.db'}")))
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    yield loaded(ROOT / "scripts" / "demo.py")
    this_engine().store.close()
    engine.set(before)


def test_the_second_kernel_is_given_three_lines_and_no_cell_of_the_notebook(demo: Any, tmp_path: Path) -> None:
    """It succeeds with those, no recorded answer is asked for again, and the first kernel is dead."""
    place, console = demo.Place(tmp_path), Console(file=io.StringIO())
    killed = demo.first_kernel(place, 4, console)
    with pytest.raises(ProcessLookupError):
        os.kill(killed.pid, 0)
    request = jupyter_durable.get_request("last")
    assert request.status == "interrupted"
    recorded = demo.conversations(request.calls("ask"))
    assert recorded

    kernel, said = demo.second_kernel(place, console)

    assert kernel.sent == demo.resume_lines(place.store)
    assert len(kernel.sent) == 3
    for cell in demo.notebook_cells():
        assert cell in kernel.sent[:1] or not any(cell in line for line in kernel.sent)
    assert " from checkpoint · " in said
    assert request.status == "succeeded"
    asked = {subject for pid, subject in place.lines("model asked") if pid == kernel.pid}
    assert asked
    assert not asked & recorded
    assert {pid for pid, _ in place.lines("model asked")} == {killed.pid, kernel.pid}


def test_the_command_shows_the_tree_and_ends_well(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py"), "--folder", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for wanted in (
        "kill -9",
        "get_request",
        "research[0]",
        "from checkpoint",
        " ran",
        "all the same: none",
        "scripts/lab",
    ):
        assert wanted in done.stdout
