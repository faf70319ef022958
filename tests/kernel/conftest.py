"""Real kernels, driven as a front end drives them: cells with ids, interrupts, kills."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from jupyter_durable_kernel.view.saved_forms import MIME, is_empty

VERSIONS = ["ipykernel7", pytest.param("ipykernel6", marks=pytest.mark.full)]
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Output:
    """One output of a cell."""

    kind: str
    text: str
    id: str | None = None


@dataclass
class Ran:
    """What one cell gave."""

    stdout: str = ""
    stderr: str = ""
    error: str = ""
    """The traceback as text, without colours; "" when there was none."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """The last state of each output, by display id or number."""
    updates: int = 0
    saved: list[Output] = field(default_factory=list)
    """What a front end keeps of the cell, in its order."""
    status: str = ""
    """`ok` or `error`: what stops Run All."""
    reply: dict[str, Any] = field(default_factory=dict)
    clear: bool = False
    """The next output replaces all others."""

    @property
    def kinds(self) -> list[str]:
        """The outputs in short: `view`, `empty`, a stream's name, or the kind of the message."""
        return [each.kind for each in self.saved]

    @property
    def text(self) -> str:
        """All outputs as plain text."""
        return "\n".join(data.get("text/plain", "") for data in self.outputs.values())

    @property
    def html(self) -> str:
        """All outputs as HTML."""
        return "\n".join(data.get("text/html", "") for data in self.outputs.values())


class Kernel:
    """A kernel process and its client."""

    def __init__(self, python: Path, environment: dict[str, str], module: str = "ipykernel_launcher") -> None:
        manager = KernelManager()
        spec = manager.kernel_spec
        assert spec is not None
        spec.argv = [str(python), "-m", module, "-f", "{connection_file}"]
        self.manager = manager
        manager.start_kernel(env={**os.environ, **environment})
        self.client = manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=100)

    def send(self, code: str, cell_id: str | None = None) -> str:
        """Send a cell as JupyterLab does; the id of the message."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        metadata = {"cellId": cell_id} if cell_id else {}
        message = self.client.session.msg("execute_request", {**content, "stop_on_error": False}, metadata=metadata)
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def result(self, id: str, timeout: float = 100) -> Ran:
        """What the cell of that message gives, once it has ended."""
        ran = Ran()
        end = time.monotonic() + timeout
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic()))
            if message["parent_header"].get("msg_id") == id and not _taken(ran, message):
                ran.reply = self._reply(id, end)
                ran.status = ran.reply["status"]
                return ran

    def _reply(self, id: str, end: float) -> dict[str, Any]:
        while True:
            reply = self.client.get_shell_msg(timeout=max(1.0, end - time.monotonic()))
            if reply["parent_header"].get("msg_id") == id:
                content: dict[str, Any] = reply["content"]
                return content

    def run(self, code: str, cell_id: str | None = None, timeout: float = 100) -> Ran:
        """Execute a cell to its end."""
        return self.result(self.send(code, cell_id), timeout)

    def value(self, expression: str) -> Any:
        """The value of an expression, which must have a literal form."""
        ran = self.run(f"print(repr(({expression})))")
        assert not ran.error, ran.error
        return eval(ran.stdout)

    def interrupt(self) -> None:
        """What the button ■ does."""
        self.manager.interrupt_kernel()

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        self.client.stop_channels()
        assert self.manager.provisioner is not None
        pid: int = self.manager.provisioner.pid  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGKILL)
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()

    def close(self) -> None:
        """End it in order, if it lives."""
        if self.manager.has_kernel:
            self.client.stop_channels()
            self.manager.shutdown_kernel(now=True)
            self.manager.cleanup_resources()


def _taken(ran: Ran, message: dict[str, Any]) -> bool:
    """Take in one message; False when it says that the cell has ended."""
    content, kind = message["content"], message["msg_type"]
    match kind:
        case "stream":
            setattr(ran, content["name"], getattr(ran, content["name"]) + content["text"])
            _keep(ran, Output(content["name"], content["text"]))
        case "error":
            ran.error = ANSI.sub("", "\n".join(content["traceback"]))
            _keep(ran, Output("error", ran.error))
        case "display_data" | "execute_result":
            id = content.get("transient", {}).get("display_id")
            ran.outputs[id or str(len(ran.outputs))] = content["data"]
            _keep(ran, _displayed(kind, content["data"], id))
        case "update_display_data":
            id = content["transient"]["display_id"]
            ran.outputs[id] = content["data"]
            ran.updates += 1
            ran.saved = [_displayed(each.kind, content["data"], id) if each.id == id else each for each in ran.saved]
        case "clear_output":
            ran.clear = content["wait"]
            ran.saved = ran.saved if content["wait"] else []
        case "status":
            return bool(content["execution_state"] != "idle")
    return True


def _keep(ran: Ran, output: Output) -> None:
    """Add an output as a front end does: texts of one stream that follow each other are one."""
    if ran.clear:
        ran.saved, ran.clear = [], False
    last = ran.saved[-1] if ran.saved else None
    if last is not None and output.kind == last.kind and output.kind in ("stdout", "stderr"):
        last.text += output.text
    else:
        ran.saved.append(output)


def _displayed(kind: str, data: dict[str, Any], id: str | None) -> Output:
    if is_empty(data):
        return Output("empty", "", id)
    view = MIME in data
    return Output(
        "view" if view else "display_data" if kind in ("view", "empty") else kind, data.get("text/plain", ""), id
    )


Start = Callable[..., Kernel]


@pytest.fixture(scope="module", params=VERSIONS)
def python(request: pytest.FixtureRequest) -> Path:
    """The interpreter of the kernels: with ipykernel 7, or with 6.31."""
    if request.param == "ipykernel7":
        return Path(sys.executable)
    found: Path = request.getfixturevalue("ipykernel6_python")
    return found


@pytest.fixture(scope="module")
def directory(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the store, the key and the notebook of a module are."""
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="module")
def start(python: Path, directory: Path) -> Iterator[Start]:
    """Start kernels of one notebook and one store; `bare=True` without the extension."""
    kernels: list[Kernel] = []

    def begin(notebook: str = "a.ipynb", *, bare: bool = False, module: str = "ipykernel_launcher") -> Kernel:
        environment = {
            "JPY_SESSION_NAME": str(directory / notebook),
            "JUPYTER_DURABLE_STORE": f"sqlite:///{directory}/store.db",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "LOG": str(directory / "log.txt"),
        }
        kernel = Kernel(python, environment, module)
        kernels.append(kernel)
        if not bare:
            ran = kernel.run("%load_ext jupyter_durable")
            assert not ran.error, ran.error
        return kernel

    yield begin
    for kernel in kernels:
        kernel.close()


@pytest.fixture(scope="module")
def kernel(start: Start) -> Kernel:
    """One kernel for all tests of a module."""
    return start()


class Log:
    """What executed, in a file outside of every store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text("")

    def take(self) -> list[str]:
        """The lines since the last time."""
        lines = self.path.read_text().split()
        self.path.write_text("")
        return lines


@pytest.fixture
def log(directory: Path) -> Log:
    """An empty log; `LOG` names it to cells that have run `LOGGING`."""
    return Log(directory / "log.txt")


LOGGING = """
import os
def _log(*words):
    with open(os.environ["LOG"], "a") as file:
        file.write("-".join(map(str, words)) + "\\n")
"""
