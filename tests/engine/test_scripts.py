"""A script is one request: what becomes of it when it ends, and when it is started again."""

from __future__ import annotations

import subprocess
import sys
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
    done = subprocess.run([sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=60)
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
