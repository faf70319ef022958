"""What importing costs, and which way imports may go."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import ROOT

HEAVY: Final = (
    "IPython",
    "ipykernel",
    "traitlets",
    "ipywidgets",
    "jupyter_client",
    "jupyter_core",
    "jupyter_server",
    "ray",
)


def loaded_by(statement: str) -> set[str]:
    """`sys.modules` of a fresh interpreter after `statement`."""
    program = f"{statement}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def imported_by(statement: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter after `statement`."""
    return {name.partition(".")[0] for name in loaded_by(statement)}


SYNCHRONOUS: Final = """
import sys
from jupyter_durable import Retries, RequestContext, application, configure, function, run_local_application
configure(store={store!r})
failed = []
@function(retries=Retries(1, initial_delay=0))
def fails_once(n):
    if not failed:
        failed.append(n)
        raise ValueError(n)
    return n
@function(timeout=60)
def in_time(n):
    RequestContext.get().progress.update(n, 3)
    return n
@application()
@function()
def flow(n: int) -> int:
    started = in_time.future(n).run()
    return sum(in_time.map(range(n))) + fails_once(n) + started.result()
request = run_local_application(flow, 3)
assert request.output() == 9
assert request.replay().output() == 9
"""
"""All that synchronous code has: retries, time limits, threads, maps, Futures, and a replay."""


@pytest.mark.parametrize("store", ["memory:", "sqlite:///{folder}/store.db"])
def test_a_synchronous_application_never_imports_asyncio(tmp_path: Path, store: str) -> None:
    """It would cost more than all else that an import of the package takes, and serves coroutines alone."""
    loaded = imported_by(SYNCHRONOUS.format(store=store.format(folder=tmp_path)))
    assert "jupyter_durable" in loaded
    assert loaded.isdisjoint({"asyncio", "ssl"})


ONE_CALL: Final = """
from jupyter_durable import configure, function
configure(store="memory:")
@function()
def first(number):
    return number
first(1)
"""


def test_a_durable_call_imports_nothing_that_shows_or_replays_a_request() -> None:
    """Those are the larger part of the client, and most processes look at no request."""
    loaded = loaded_by(ONE_CALL)
    assert "jupyter_durable.client.engine" in loaded
    assert loaded.isdisjoint(
        {"jupyter_durable.client.request", "jupyter_durable.client.replay", "jupyter_durable.core.calltree"}
    )


@pytest.mark.parametrize("store", ["memory:", "sqlite:///{folder}/store.db"])
def test_a_durable_call_imports_nothing_that_its_arguments_and_its_success_do_not_need(
    tmp_path: Path, store: str
) -> None:
    """Half of what a first call took was modules for values, failures and headers that it does not have."""
    loaded = loaded_by(ONE_CALL.replace("memory:", store.format(folder=tmp_path)))
    assert "jupyter_durable.client.engine" in loaded
    assert loaded.isdisjoint({"cloudpickle", "json", "logging", "platform", "random", "shutil", "sysconfig", "tomllib"})
    assert loaded.isdisjoint({"_hashlib", "decimal", "fractions", "hmac", "secrets", "uuid", "zoneinfo"})
    assert loaded.isdisjoint({"heapq", "queue", "signal"})
    assert "jupyter_durable.runner.failures" not in loaded
    assert loaded.isdisjoint({f"jupyter_durable.serializer.{name}" for name in ("dual", "kinds", "refusing", "walked")})


def test_importing_the_package_imports_no_module_that_only_calls_need() -> None:
    """A module that defines functions is imported in every process, also where none of them is called."""
    assert imported_by("import jupyter_durable").isdisjoint({"asyncio", "concurrent", "ctypes", "json", "logging"})


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
        ("server/agents/tools.py", "import pickle", "Agents are served from manifests"),
        ("server/agents/results.py", "import jupyter_durable.code.restore", "Agents are served from manifests"),
        ("server/agents/results.py", "import jupyter_durable.server.agents.handlers", "The room of agents"),
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
