"""A notebook whose kernel is killed midway, and a new kernel that goes on without it.

Rules of this file
- The first kernel runs `examples/research_agent.ipynb` and is killed with SIGKILL when the model has given a number of
  answers. The second one receives the three lines of `RESUME` and nothing of the notebook.
- What executed is read from a log outside of the store, which both kernels append to.
- The exit status says whether the claims hold: the request succeeded, and nothing that was recorded ran again.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import queue
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_client.manager import KernelManager
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

import jupyter_durable
from jupyter_durable import Call, Request

ROOT: Final = Path(__file__).resolve().parent.parent
EXAMPLES: Final = ROOT / "examples"
NOTEBOOK: Final = EXAMPLES / "research_agent.ipynb"
PATIENCE: Final = 90.0
"""Seconds that a kernel may take for anything."""
POLL: Final = 0.02


class Place(NamedTuple):
    """Where a demonstration keeps what it makes."""

    folder: Path

    @property
    def store(self) -> str:
        """URL of its store."""
        return f"sqlite:///{self.folder / 'store.db'}"

    @property
    def log(self) -> Path:
        """What executed, outside of the store."""
        return self.folder / "executions.log"

    def lines(self, what: str) -> list[tuple[int, str]]:
        """Who executed `what`, with what: process ids and subjects."""
        if not self.log.exists():
            return []
        lines = [line.split("\t") for line in self.log.read_text().splitlines()]
        return [(int(pid), subject) for pid, name, subject in lines if name == what]

    @property
    def answers(self) -> int:
        """Answers that the model has given."""
        return len(self.lines("model answered"))


class Kernel:
    """A real kernel; `sent` is all that it was given."""

    def __init__(self, place: Place, **environment: str) -> None:
        self._manager = KernelManager(kernel_name="python3")
        environment = {**os.environ, "EXECUTION_LOG": str(place.log), **environment}
        with (place.folder / "kernels.log").open("ab") as messages:
            self._manager.start_kernel(cwd=str(EXAMPLES), env=environment, stdout=messages, stderr=messages)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE)
        self.sent: list[str] = []
        self.pid: int = self._manager.provisioner.pid  # type: ignore[union-attr]

    def run(self, source: str) -> Iterator[str]:
        """Execute `source`; text of its outputs as it comes, and an empty text whenever nothing came."""
        self.sent.append(source)
        asked = self._client.execute(source)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                message = self._client.get_iopub_msg(timeout=POLL)
            except queue.Empty:
                yield ""
                continue
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return
            if kind == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            if kind == "stream":
                yield content["text"]
            if kind == "execute_result":
                yield content["data"]["text/plain"]
        raise TimeoutError(f"the kernel did not finish within {PATIENCE:.0f} s: {source}")

    def kill(self) -> None:
        """End it as a power cut would: `kill -9`."""
        os.kill(self.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Let it go."""
        self._client.stop_channels()
        if self._manager.is_alive():
            self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()


def resume_lines(store: str) -> list[str]:
    """All that the second kernel is given."""
    return [
        "%load_ext jupyter_durable",
        f"from jupyter_durable import *; _ = configure(store={store!r})",
        'get_request("last").replay()',
    ]


