"""`%durable doctor` on a Jupyter server that runs in another environment than the kernel, with a real process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_durable.store.base import Finding
from jupyter_durable_kernel.verbs.page_part import findings


class Server:
    """A process that looks like a program of the environment `prefix`."""

    def __init__(self, prefix: Path, program: str) -> None:
        (prefix / "bin").mkdir(parents=True)
        python, script = prefix / "bin" / "python", prefix / "bin" / program
        python.symlink_to(Path(sys.executable).resolve())
        script.write_text("print(flush=True)\ninput()\n")
        self.prefix = prefix
        self.process = subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def found(self) -> list[Finding]:
        """What a kernel of this server finds."""
        return findings({"JPY_PARENT_PID": str(self.process.pid)})


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Server]]:
    """Start a program of an environment that is not this one."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    servers: list[Server] = []

    def start(program: str) -> Server:
        servers.append(Server(tmp_path / "other", program))
        return servers[-1]

    yield start
    for server in servers:
        server.process.communicate(b"\n")


def test_a_server_without_the_pages_part_is_named_with_what_to_install_where(started: Callable[[str], Server]) -> None:
    server = started("jupyter-lab")
    [found] = server.found()
    assert found.level == "warning"
    assert f"the Jupyter server runs in {server.prefix}, this kernel in {sys.prefix}" in found.text
    assert f"{server.prefix}/bin/python -m pip install jupyter-durable" in found.text


def test_a_server_with_the_pages_part_is_well(started: Callable[[str], Server]) -> None:
    server = started("jupyter-lab")
    (server.prefix / "share/jupyter/labextensions/jupyter-durable").mkdir(parents=True)
    [found] = server.found()
    assert (found.level, str(server.prefix) in found.text) == ("ok", True)


def test_of_what_is_no_server_nothing_is_said(started: Callable[[str], Server]) -> None:
    assert started("nbclient-run").found() == []
    assert findings({}) == []
    assert findings({"JPY_PARENT_PID": "none"}) == []
