"""An exported project, and the notebook that it comes from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from jupyter_durable.export.project import plan, write
from tests.conftest import ROOT
from tests.export.exported import Exported
from tests.export.selections import as_script, brief_selection


class Notebook(NamedTuple):
    """A process that has its functions in `__main__`, as a kernel has."""

    script: Path
    store: str
    log: Path

    def run(self, count: int, die_at: str = "") -> str:
        """Call the application; what it printed, empty when it was killed."""
        environment = {**os.environ, "EXECUTION_LOG": str(self.log), "DIE_AT": die_at, "PYTHONPATH": str(ROOT)}
        environment["JUPYTER_DURABLE_STORE"] = self.store
        command = [sys.executable, str(self.script), str(count)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode == -9) == bool(die_at), done.stderr
        return done.stdout


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    """The notebook, not run yet."""
    script = tmp_path / "notebook.py"
    script.write_text(as_script(brief_selection()))
    return Notebook(script, f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "executions")


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    """The project of the notebook, in a folder of its own."""
    write(plan(brief_selection(), "server", "briefs"), tmp_path / "project")
    return Exported(tmp_path / "project", "briefs")
