"""A JupyterLab for tests, and notebooks in it.

Rules of this file
- Everything of the server lies under a temporary directory; it is ended by its process id.
- What a page does is waited for, never slept for.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect

from tests.browser.kept import LOADED, OPEN
from tests.conftest import ROOT

TOKEN = "t"
BUNDLE = ROOT / "labextension" / "dist"
ARTIFACTS = ROOT / ".artifacts"
SETUP = "from jupyter_durable import *\nimport time"
WAITING = "import os\nrepaired = True\nwhile not os.path.exists('go'):\n    time.sleep(0.05)\nos.remove('go')"
"""A cell that is at it until `Lab.go`."""
Settings = Callable[..., None]
APPS = pytest.mark.parametrize("app", ["lab/tree", "notebooks"])
"""In JupyterLab and in Notebook 7."""
APPS_IN_FULL = pytest.mark.parametrize("app", ["lab/tree", pytest.param("notebooks", marks=pytest.mark.full)])
"""The same; that of Notebook 7 is a long test."""


class Lab:
    """A running server."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.url = f"http://127.0.0.1:{port}"

    def write(self, name: str, cells: Sequence[str], kernel: str = "durable", outputs: Sequence[Any] = ()) -> str:
        """A notebook of code cells, `outputs` under the first of them; its name."""
        made: list[Any] = [
            {"cell_type": "code", "id": f"cell{n}", "source": source, "metadata": {},
             "outputs": list(outputs) if n == 0 else [],
             "execution_count": None}
            for n, source in enumerate(cells)
        ]  # fmt: skip
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        notebook = {"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
        (self.directory / name).write_text(json.dumps(notebook))
        return name

    def read(self, name: str) -> Any:
        """A notebook as it is saved."""
        return json.loads((self.directory / name).read_text())

    def go(self) -> None:
        """Let a cell that is `WAITING` end."""
        (self.directory / "go").touch()

    def request(self, method: str, path: str) -> Any:
        """The server's own interface."""
        asked = urllib.request.Request(f"{self.url}{path}", method=method, headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(asked) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def end_kernels(self) -> None:
        """End every session with its kernel, side by side: each takes its time to end."""
        paths = [f"/api/sessions/{session['id']}" for session in self.request("GET", "/api/sessions")]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda path: self.request("DELETE", path), paths))

    def forget_theme(self) -> None:
        """The next page is light."""
        (
            self.directory.parent / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
        ).unlink(missing_ok=True)

    def end_busy_kernels(self) -> None:
        """End the sessions of kernels that are still at it."""
        for session in self.request("GET", "/api/sessions"):
            if session["kernel"]["execution_state"] != "idle":
                self.request("DELETE", f"/api/sessions/{session['id']}")


@contextmanager
def running_lab(directory: Path, python: str = sys.executable) -> Iterator[Lab]:
    """JupyterLab over `directory`, with the extension as it was built."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    notebooks = directory / "notebooks"
    notebooks.mkdir()
    command = [
        python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={notebooks}", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with (directory / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=notebooks, env=_environment(directory), stdout=log, stderr=log, start_new_session=True
        )
    lab = Lab(notebooks, port)
    try:
        wait_for(lambda: _answers(lab, server), 60)
        yield lab
        lab.end_kernels()
    finally:
        server.terminate()
        server.wait(100)


def _environment(directory: Path) -> dict[str, str]:
    names = ("CONFIG", "DATA", "RUNTIME")
    made = {f"JUPYTER_{name}_DIR": str(directory / name.lower()) for name in names}
    made |= {
        "JUPYTER_PREFER_ENV_PATH": "0",  # the extension as it was built last, not as it was installed
        "IPYTHONDIR": str(directory / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(directory / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(directory / "workspaces"),
    }
    extensions = directory / "data" / "labextensions"
    extensions.mkdir(parents=True)
    (extensions / "jupyter-durable").symlink_to(BUNDLE)
    settings = directory / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    return {**os.environ, **made}


def _answers(lab: Lab, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "the server ended; see server.log"
    try:
        return lab.request("GET", "/api/status") is not None
    except OSError:
        return False


def wait_for(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds. Raises `AssertionError` when it never does."""
    end = monotonic() + seconds
    while not holds():
        assert monotonic() < end, "waited in vain"
        sleep(0.05)


