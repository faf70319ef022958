"""The examples for Tensorlake: its package accepts each, and runs it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable.export import exporting
from jupyter_durable.export.exporting import Wish
from jupyter_durable.export.notebook import read_notebook
from tests.conftest import ROOT
from tests.export.theirs import PYTHON, accepted, needs_tensorlake

QUESTION = "How does the with statement call the methods of a context manager?"
CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "research_agent": [("research", {"questions": [QUESTION]})],
    "document_batch": [("measure_all", {"paths": ["stub.py"]})],
    "model_sweep": [("sweep", {"configurations": [{"model": "bayes", "value": 1.0}]})],
}
KEPT_OUT = ("list_requests", "go_down_after(9)\n", "shutil.copytree", "%load_ext", "jupyter_durable")
"""What only explored, or is ours."""


def exported(name: str, folder: Path) -> Path:
    """An example as a directory; the file that is deployed."""
    foreseen = exporting.foresee(read_notebook(ROOT / "examples" / f"{name}.ipynb"), Wish(target="tensorlake"))
    written = exporting.export(foreseen, folder / name)
    return written.directory / f"{name}.py"


@pytest.mark.parametrize("name", CALLS)
def test_an_example_goes_in_without_what_only_explored(name: str, tmp_path: Path) -> None:
    text = exported(name, tmp_path).read_text()
    compile(text, name, "exec")
    for word in KEPT_OUT:
        assert word not in text.replace("`%load_ext jupyter_durable`", "")


@needs_tensorlake
@pytest.mark.full
@pytest.mark.parametrize("name", CALLS)
def test_their_package_accepts_an_example_and_runs_it(name: str, tmp_path: Path) -> None:
    if name == "model_sweep" and subprocess.run([PYTHON, "-c", "import sklearn"], capture_output=True).returncode:
        pytest.skip("scikit-learn is not installed beside tensorlake")
    path = exported(name, tmp_path)
    shutil.copy(ROOT / "examples" / "stub_model.py", path.parent / "stub.py")
    seen = accepted(path, CALLS[name], EXECUTION_LOG=str(tmp_path / "log"))
    assert seen.errors == []
    [output] = seen.outputs
    if name == "research_agent":
        assert set(output) == {QUESTION}
    elif name == "document_batch":
        assert output[0]["files"] == 1
        assert output[0]["lines"] > 10
    else:
        assert output[0]["accuracy"] > 0.7
    assert set(seen.manifests) == {CALLS[name][0][0]}
