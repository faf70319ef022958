"""Fixtures that several areas share. A fixture that one area needs stands in that area."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from jupyter_durable.function import registry

ROOT = Path(__file__).resolve().parent.parent

pytest.register_assert_rewrite("jupyter_durable.testing.conformance")  # no test file by its name
settings.register_profile("jupyter_durable", deadline=None)  # how busy the machine is proves nothing
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("jupyter_durable")
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # see `_programs_start_without_a_grammar`


BROWSER = "tests/browser/"
LONG = (BROWSER, "tests/crash/", "tests/cli/test_run.py", "tests/examples/", "tests/benchmarks/", "tests/docs/",
        "tests/applications/", "tests/races/", "tests/laws/", "tests/kernel/", "tests/store/",
        "tests/server/")  # fmt: skip
"""What takes longest, and begins first: the end finds only short files, which all workers share."""


class HalvesOfTheBrowser(LoadScopeScheduling):
    """How workers share the tests: two have half of the browser's files each, since these need a server and a window;
    the other files go one by one to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if not file.startswith(BROWSER):
            return file
        return f"{BROWSER}a-m" if file < f"{BROWSER}test_n" else f"{BROWSER}n-z"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> HalvesOfTheBrowser:
    """Called where the tests are shared between workers, in the process that hands them out."""
    return HalvesOfTheBrowser(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: next((n for n, path in enumerate(LONG) if item.nodeid.startswith(path)), len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_the_user_is_read_or_written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The default store and all configuration, of the tests and of what they start, are under a temporary root."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(home / name.lower()))
        patch.delenv("JUPYTER_PATH", raising=False)
        yield


@pytest.fixture(scope="module", autouse=True)
def _what_tests_define_is_forgotten_with_their_file() -> Iterator[None]:
    """Durable functions are one namespace in a process, and files share workers: each may have an `app` of its own."""
    with registry.as_it_was():
        yield


@pytest.fixture(scope="session", autouse=True)
def _programs_start_without_a_grammar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What reads notebooks imports jsonschema, which builds a grammar of international addresses if it finds one: more
    than a second of each start, for a format that nothing here has. Programs of the tests find none."""
    folder = tmp_path_factory.mktemp("path")
    (folder / "rfc3987_syntax.py").write_text("raise ImportError('not in tests')\n")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        yield


def environment(name: str, packages: Sequence[str], extras: str = "[notebook]") -> Path:
    """Interpreter of an environment with this project (editable) and `packages`, which constraints.txt does not bind.

    Made once (half a minute and more) in `.venv-NAME` and kept; made anew when pyproject.toml, constraints.txt, the
    packages or the interpreter change.
    """
    env = ROOT / f".venv-{name}"
    python = env / "bin" / "python"
    constraints = (ROOT / "constraints.txt").read_text()
    said = f"{(ROOT / 'pyproject.toml').read_text()}{constraints}{sys.version}{ROOT}{packages}{extras}"
    wanted = hashlib.sha256(said.encode()).hexdigest()
    stamp = env / ".ready"
    with (ROOT / "tests" / "conftest.py").open() as lock, TemporaryDirectory() as directory:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once must not install into the same environment
        if stamp.exists() and stamp.read_text() == wanted:
            return python
        free = {package.partition("==")[0] for package in packages}
        bound = [line for line in constraints.splitlines() if line.partition("==")[0] not in free]
        kept = Path(directory, "constraints.txt")
        kept.write_text("\n".join(bound))
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(env)], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "-c", str(kept)]
        subprocess.run([*pip, "hatchling", "hatch-jupyter-builder", *packages], check=True)
        as_it_is = {**os.environ, "HATCH_JUPYTER_BUILDER_SKIP_NPM": "1"}  # the page's part is built already
        subprocess.run([*pip, "--no-build-isolation", "-e", f"{ROOT}{extras}"], check=True, env=as_it_is)
        stamp.write_text(wanted)
    return python


@pytest.fixture(scope="session")
def ipykernel6_python() -> Path:
    """Interpreter of an environment with ipykernel 6.31, the oldest that is supported."""
    return environment("ik6", ["ipykernel==6.31.*"], extras="")
