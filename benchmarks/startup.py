"""What a fresh process pays: the import, and the way to the first durable call."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Figure, Pairs, Size, paired

FIRST_CALL = """
from jupyter_durable import configure, function
configure(store={store!r})

@function()
def first(number):
    return number

first(1)
"""
BARE, IMPORT = "python -c pass", "import"
FIRST, NEW = "import and first durable call", "import and first durable call, new store"


def _seconds(code: str) -> float:
    """Seconds that a process with this code takes, from its start to its end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def run(size: Size, folder: Path) -> list[Figure]:
    """Compiled modules and a warm page cache, as on the second start of a kernel."""
    store = FIRST_CALL.format(store=f"sqlite:///{folder}/start.db")
    new = iter(range(1_000))
    pairs = paired(
        {
            BARE: lambda: _seconds("pass"),
            IMPORT: lambda: _seconds("import jupyter_durable"),
            FIRST: lambda: _seconds(store),
            NEW: lambda: _seconds(FIRST_CALL.format(store=f"sqlite:///{folder}/new-{next(new)}.db")),
        },
        max(2, size.rounds // 2),
        2,
    )
    return [_figure(pairs, *asked) for asked in ((IMPORT, BARE, 4.0), (FIRST, IMPORT, 2.5), (NEW, IMPORT, 4.0))]


def _figure(pairs: Pairs, name: str, against: str, bar: float) -> Figure:
    took, floor = pairs.median(name) * 1e3, pairs.median(against) * 1e3
    return Figure("start", name, took, "ms", None, floor, against, pairs.ratio(name, against), bar)
