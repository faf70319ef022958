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
    assert contract in broken_by(tmp_path, f"jupyter_durable/{module}", statement)


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        (
            "magics.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import jupyter_durable_kernel.extension",
            "No circles",
        ),
        ("view/state.py", "def late():\n    import jupyter_durable_kernel.view.as_json", "No circles"),
        ("view/state.py", "import jupyter_durable_kernel.cells.head", "The kernel's rooms"),
        ("view/state.py", "import traitlets", "What shows a request needs no kernel"),
    ],
)
def test_a_step_out_of_a_room_of_the_kernel_breaks_its_contract(
    tmp_path: Path, module: str, statement: str, contract: str
) -> None:
    assert contract in broken_by(tmp_path, f"jupyter_durable_kernel/{module}", statement)


def broken_by(tmp_path: Path, module: str, statement: str) -> str:
    """The contracts that are broken when `statement` stands at the end of a module, a line each."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    packages = tmp_path / "packages"
    ignore = shutil.ignore_patterns("__pycache__")
    for package in (ROOT / "jupyter_durable", ROOT / "kernel" / "jupyter_durable_kernel"):
        shutil.copytree(package, packages / package.name, ignore=ignore)
    with (packages / module).open("a") as file:
        file.write(f"\n{statement}\n")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("lint-imports"),
            "--no-logo",
            "--no-cache",
            "--config",
            tmp_path / "pyproject.toml",
        ],
        cwd=packages,
        env={"PYTHONPATH": str(packages), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if line.endswith("BROKEN"))
