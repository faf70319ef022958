"""The cases by name; each runs in a process of its own: `python -m benchmarks.cases NAME SIZE FOLDER`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Final

from benchmarks.measure import SIZES

CASES: Final = {
    "script": "benchmarks.calls:run",
    "kernel": "benchmarks.kernel:run",
    "notebook": "benchmarks.notebook:run",
    "replay": "benchmarks.replays:run",
    "map": "benchmarks.maps:run",
    "array": "benchmarks.arrays:run",
    "start": "benchmarks.startup:run",
    "digest": "benchmarks.digests:run",
    "memory": "benchmarks.memory:run",
    "database": "benchmarks.database:run",
    "million": "benchmarks.replays:run_million",
}


def main(name: str, size: str, folder: str) -> None:
    """Print the figures of one case, a line of JSON each."""
    from jupyter_durable import configure

    configure(store=f"sqlite:///{folder}/store.db")
    module, _, function = CASES[name].partition(":")
    for figure in getattr(importlib.import_module(module), function)(SIZES[size], Path(folder)):
        print(figure.line(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
