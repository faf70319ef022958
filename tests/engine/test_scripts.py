"""A script is one request: what becomes of it when it ends, and when it is started again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_durable.client import Engine, Settings
from jupyter_durable.client.request import requests_of
from jupyter_durable.store.base import Filter

SCRIPT = """
import os, signal
from jupyter_durable import configure, function
configure(store="sqlite:///store.db")

@function()
def square(n):
    print("square", n)
    if n == 2 and not os.path.exists("second"):
        open("second", "w").close()
        END
    return n * n

print([square(n) for n in range(4)])
"""
ENDS = {"killed": "os.kill(os.getpid(), signal.SIGKILL)", "raised": "raise ValueError(n)"}


def start(folder: Path) -> list[str]:
    done = subprocess.run([sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=300)
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("end", list(ENDS))
def test_a_script_that_ended_badly_goes_on_and_one_that_succeeded_starts_anew(tmp_path: Path, end: str) -> None:
    """The request says how the script ended, so the next start knows what to do."""
    (tmp_path / "script.py").write_text(SCRIPT.replace("END", ENDS[end]))
    all_four = [*(f"square {n}" for n in range(4)), "[0, 1, 4, 9]"]
    assert start(tmp_path) == all_four[:3]
    assert start(tmp_path) == all_four[2:]
    assert start(tmp_path) == all_four
    engine = Engine(Settings(store=f"sqlite:///{tmp_path / 'store.db'}"))
    found = requests_of(engine, engine.store.requests(Filter(limit=5)))
    assert [request.status for request in found] == ["succeeded", "succeeded"]
    assert [len(request.runs) for request in found] == [1, 2]
    engine.store.close()


CANCELLED = """
import threading, time
from jupyter_durable import configure, function, get_request
configure(store="sqlite:///store.db")

@function()
def wait(seconds):
    time.sleep(seconds)

wait(0)
threading.Timer(0.2, get_request("last").cancel).start()
WAITS
"""


@pytest.mark.parametrize("waits", ["wait(60)", "time.sleep(60)"])
def test_a_script_that_is_cancelled_ends_with_one_line(tmp_path: Path, waits: str) -> None:
    """In a call or between two: no traceback, since no line of it was wrong, and not the exit code of a success."""
    (tmp_path / "script.py").write_text(CANCELLED.replace("WAITS", waits))
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(r"request req_\w+ was cancelled; .* replay it to go on, or start the script again", line)
    assert done.returncode != 0


WAITING = """
import pathlib, sys, time
from jupyter_durable import configure, function
configure(store="sqlite:///store.db")

@function()
def slow(n):
    print("slow", n, flush=True)
    pathlib.Path("there").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.005)
    return n

print(slow(1))
"""


def test_a_script_that_is_started_twice_says_who_runs_it(tmp_path: Path) -> None:
    """Nothing executes a second time in silence; JUPYTER_DURABLE_FRESH begins another request."""
    (tmp_path / "script.py").write_text(WAITING)
    command = [sys.executable, "script.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as first:
        try:
            end = time.monotonic() + 60
            while not (tmp_path / "there").exists():
                assert time.monotonic() < end
                time.sleep(0.005)
            second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
            (tmp_path / "go").touch()
            fresh = {**os.environ, "JUPYTER_DURABLE_FRESH": "1"}
            third = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=fresh)
            assert first.communicate(timeout=100)[0] == "slow 1\n1\n"
        finally:
            first.kill()
    assert second.stdout == ""
    assert f"is being run by process {first.pid} on " in second.stderr
    assert "JUPYTER_DURABLE_FRESH=1" in second.stderr
    assert third.stdout == "slow 1\n1\n"
