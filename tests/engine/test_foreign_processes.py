"""Processes that work for another one: durable functions are plain in them, and their calls are nobody's requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import multiprocessing, os, sys
from jupyter_durable import application, function, list_requests, now, run_local_application

@function()
def inner(x):
    return x + 1

@function()
def outer(x):
    return inner(x), os.getpid() if now() else 0

@application()
@function()
def app(n: int) -> list[int]:
    outer(0)
    return [value for value, _ in elsewhere(n)]

def elsewhere(n):
    if sys.argv[1] == "joblib":
        import joblib
        return joblib.Parallel(n_jobs=2)(joblib.delayed(outer)(x) for x in range(n))
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        return pool.map(outer, range(n))

if __name__ == "__main__":
    request = run_local_application(app, 3)
    print(request.output(), [call.name for call in request.calls()], flush=True)
    found = elsewhere(3)
    print([value for value, _ in found], os.getpid() in {pid for _, pid in found}, flush=True)
    print([(each.application, each.status) for each in list_requests()], flush=True)
"""


@pytest.mark.parametrize("way", ["fork", "spawn", "joblib"])
def test_functions_are_plain_in_the_processes_of_multiprocessing_and_joblib(tmp_path: Path, way: str) -> None:
    """In a request and at the top of a script: results come back, and neither a call nor a request is recorded."""
    if way == "joblib":
        pytest.importorskip("joblib")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "JUPYTER_DURABLE_STORE": f"sqlite:///{tmp_path}/store.db"}
    command = [sys.executable, str(script), way]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "[1, 2, 3] ['outer', 'inner', 'now']",
        "[1, 2, 3] False",
        "[('app', 'succeeded')]",
    ], done.stderr


FORKED = """
import json, os, sys
from jupyter_durable import SDKUsageError, function, get_request

@function()
def f(x):
    return x

f(1)
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, json.dumps([f(2), f.local(3)]).encode())
    sys.exit(0)
os.wait()
print(os.read(read, 100).decode())
f(4)
print(len(get_request("last").calls()), get_request("last").status)
"""


def test_a_fork_of_a_script_does_not_end_its_request(tmp_path: Path) -> None:
    """The fork runs `atexit` too; the request is the other process's alone."""
    script = tmp_path / "script.py"
    script.write_text(FORKED)
    environment = {**os.environ, "JUPYTER_DURABLE_STORE": f"sqlite:///{tmp_path}/store.db"}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    values, after = done.stdout.splitlines()
    assert json.loads(values) == [2, 3]
    assert after == "2 running"
