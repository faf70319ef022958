"""What importing costs, and which way imports may go."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

HEAVY = ("IPython", "ipykernel", "traitlets", "ipywidgets", "jupyter_client", "jupyter_core", "jupyter_server", "ray")


def imported_by(statement: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter after `statement`."""
    program = f"{statement}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("package", ["jupyter_durable", "jupyter_durable_kernel"])
def test_importing_the_package_imports_no_jupyter(package: str) -> None:
    loaded = imported_by(f"import {package}")
    assert package in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("errors.py", "import jupyter_durable.store.base", "Floors"),
        ("store/base.py", "import jupyter_durable.serializer.base", "Floors"),
        ("core/model.py", "import time", "The core does no I/O"),
        ("core/model.py", "import sqlite3", "The core does no I/O"),
        ("store/base.py", "import IPython", "The library runs without Jupyter"),
        ("store/base.py", "import jupyter_durable_kernel", "The library runs without Jupyter"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(tmp_path: Path, module: str, statement: str, contract: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    packages = tmp_path / "packages"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "jupyter_durable", packages / "jupyter_durable", ignore=ignore)
    shutil.copytree(ROOT / "kernel" / "jupyter_durable_kernel", packages / "jupyter_durable_kernel", ignore=ignore)
    with (packages / "jupyter_durable" / module).open("a") as file:
        file.write(f"\n{statement}\n")
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint_imports, "--no-logo", "--no-cache", "--config", tmp_path / "pyproject.toml"],
        cwd=packages,
        env={"PYTHONPATH": str(packages), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert any(line.startswith(contract) and line.endswith("BROKEN") for line in done.stdout.splitlines()), done.stdout