class Notebook:
    """A notebook in a page."""

    def __init__(self, page: Page, lab: Lab, name: str, *, kernel: bool = True, app: str = "lab/tree") -> None:
        self.page = page
        emptied = app == "lab/tree" and page.url.startswith(f"{lab.url}/") and page.evaluate("() => window.emptied")
        if emptied:
            page.evaluate(OPEN, name)
        else:
            page.goto(f"{lab.url}/{app}/{name}?token={TOKEN}&reset")
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=90_000)
        if app == "lab/tree" and not emptied:
            page.evaluate(LOADED)
        if kernel:
            self.idle()

    def idle(self) -> None:
        """Wait until the kernel is there and has nothing to do."""
        self.page.wait_for_function(
            "() => jupyterapp.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=90_000,
        )

    def run(self, index: int) -> None:
        """Begin to execute a cell."""
        self.page.evaluate(
            "index => { const n = jupyterapp.shell.currentWidget.content; n.deselectAll(); n.activeCellIndex = index;"
            "window.running = jupyterapp.commands.execute('notebook:run-cell'); }",
            index,
        )

    def run_to_end(self, index: int) -> None:
        """Execute a cell and wait for its end."""
        before = self.count(index)
        self.run(index)
        self.page.wait_for_function(
            "([index, before]) => { const m = jupyterapp.shell.currentWidget.content.widgets[index].model;"
            "return m.executionCount !== null && m.executionCount !== before && m.executionState !== 'running'; }",
            arg=[index, before],
            timeout=90_000,
        )
        self.page.evaluate("() => window.running.then(() => 1, () => 0)")  # the notebook takes the focus last

    def count(self, index: int) -> int | None:
        """The number beside a cell."""
        found: int | None = self.page.evaluate(
            "index => jupyterapp.shell.currentWidget.content.widgets[index].model.executionCount", index
        )
        return found

    def write(self, index: int, source: str) -> None:
        """Replace the text of a cell."""
        self.page.evaluate(
            "([index, source]) => jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel"
            ".setSource(source)",
            [index, source],
        )

    def view(self, index: int) -> Locator:
        """The view under a cell."""
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}'] .jp-durable-view")

    def save(self) -> None:
        """Write the notebook to disk."""
        self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")


def again(view: Locator) -> Locator:
    """The one button that goes on with a request."""
    return view.locator(".jp-durable-head").get_by_role("button", name=re.compile("^(Resume|Replay)"))


def entry(view: Locator, name: str) -> Locator:
    """An entry of the menu of a view, which is opened for it."""
    found = view.get_by_role("menuitem", name=name)
    more = view.get_by_role("button", name="More")
    if more.get_attribute("aria-expanded") != "true":
        more.click()
    return found


def unfold(view: Locator) -> None:
    """Open the tree of a request that has ended; while it runs it may stand open by itself."""
    expect(view.locator(".jp-durable-state")).to_have_text(re.compile("succeeded|failed"))
    twisty = view.locator(".jp-durable-head .jp-durable-twisty")
    if twisty.get_attribute("aria-expanded") != "true":
        twisty.click()
    expect(twisty).to_have_attribute("aria-expanded", "true")


def debugged(page: Page, asked: str, answer: str) -> None:
    """Ask the debugger that runs in a cell something, see its answer, and leave it."""
    prompt = page.locator(".jp-Stdin-input:not([readonly])").last
    prompt.wait_for(timeout=90_000)
    prompt.fill(asked)
    prompt.press("Enter")
    page.locator(".jp-OutputArea", has_text=answer).first.wait_for()
    left = page.locator(".jp-OutputArea", has_text=re.compile(r"ipdb>\s+q\b")).first
    for seconds in (5, 20, 60):  # a prompt that has just come up may lose what is typed; who sees that types again
        prompt.fill("q")
        prompt.press("Enter")
        with contextlib.suppress(TimeoutError):
            left.wait_for(timeout=seconds * 1000)
            return
    raise AssertionError("the debugger was not left")
