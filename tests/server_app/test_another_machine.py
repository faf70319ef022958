"""A request goes on elsewhere: in another process, with an empty data directory, on the same server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server_app.serving import PATIENCE, Serving

SCRIPT = """
import os, signal, sys
from jupyter_durable import application, function, get_request, run_local_application

LOG = sys.argv[1]

@function()
def stage(n: int) -> int:
    with open(LOG, "a") as log:
        log.write(f"{n}\\n")
    if sys.argv[2] == "first" and n == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n

@application()
def pipeline(count: int) -> int:
    return sum(stage(n) for n in range(1, count + 1))

if sys.argv[2] == "first":
    run_local_application(pipeline, 10)
else:
    print(get_request("last").replay().output())
"""


def machine(serving: Serving, tmp_path: Path, name: str, key: str = "ab" * 32) -> subprocess.CompletedProcess[str]:
    """The script in a process that has a data directory of its own, nothing in it."""
    script, home = tmp_path / "script.py", tmp_path / name
    script.write_text(SCRIPT)
    home.mkdir()
    given = {
        "JUPYTER_DATA_DIR": str(home),
        "JUPYTER_DURABLE_STORE": serving.url,
        "JUPYTER_DURABLE_TOKEN": serving.token("write"),
        "JUPYTER_DURABLE_KEY": key,
    }
    return subprocess.run(
        [sys.executable, str(script), str(tmp_path / "log"), name],
        env={**os.environ, **given}, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE * 2,
    )  # fmt: skip


def test_what_was_killed_in_call_7_of_10_goes_on_on_another_machine_and_executes_4_calls(
    serving: Serving, tmp_path: Path
) -> None:
    first = machine(serving, tmp_path, "first")
    assert first.returncode == -9, first.stderr
    log = tmp_path / "log"
    assert log.read_text().split() == [str(n) for n in range(1, 8)]
    log.unlink()
    other = machine(serving, tmp_path, "other")
    assert (other.returncode, other.stdout.strip()) == (0, "385"), other.stderr
    assert log.read_text().split() == ["7", "8", "9", "10"]
    assert not [path for path in (tmp_path / "other").rglob("*") if path.suffix == ".db" or path.name == "key"]


@pytest.mark.parametrize("key", ["cd" * 32, "0123456789ab"])
def test_who_does_not_have_the_key_runs_nothing_of_it(serving: Serving, tmp_path: Path, key: str) -> None:
    assert machine(serving, tmp_path, "first").returncode == -9
    (tmp_path / "log").unlink()
    other = machine(serving, tmp_path, "other", key)
    assert other.returncode == 1
    assert "key" in other.stderr
    assert key not in other.stderr
    assert not (tmp_path / "log").exists()
