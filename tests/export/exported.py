"""An exported project, run as its user would: `python -m PACKAGE …` from its folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import ROOT

PATIENCE = 60.0
"""Seconds for what a busy machine does some time."""


def until(look: Callable[[], Any], what: str) -> Any:
    """What `look` gives, once it gives something."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.05)
    return found


class Exported:
    """A project in a folder, with a log of what executed and a place for its data."""

    def __init__(self, folder: Path, package: str, python: str = sys.executable) -> None:
        self.folder = folder
        self.package = package
        self.python = python
        self.log = folder.parent / "executions"
        path = os.pathsep.join([str(folder / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        self.environment = {**os.environ, "EXECUTION_LOG": str(self.log), "PYTHONPATH": path}

    @property
    def executions(self) -> list[str]:
        """What executed since the log was emptied."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def __call__(self, *words: str, code: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        done = subprocess.run(
            [self.python, "-m", self.package, *words],
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert code is None or done.returncode == code, done.stderr
        return done

    def json(self, *words: str) -> Any:
        """The document that a command writes."""
        return json.loads(self(*words, "--json").stdout)


class Serving:
    """`python -m PACKAGE serve`, which can be killed and started again on the same port."""

    def __init__(self, exported: Exported, data: Path, *words: str) -> None:
        self._exported = exported
        self._words = [*words, "--data", str(data)]
        self._data = data
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self._log = data.with_name(f"{data.name}.log")

    def start(self) -> Serving:
        """Start it; it listens when this returns."""
        command = [self._exported.python, "-m", self._exported.package, "serve", "--port", str(self.port), *self._words]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=self._exported.folder, env=self._exported.environment, stderr=log, text=True
            )
        found = until(lambda: re.search(r"serving on http://[\d.]+:(\d+)", self._log.read_text()), "it serves")
        self.port = int(found[1])
        until(self._ready, "it is ready")
        return self

    def _ready(self) -> bool:
        try:
            with self.client() as client:
                return client.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End it as a machine that loses power does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def client(self, token: str = "") -> httpx.Client:
        """A client of it."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, trust_env=False, timeout=30)
