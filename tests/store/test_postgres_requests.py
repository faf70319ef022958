"""Requests on a database: run on one machine, killed, and replayed from another that has nothing but the key."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from jupyter_durable.client import Engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Filter

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys
from examples.execution_log import executed
import jupyter_durable as jd

@jd.function()
def page(n):
    executed("page", n)
    if n == int(os.environ.get("DIES_AT", "-1")):
        os.kill(os.getpid(), signal.SIGKILL)
    return b"x" * 200_000 + str(n).encode()

@jd.application()
@jd.function()
def report(count: int) -> int:
    executed("report")
    return sum(len(page(n)) for n in range(count)) + sum(map(len, page.map([100, 101, 102])))

if sys.argv[1] == "run":
    jd.run_local_application(report, 10)
else:
    request = jd.get_request("last")
    assert request.status == "interrupted", request.status
    print(request.replay().output())
"""


def run(folder: Path, name: str, url: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    environment = {
        **os.environ, "JUPYTER_DURABLE_STORE": url, "JUPYTER_DATA_DIR": str(folder / name),
        "EXECUTION_LOG": str(folder / "log"), "PYTHONPATH": str(ROOT), **more,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, str(program), *words],
        env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_a_killed_request_goes_on_in_another_process_that_has_nothing_but_the_key(
    database: str, tmp_path: Path
) -> None:
    killed = run(tmp_path, "first", database, "run", DIES_AT="6")
    assert killed.returncode == -signal.SIGKILL
    (tmp_path / "second" / "durable").mkdir(parents=True, mode=0o700)
    shutil.copy(tmp_path / "first" / "durable" / "key", tmp_path / "second" / "durable" / "key")
    replayed = run(tmp_path, "second", database, "replay")
    assert replayed.returncode == 0, replayed.stderr
    lines = (tmp_path / "log").read_text().splitlines()
    executions = Counter(line.split("\t", 1)[1] for line in lines)
    pages = {f"page\t{n}": 1 for n in (*range(10), 100, 101, 102)} | {"page\t6": 2}
    assert executions == Counter(pages | {"report\t": 2})
    assert sorted(path.name for path in (tmp_path / "second" / "durable").iterdir()) == ["key"]
    store = open_store(database)
    assert [row.status for row in store.requests(Filter())] == ["succeeded"]
    store.close()


def test_without_the_key_nothing_is_loaded_and_nothing_is_changed(database: str, tmp_path: Path) -> None:
    run(tmp_path, "first", database, "run", DIES_AT="6")
    stranger = run(tmp_path, "stranger", database, "replay")
    assert stranger.returncode != 0
    assert "trust" in stranger.stderr
    again = run(tmp_path, "first", database, "replay")
    assert again.returncode == 0, again.stderr


def test_what_is_shown_of_settings_has_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(store="postgresql://me:hunter2@host/db")
    assert "hunter2" not in repr(settings)
    assert "postgresql://me@host/db" in repr(settings)
    assert Engine(settings).settings.store.count("hunter2") == 1
