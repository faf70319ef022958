"""`jupyter durable run`: a notebook from its first cell to its last, without a browser.

Rules of this file
- Nothing is remembered between two runs but the journal: every run executes every cell, and what succeeded before with
  the same code and arguments is served from its checkpoint.
- What the command says stands here; how the notebook is executed, in `run/`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_durable.cli.drawing import complain
from jupyter_durable.cli.running import NotebookRun
from jupyter_durable.cli.said import Said, info_json
from jupyter_durable.cli.verb import Asked
from jupyter_durable.client.engine import Engine
from jupyter_durable.client.settings import PREFIX, load
from jupyter_durable_kernel.run import notebook_file, other_holders
from jupyter_durable_kernel.run.execution import Ended, Running
from jupyter_durable_kernel.run.in_kernel import Execution
from jupyter_durable_kernel.run.progress import RunView


def run(asked: Asked, wanted: NotebookRun) -> Said:
    """Execute a notebook; what `jupyter durable run` says at the end."""
    notebook = notebook_file.read(wanted.notebook, wanted.parameters)
    url = _store(asked.engine, wanted.notebook.parent)
    execution = Execution(str(wanted.notebook), variant(wanted.parameters), wanted.fresh)
    other_holders.make_way(asked.engine, execution)
    notebook_file.write(notebook, wanted.out)
    view = RunView(asked.engine, execution, len(notebook.cells))
    running = Running(notebook, wanted, execution, view)
    with view.drawn():
        ended = asyncio.run(running.execute({**os.environ, "JPY_SESSION_NAME": execution.notebook, _STORE: url}))
    return _said(wanted, view, ended, len(notebook.cells))


_STORE: Final = f"{PREFIX}STORE"


def variant(parameters: Mapping[str, Any]) -> str:
    """Parameters as a text that tells executions apart."""
    return ", ".join(f"{name}={parameters[name]!r}" for name in sorted(parameters))


def _store(engine: Engine, directory: Path) -> str:
    """The store that the notebook has when it is opened in Jupyter, or the one asked for; with its full path."""
    url, beside = engine.settings.store, Path.cwd()
    if engine.settings.sources.get("store") != "configure()":
        url, beside = load(os.environ, directory).store, directory
    path = url.removeprefix("sqlite:///")
    if path != url:
        url = f"sqlite:///{beside / Path(path).expanduser()}"
    engine.configure({"store": url})
    return url


def _said(wanted: NotebookRun, view: RunView, ended: Ended | None, cells: int) -> Said:
    requests = view.requests()
    document = {
        "notebook": str(wanted.notebook),
        "out": str(wanted.out),
        "cells": cells,
        "succeeded": ended is None,
        "failed_cell": ended.cell if ended else None,
        "error": ended.what if ended else None,
        "requests": [info_json(info) for info in requests],
    }
    if ended is not None:
        complain(f"cell {ended.cell}: {ended.what}" if ended.cell else ended.what)
        how = f"{wanted.out} holds it so far; run the same command again to go on from the checkpoints"
        return Said(document, [how], ended.code)
    reused, ran = sum(info.reused for info in requests), sum(info.executed for info in requests)
    line = f"{cells} cells · {len(requests)} requests · {reused} calls from checkpoint · {ran} ran"
    return Said(document, [line, str(wanted.out)])
