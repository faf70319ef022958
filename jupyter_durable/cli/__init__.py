"""`jupyter durable …`, also `jupyter-durable`: the verbs of `%durable`, for a terminal and for programs.

Rules of this package
- A command finds out or does one thing through `client.verbs`, and gives back what it has to say (`said.Said`); only
  `drawing` writes it: tables on a terminal, plain text without one, one JSON document with `--json`.
- Exit codes: 0 done, 1 the request failed, 2 wrong use or a store that cannot be used, 130 interrupted. What went wrong
  is one sentence on stderr that names the remedy, never a traceback.
- typer and rich are imported when a command is, so that `import jupyter_durable` stays free of them.
- `run` needs Jupyter, so it lives in `jupyter_durable_kernel` and is found by entry point.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit code. `arguments` are those after the program's name."""
    from jupyter_durable.cli.app import app

    try:
        app(args=None if arguments is None else list(arguments), prog_name="jupyter durable")
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
