"""`jupyter durable deploy`: what of a file executes, and what is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.applications.conftest import PATIENCE, Served
from tests.applications.conftest import server as server

SCRIPT = """
from jupyter_durable import application, function
from pathlib import Path
RATE = 3

@function()
def double(n: int) -> int:
    return n * RATE

@application()
@function()
def twice(n: int) -> int:
    return double(n)

@application()
@function()
def thrice(n: int) -> int:
    return 3 * n

if __name__ == "__main__":
    Path("ran").write_text("it ran")
"""
CELLS = [
    "%load_ext jupyter_durable\nfrom jupyter_durable import application, function",
    "%%durable\nRATE = 4\ndef work(n: int) -> int:\n    return n * RATE\nopen('ran', 'w').write('it ran')",
    "@application()\n@function()\ndef app(n: int) -> int:\n    return work(n)",
    "result = app(5)\nopen('ran', 'w').write('it ran')",
]


def deploy(server: Served, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **server.environment,
        "JUPYTER_DATA_DIR": str(server.folder / "home"),
        "JUPYTER_DURABLE_SERVER": server.url,
        "JUPYTER_DURABLE_TOKEN": server.token,
    }
    command = [sys.executable, "-m", "jupyter_durable.cli", "deploy", *words]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=server.folder, timeout=PATIENCE, check=False
    )


def test_a_script_is_deployed_without_what_it_does_when_it_is_run(server: Served) -> None:
    Path(server.folder, "work.py").write_text(SCRIPT)
    one = deploy(server, "work.py", "twice")
    assert one.returncode == 0, one.stderr
    assert one.stdout.startswith(f"twice is deployed on {server.url}, version ")
    assert server.output("twice", server.begin("twice", 5)) == 15
    both = json.loads(deploy(server, "--json", "work").stdout)
    assert [each["application"] for each in both] == ["thrice", "twice"]
    missing = deploy(server, "work.py", "other")
    assert (missing.returncode, "no application 'other' is defined here; defined: thrice, twice" in missing.stderr) == (
        2,
        True,
    )
    assert not os.path.exists(server.folder / "ran")


def test_of_a_notebook_only_what_defines_executes(server: Served) -> None:
    cells = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in CELLS]
    Path(server.folder, "work.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}))
    done = deploy(server, "work.ipynb")
    assert done.returncode == 0, done.stderr
    assert server.output("app", server.begin("app", 5)) == 20
    assert not os.path.exists(server.folder / "ran")
