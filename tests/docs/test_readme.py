"""The README is executed: its cells in real kernels, its outputs compared, its commands looked up."""

from __future__ import annotations

import os
import queue
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jupyter_client.manager import KernelManager

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
PATIENCE = 150.0

pytestmark = pytest.mark.timeout(900)


class Block(NamedTuple):
    language: str
    text: str


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)]
CELLS = [block.text.strip() for block in BLOCKS if block.language == "python"]
OUTPUTS = [block.text.strip() for block in BLOCKS if block.language == "text"]


class Kernel:
    """A real kernel in a folder; what its cells show comes back as text."""

    def __init__(self, folder: Path) -> None:
        self._manager = KernelManager(kernel_name="python3")
        environment = {**os.environ, "JPY_SESSION_NAME": str(folder / "readme.ipynb")}
        with (folder / "kernel.log").open("ab") as messages:
            self._manager.start_kernel(cwd=str(folder), env=environment, stderr=messages)
        self._client: Any = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE)

    def run(self, source: str, cell: str) -> tuple[str, str]:
        """What a cell printed, and the last state of its view. A dead kernel ends the cell; an error fails the test."""
        content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = self._client.session.msg("execute_request", content, metadata={"cellId": cell})
        self._client.shell_channel.send(message)
        printed, view = "", ""
        while True:
            try:
                said = self._client.get_iopub_msg(timeout=0.5)
            except queue.Empty:
                if not self._manager.is_alive():
                    return printed, view
                continue
            content = said["content"]
            if said["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if said["msg_type"] == "error":
                pytest.fail("\n".join(content["traceback"]))
            if said["msg_type"] == "stream":
                printed += content["text"]
            if said["msg_type"] in ("display_data", "update_display_data"):
                view = content["data"]["text/plain"]
            if said["msg_type"] == "status" and content["execution_state"] == "idle":
                return printed, view

    def close(self) -> None:
        self._client.stop_channels()
        if self._manager.is_alive():
            self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    @property
    def alive(self) -> bool:
        return self._manager.is_alive()


@contextmanager
def kernel(folder: Path) -> Iterator[Kernel]:
    made = Kernel(folder)
    try:
        yield made
    finally:
        made.close()


def same(shown: str) -> str:
    """Without what differs from run to run: ids, and tenths of seconds."""
    return re.sub(r"\d+\.\d s", "_ s", re.sub(r"req_\w+", "req_", shown)).strip()


def test_the_readme_crashes_and_goes_on_as_it_says(tmp_path: Path) -> None:
    load, cell, look = CELLS[:3]
    before, after, looked = OUTPUTS
    assert len([line for line in f"{load}\n{cell}".splitlines() if line.strip()]) <= 15
    with kernel(tmp_path) as first:
        first.run(load, "a")
        printed, _ = first.run(cell, "b")
        assert not first.alive
    assert printed.strip() == before
    with kernel(tmp_path) as second:
        second.run(load, "a")
        printed, view = second.run(cell, "b")
    assert same(printed + view) == same(after)
    with kernel(tmp_path) as third:
        printed, _ = third.run(look, "c")
    assert printed.strip() == looked


def test_the_other_cells_of_the_readme_run(tmp_path: Path) -> None:
    (tmp_path / "died").touch()
    with kernel(tmp_path) as one:
        printed = [one.run(cell, str(number))[0] for number, cell in enumerate(CELLS)]
    assert "answer to 'why' (True)\nanswer to 'how' (True)" in printed[-2]
    assert "ask[1]" in printed[-1]
    assert "executed" in printed[-1]


def test_every_command_and_every_script_that_the_readme_names_is_there() -> None:
    from typer.main import get_command

    from jupyter_durable.cli.app import app

    named = set(re.findall(r"jupyter durable (\w+)", README))
    assert named
    assert named <= set(get_command(app).commands)  # type: ignore[attr-defined]
    assert [file for file in re.findall(r"\bscripts/[\w-]+", README) if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]*)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_magic_verb_that_the_readme_names_is_there() -> None:
    from jupyter_durable_kernel.magics import VERBS

    named = set(re.findall(r"`%durable (\w+)", README))
    assert named
    assert named <= set(VERBS)
