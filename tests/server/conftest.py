"""A real Jupyter server, and requests in stores it knows."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

import pytest

TOKEN = "secret"
PROGRAM = """
import sys, time
from jupyter_durable import *
configure(store=sys.argv[1])
"""


class Reply(NamedTuple):
    """An answer."""

    status: int
    body: Any


class Server:
    """The server."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.url = f"http://127.0.0.1:{port}"

    @property
    def environment(self) -> dict[str, str]:
        """Of the server, and of the kernels and programs that belong to it."""
        places = {name: str(self.directory / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        made = {f"JUPYTER_{name}_DIR": place for name, place in places.items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
        return {**inherited, **made, "IPYTHONDIR": str(self.directory / "ipython")}

    @property
    def default_store(self) -> Path:
        """File of the store that is used when none is named."""
        return self.directory / "data" / "durable" / "store.db"

    def ask(self, path: str, body: Any = None, *, token: str = TOKEN, method: str = "", **query: Any) -> Reply:
        """The answer to a GET, or to a POST where there is a body."""
        url = f"{self.url}/jupyter-durable/{path}"
        url += f"?{urllib.parse.urlencode(query)}" if query else ""
        data = None if body is None else json.dumps(body).encode() if not isinstance(body, bytes) else body
        headers = {"Authorization": f"token {token}"} if token else {}
        return sent(urllib.request.Request(url, data, headers, method=method or None))

    def program(self, source: str, store: Path | str) -> subprocess.Popen[str]:
        """A Python program that uses a store, as a kernel would."""
        text = PROGRAM + textwrap.dedent(source)
        url = store if isinstance(store, str) else f"sqlite:///{store}"
        return subprocess.Popen(
            [sys.executable, "-c", text, url],
            env=self.environment,
            cwd=self.directory,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ran(self, source: str, store: Path | str) -> str:
        """What a program printed, once it has ended."""
        with self.program(source, store) as program:
            printed, _ = program.communicate(timeout=100)
        assert program.returncode == 0
        return printed.strip()


def sent(request: urllib.request.Request) -> Reply:
    """The answer to a request of HTTP, whatever its status."""
    try:
        with urllib.request.urlopen(request, timeout=100) as answer:
            return Reply(answer.status, json.loads(answer.read()))
    except urllib.error.HTTPError as refused:
        with refused:
            text = refused.read()
        return Reply(refused.code, json.loads(text) if text[:1] == b"{" else text.decode())


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Jupyter server for all tests of the package."""
    with serving(tmp_path_factory.mktemp("server")) as (made, _):
        yield made


@contextmanager
def serving(directory: Path) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    """A Jupyter server as a process, ended by its id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Server(directory, port)
    notebooks = directory / "notebooks"
    notebooks.mkdir(exist_ok=True)
    command = [
        sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={notebooks}",
    ]  # fmt: skip
    env = made.environment
    with (directory / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=notebooks, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        end = monotonic() + 60
        while not _answers(made):
            assert process.poll() is None, (directory / "server.log").read_text()
            assert monotonic() < end, "the server never answered"
            sleep(0.05)
        yield made, process
    finally:
        process.terminate()
        process.wait(100)


def _answers(server: Server) -> bool:
    try:
        return server.ask("requests").status == 200
    except OSError:
        return False
