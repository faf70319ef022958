"""A failed request, made by a script in another process, and the commands run on its store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from jupyter_durable import context
from jupyter_durable.cli.app import app
from jupyter_durable.client import Engine
from jupyter_durable.client.settings import Settings


class Answer(NamedTuple):
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str


class Terminal:
    """Runs commands in this process on one store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = f"sqlite:///{directory / 'store.db'}"

    def __call__(self, *words: str) -> Answer:
        """Run a command."""
        done = CliRunner().invoke(app, ["--store", self.url, *words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Answer(done.exit_code, done.stdout, done.stderr)

    def json(self, *words: str, code: int = 0) -> Any:
        """Run a command with --json; the one document on its stdout."""
        answer = self(*words, "--json")
        assert answer.code == code, answer
        return json.loads(answer.out)

    @property
    def ran(self) -> list[str]:
        """What executed, seen from outside of the store."""
        return (self.directory / "ran").read_text().splitlines()

    def mend(self) -> None:
        """What failed will succeed."""
        (self.directory / "mended").touch()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the store of the script, run once."""
    directory = tmp_path_factory.mktemp("made")
    environment = {
        **os.environ,
        "JUPYTER_DURABLE_STORE": f"sqlite:///{directory / 'store.db'}",
        "RAN": str(directory / "ran"),
        "MENDED": str(directory / "mended"),
    }
    script = Path(__file__).parent / "made.py"
    subprocess.run([sys.executable, str(script)], env=environment, check=True, capture_output=True, timeout=300)
    return directory


@pytest.fixture
def terminal(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Commands on a copy of that store, with an engine that has seen nothing."""
    directory = tmp_path / "copy"
    shutil.copytree(made, directory)
    monkeypatch.setenv("RAN", str(directory / "ran"))
    monkeypatch.setenv("MENDED", str(directory / "mended"))
    before = context.engine.get()
    engine = Engine(Settings(store=f"sqlite:///{tmp_path / 'other.db'}"))
    context.engine.set(engine)
    yield Terminal(directory)
    context.engine.set(before)
    if engine._store is not None:
        engine._store.close()
