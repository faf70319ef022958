"""A small notebook, run by `jupyter durable run` in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from jupyter_durable.client import Engine, Request
from jupyter_durable.client.request import requests_of
from jupyter_durable.client.settings import Settings
from jupyter_durable.store.base import Filter

PATIENCE = 90
"""Seconds that a run may take on a busy machine."""

FUNCTIONS = """%%durable
import os, time

def _ran(what):
    with open(os.environ["RAN"], "a") as log:
        log.write(what + "\\n")

def load(k):
    _ran(f"load {k}")
    time.sleep(pause)
    return k

def check(values):
    _ran("check")
    print("checking", len(values), "values")
    if not os.path.exists(os.environ["MENDED"]):
        raise ValueError("not mended")
    return sum(values)
"""
CELLS = [
    ("defaults", "n = 4\npause = 0.0\nlabel = 'plain'", ["parameters"]),
    ("functions", FUNCTIONS, []),
    ("loads", "values = [load(k) for k in range(n)]", []),
    ("mapped", "mapped = list(load.map([100 + k for k in range(n)]))", []),
    ("check", "total = check(values + mapped)\nprint(label, total)", []),
    ("last", "total + 1", []),
]


class Notebook:
    """The notebook, its store, and what is seen of its executions from outside."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "small.ipynb"
        self.out = directory / "done.ipynb"
        self.url = f"sqlite:///{directory / 'store.db'}"
        self._engine: Engine | None = None
        v4: Any = nbformat.v4
        cells = [v4.new_code_cell(text, id=id, metadata={"tags": tags}) for id, text, tags in CELLS]
        write: Any = nbformat.write
        write(v4.new_notebook(cells=[*cells, v4.new_markdown_cell("The end", id="end")]), self.path)

    # running

    def start(self, *options: str) -> subprocess.Popen[str]:
        """`jupyter durable run`, in a process of its own."""
        words = [sys.executable, "-m", "jupyter_durable.cli", "--store", self.url, "run", str(self.path), "--json"]
        return subprocess.Popen(
            [*words, "-o", str(self.out), *options],
            env={**os.environ, "RAN": str(self.directory / "ran"), "MENDED": str(self.directory / "mended")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *options: str, code: int = 0) -> Any:
        """Run it to its end; the document it gives, or what it complains of."""
        process = self.start(*options)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, err
        return json.loads(out) if out else err

    def mend(self) -> None:
        """What failed will succeed."""
        (self.directory / "mended").touch()

    # seeing

    @property
    def ran(self) -> list[str]:
        """What executed, in order, seen from outside of the store."""
        log = self.directory / "ran"
        return log.read_text().splitlines() if log.exists() else []

    def has_run(self, count: int) -> bool:
        """Whether so many calls have begun."""
        return len(self.ran) >= count

    @property
    def engine(self) -> Engine:
        """An engine of this process on its store."""
        if self._engine is None:
            self._engine = Engine(Settings(store=self.url))
        return self._engine

    def requests(self) -> list[Request]:
        """Its requests, newest first; none while there is no store."""
        if not (self.directory / "store.db").exists():
            return []
        return requests_of(self.engine, self.engine.store.requests(Filter()))

    def acknowledged(self) -> set[str]:
        """Calls whose success is durable, as they stand in the log."""
        calls = [call for request in self.requests() for call in request.calls("load")]
        return {f"load {call.output()}" for call in calls if call.status == "succeeded"}

    def read(self) -> Any:
        """The notebook that is run."""
        read: Any = nbformat.read
        return read(self.path, as_version=4)

    def write(self, notebook: Any) -> None:
        """Run another one instead."""
        write: Any = nbformat.write
        write(notebook, self.path)

    def executed(self) -> Any:
        """The notebook that was written."""
        read: Any = nbformat.read
        return read(self.out, as_version=4)

    def close(self) -> None:
        """Let go of the store."""
        if self._engine is not None:
            self._engine.store.close()


def until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for it while the process lives; the clock only bounds the waiting."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL, to the runner alone."""
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
