"""What `jupyter durable run` sends to the kernel it starts, before the first cell.

Rules of this file
- The kernel must not outlive its runner: it would hold the requests of the notebook.
- Every cell goes on with its last request, of this notebook and these parameters: a run with other parameters is
  another execution, whose results must never be mixed in.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import signal
import sys
from typing import Any, Final, NamedTuple

from jupyter_durable.client import this_engine
from jupyter_durable.client.session import Cell

EXTENSION: Final = "jupyter_durable"
MARK: Final = " · "
"""Between the key of a cell and the parameters."""
_PR_SET_PDEATHSIG: Final = 1


class Execution(NamedTuple):
    """How the cells of a notebook are executed."""

    notebook: str
    variant: str
    """The parameters given; empty without any."""
    fresh: bool

    @property
    def setup(self) -> str:
        """What the kernel executes first."""
        given = json.dumps(json.dumps(self))
        return f"__import__('jupyter_durable_kernel.run.in_kernel').run.in_kernel.prepare(get_ipython(), {given})"


def prepare(shell: Any, execution: str) -> None:
    """Load the extension and say how cells begin. Runs in the kernel."""
    die_with_parent()
    shell.extension_manager.load_extension(EXTENSION)
    engine = this_engine()
    if "reprint" not in engine.settings.sources:
        engine.configure({"reprint": True})  # the notebook that is written has the output of all its calls
    engine.sessions.amend = functools.partial(amended, Execution(*json.loads(execution)))


def amended(execution: Execution, cell: Cell) -> Cell:
    """A cell as it begins in a headless run."""
    key = cell.key if cell.key is None or not execution.variant else f"{cell.key}{MARK}{execution.variant}"
    fresh = cell.fresh or execution.fresh
    return cell._replace(notebook=execution.notebook, key=key, once=not fresh, fresh=fresh)


def belongs(cell: str | None, variant: str) -> bool:
    """Whether the key of a cell is one of a run with these parameters."""
    return cell is not None and (cell.endswith(f"{MARK}{variant}") if variant else MARK not in cell)


def die_with_parent() -> None:
    """End with the runner, however that ends: at once on Linux; elsewhere ipykernel looks every second."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if str(os.getppid()) != os.environ.get("JPY_PARENT_PID"):
        os._exit(1)  # it has ended before this was set
