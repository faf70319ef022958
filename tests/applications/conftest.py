"""A real server in a process of its own, that can be killed and started again, and scripts that deploy to it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_durable.server.tokens import TokenFile

PATIENCE = 120.0
"""Seconds for what a busy machine does some time."""
SERVED = Path(__file__).with_name("served.py")


def until(look: Callable[[], Any], what: str) -> Any:
    """What `look` gives, once it gives something."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.05)
    return found


class Served:
    """A server on a folder; it has the same port when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.witness = folder / "witness"
        self.log = folder / "executions"
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.namespaces = 0
        self.tokens = TokenFile(folder / "data")
        self.token = self.tokens.create("default", "admin", time.time(), None)[0]
        self.environment = {**os.environ, "EXECUTION_LOG": str(self.log), "PYTHONPATH": ""}

    def start(self) -> Served:
        """Start it; ready when this returns."""
        command = [sys.executable, str(SERVED), str(self.folder / "data"), str(self.witness), str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self.environment)
        assert self.process.stdout is not None
        found = re.search(r":(\d+)\s*$", self.process.stdout.readline())
        assert found is not None, "it did not begin to serve"
        self.port = int(found[1])
        until(self._ready, "the server is ready")
        return self

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def anew(self) -> Served:
        """A namespace in which nothing was, with nothing executed."""
        self.namespaces += 1
        self.token = self.tokens.create(f"n{self.namespaces}", "admin", time.time(), None)[0]
        self.log.unlink(missing_ok=True)
        return self

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None
        self.process.kill()
        self._gone()

    def _gone(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.wait()
        self.process.stdout.close()

    def stop(self) -> None:
        """End it as an operator does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self._gone()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, token: str | None = None, **given: Any) -> httpx.Response:
        """An answer, whatever it is."""
        headers = {"Authorization": f"Bearer {token or self.token}", **given.pop("headers", {})}
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=PATIENCE, **given)

    def begin(self, application: str, input: Any, **headers: str) -> str:
        """Start a request; its id."""
        answer = self.ask("POST", f"/applications/{application}", json=input, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["request_id"])

    def request(self, application: str, id: str) -> dict[str, Any]:
        """What the server says of a request."""
        said: dict[str, Any] = self.ask("GET", f"/applications/{application}/requests/{id}").json()
        return said

    def ended(self, application: str, id: str) -> dict[str, Any]:
        """The same once it has ended."""
        said: dict[str, Any] = until(
            lambda: found if (found := self.request(application, id))["outcome"] is not None else None,
            f"request {id} has ended: {self.request(application, id)}",
        )
        return said

    def output(self, application: str, id: str) -> Any:
        """The output of a request, once it has ended with a success."""
        said = self.ended(application, id)
        assert said["outcome"] == "success", said
        return self.ask("GET", f"/applications/{application}/requests/{id}/output").json()

    def executions(self, what: str = "") -> list[str]:
        """What really executed, one line each."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith(what)]

    def script(self, source: str, home: str = "home") -> str:
        """Run a script of a user whose data directory is `home`, with the server and its token set; what it prints."""
        path = self.folder / f"script_{time.monotonic_ns()}.py"
        path.write_text(textwrap.dedent(source))
        environment = {
            **self.environment,
            "JUPYTER_DATA_DIR": str(self.folder / home),
            "JUPYTER_DURABLE_SERVER": self.url,
            "JUPYTER_DURABLE_TOKEN": self.token,
        }
        done = subprocess.run(
            [sys.executable, str(path)], capture_output=True, text=True, timeout=PATIENCE, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A server that must not have restored anything when it ends."""
    served = Served(folder)
    try:
        yield served.start()
        restored = served.witness.read_text() if served.witness.exists() else ""
        assert not restored, f"the server's process restored what users sent: {restored}"
    finally:
        served.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """One of its own, which a test may kill."""
    with serving(tmp_path) as served:
        yield served


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for the tests of a file, none of which kills it."""
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served