def notebook_cells() -> list[str]:
    """Sources of the notebook's code cells."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@contextmanager
def bar(console: Console, text: str, total: int | None) -> Iterator[Any]:
    """A progress bar for the answers of the model; called with how many there are."""
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.completed} answers")]
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=not console.is_terminal) as progress:
        shown = progress.add_task(text, total=total)
        yield lambda answers: progress.update(shown, completed=answers)


def first_kernel(place: Place, kill_after: int, console: Console) -> Kernel:
    """Run the notebook until the model has given `kill_after` answers; then kill the kernel."""
    kernel = Kernel(place, JUPYTER_DURABLE_STORE=place.store)
    with bar(console, "the notebook runs", kill_after) as show:
        for source in notebook_cells():
            for _ in kernel.run(source):
                show(place.answers)
                if place.answers >= kill_after:
                    kernel.kill()
                    return kernel
    kernel.close()
    raise RuntimeError(f"the notebook ended before the model had given {kill_after} answers")


def second_kernel(place: Place, console: Console) -> tuple[Kernel, str]:
    """A new kernel that replays; the kernel and what it said."""
    before = place.answers
    kernel = Kernel(place)
    said: list[str] = []
    try:
        with bar(console, "the new kernel replays", None) as show:
            for line in resume_lines(place.store):
                for text in kernel.run(line):
                    said.append(text)
                    show(place.answers - before)
    finally:
        kernel.close()
    return kernel, "".join(said).strip()


def conversations(calls: list[Call]) -> set[str]:
    """The conversations whose answer is recorded, as the log names them."""
    name = importlib.import_module("stub_model").conversation
    return {name(call.inputs()[0][0]) for call in calls if call.status == "succeeded"}


def show_tree(request: Request, console: Console) -> None:
    """The tree of calls, what came from a checkpoint in green."""
    for line in request.tree().splitlines():
        style = "green" if "from checkpoint" in line else "yellow"
        console.print(Text("  " + line, style=style if "⊘" not in line else "red"))


def report(place: Place, request: Request, again: set[str], seconds: float, console: Console) -> None:
    """What came of it, and where to look at it."""
    show_tree(request, console)
    console.print()
    console.print(Text(repr(request), style="bold"), soft_wrap=True)
    twice = f"[bold red]{len(again)}[/]" if again else "[bold green]none[/]"
    console.print(f"answers that were recorded, and paid for again all the same: {twice}")
    console.print(f"[dim]counted in {place.log}; {seconds:.0f} s[/]\n", soft_wrap=True)
    console.print("Look at it in JupyterLab: open research_agent.ipynb after")
    console.print(f"  [bold]JUPYTER_DURABLE_STORE={place.store} scripts/lab[/]", soft_wrap=True)
    console.print("and type [bold]%durable tree last[/] into a cell.")


def demonstrate(place: Place, kill_after: int, console: Console) -> bool:
    """The whole of it. True: the claims hold."""
    begun = time.monotonic()
    console.rule("[bold]1 · a notebook in a real kernel")
    console.print("examples/research_agent.ipynb: three agents, each asking a slow, random, rate-limited model\n")
    killed = first_kernel(place, kill_after, console)
    console.print(f"\n[bold red]kill -9 {killed.pid}[/] after {kill_after} answers, in the middle of the others\n")

    jupyter_durable.configure(store=place.store)
    request = jupyter_durable.get_request("last")
    recorded = conversations(request.calls("ask"))
    console.print(Text(repr(request), style="dim"), soft_wrap=True)

    console.rule("[bold]2 · a new kernel, which is given three lines")
    for line in resume_lines(place.store):
        console.print(Text(f"  >>> {line}", style="cyan"), soft_wrap=True)
    console.print()
    kernel, _ = second_kernel(place, console)
    none_of_the_notebook = not set(kernel.sent) & (set(notebook_cells()) - {kernel.sent[0]})

    console.rule("[bold]3 · what ran, and what did not run again")
    asked = Counter(subject for pid, subject in place.lines("model asked") if pid == kernel.pid)
    again = recorded & set(asked)
    report(place, request, again, time.monotonic() - begun, console)
    return none_of_the_notebook and bool(recorded) and not again and request.status == "succeeded"


def main() -> int:
    """Run the demonstration; 0 when its claims hold."""
    options = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    options.add_argument("--kill-after", type=int, default=6, choices=range(2, 9), help="answers before the kill")
    options.add_argument("--folder", type=Path, default=ROOT / ".demo", help="made anew; holds the store and the log")
    given = options.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    sys.path.insert(0, str(EXAMPLES))
    return 0 if demonstrate(Place(given.folder.resolve()), given.kill_after, Console(highlight=False)) else 1


if __name__ == "__main__":
    sys.exit(main())
