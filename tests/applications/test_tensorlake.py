"""Tensorlake's own client, unmodified, against our server.

Rules of this file
- The package is of another house and has many dependencies, so it may stand in an environment of its own, whose
  interpreter TENSORLAKE_PYTHON names.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from tests.applications.conftest import PATIENCE, Served
from tests.applications.programs import DEPLOY, HEAD, SQUARES

PYTHON = os.environ.get("TENSORLAKE_PYTHON") or (sys.executable if importlib.util.find_spec("tensorlake") else "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="tensorlake is not installed, and TENSORLAKE_PYTHON names no other")

CLIENT = """
from tensorlake.applications import RequestError, RequestFailed, run_remote_application
from tensorlake.applications.remote.api_client import APIClient

request = run_remote_application("squares", 4)
assert request.output() == 14, request.output()
assert run_remote_application("squares", upto=3).output() == 5
assert [each.name for each in APIClient().applications()] == ["fail", "refuse", "squares"]
try:
    run_remote_application("refuse", "not today").output()
except RequestError as error:
    assert error.message == "not today"
try:
    run_remote_application("fail").output()
except RequestFailed as error:
    print(error)
"""
MORE = """
@application()
@function()
def refuse(why: str) -> None:
    raise RequestError(why)

@application()
@function()
def fail() -> None:
    raise ValueError("broken")
"""


def test_its_client_starts_requests_waits_for_them_and_reads_what_they_give(server: Served) -> None:
    assert HEAD in SQUARES
    server.script(SQUARES + MORE + DEPLOY)
    environment = {**os.environ, "TENSORLAKE_API_URL": server.url, "TENSORLAKE_API_KEY": server.token}
    done = subprocess.run(
        [PYTHON, "-c", CLIENT], capture_output=True, text=True, env=environment, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "function_error"
    assert len(server.executions("square")) == 7
