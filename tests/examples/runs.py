"""`jupyter durable run` on an example, in processes that are killed, watched from outside of the store."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat

from jupyter_durable.client import Engine, Request, Settings
from jupyter_durable.client.request import requests_of
from jupyter_durable.store.base import Filter
from tests.conftest import ROOT

PATIENCE = 100.0
"""Seconds that one run of an example may take on a busy machine."""
WITNESSED = ("measure", "logistic", "neighbours", "bayes", "forest")
"""Functions that write a line of their own, with their only argument; an `ask` is witnessed by the model."""


def loaded(path: Path) -> ModuleType:
    """A module that stands in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    before = sys.modules.get(spec.name)
    sys.modules[spec.name] = module  # dataclasses look there for their module while it is executed
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
        del sys.modules[spec.name]
        if before is not None:
            sys.modules[spec.name] = before
    return module


@dataclass
class Example:
    """An example in a folder of its own, with a store and an execution log."""

    name: str
    folder: Path
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        shutil.copytree(ROOT / "examples", self.folder / "examples", ignore=shutil.ignore_patterns("inbox"))
        self.store = f"sqlite:///{self.folder / 'store.db'}"
        self.engine = Engine(Settings(store=self.store))
        self.model = loaded(self.folder / "examples" / "stub_model.py")

    @property
    def log(self) -> list[list[str]]:
        """Executions so far: process id, what, with what."""
        path = self.folder / "executions.log"
        return [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def out(self) -> Any:
        """The executed notebook."""
        return nbformat.read(self.folder / "out.ipynb", as_version=4)

    def start(self) -> subprocess.Popen[str]:
        """`jupyter durable run`, in a process of its own."""
        command = [sys.executable, "-c", "from jupyter_durable.cli import main; main()", "--store", self.store, "run"]
        return subprocess.Popen(
            [*command, f"{self.name}.ipynb", "-o", str(self.folder / "out.ipynb")],
            cwd=self.folder / "examples",
            env={**os.environ, "EXECUTION_LOG": str(self.folder / "executions.log")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self) -> str:
        """Run to the end; what was said."""
        process = self.start()
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        return said

    def run_killed(self, after: int, whom: str) -> bool:
        """Run, and kill -9 the runner, the kernel or both when so many more executions were seen; False: it ended."""
        process = self.start()
        wanted = len(self.log) + after
        end = time.monotonic() + PATIENCE
        try:
            while len(self.log) < wanted:
                if process.poll() is not None:
                    return False
                assert time.monotonic() < end, "the run stands still"
                time.sleep(0.005)
            kernel = int(self.log[-1][0])
            for name, pid in (("runner", process.pid), ("kernel", kernel)):
                if whom in (name, "both"):
                    os.kill(pid, signal.SIGKILL)
            return True
        finally:
            if whom == "kernel":
                process.wait(PATIENCE)  # it sees that its kernel is gone, and says so
            else:
                process.kill()
            process.communicate(timeout=PATIENCE)

    def requests(self) -> list[Request]:
        """What the store holds, newest first."""
        return requests_of(self.engine, self.engine.store.requests(Filter(limit=100)))

    def recorded(self) -> set[tuple[str, str]]:
        """Calls that have succeeded, as the log names their executions."""
        found: set[tuple[str, str]] = set()
        for request in self.requests():
            for call in request.calls():
                if call.status != "succeeded" or call.name not in (*WITNESSED, "ask"):
                    continue
                (argument,), _ = call.inputs()
                if call.name == "ask":
                    found.add(("model asked", self.model.conversation(argument)))
                else:
                    found.add((call.name, str(argument)))
        return found


def outputs(notebook: Any, cell_id: str) -> str:
    """The text a cell printed."""
    (cell,) = [cell for cell in notebook.cells if cell["id"] == cell_id]
    return "".join(output.get("text", "") for output in cell.outputs)


def assert_complete(notebook: Any) -> None:
    """Every cell was executed, none of them failed, and the file is a valid notebook."""
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", []):
            assert cell.execution_count is not None, cell.source
            assert not [each for each in cell.outputs if each.output_type == "error"], cell.source
