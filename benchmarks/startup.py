"""What a fresh process pays: the import, and the way to the first durable call."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Figure, Size, paired

FIRST_CALL = """
import time
start = time.perf_counter()
from jupyter_durable import configure, function
configure(store={store!r})

@function()
def first(number):
    return number

first(1)
print(time.perf_counter() - start)
"""


def _run(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout


def _seconds(code: str) -> float:
    start = time.perf_counter()
    _run("-c", code)
    return time.perf_counter() - start


def run(size: Size, folder: Path) -> list[Figure]:
    """Compiled modules and a warm page cache, as on the second start of a kernel."""
    store = FIRST_CALL.format(store=f"sqlite:///{folder}/start.db")
    pairs = paired(
        {
            "bare": lambda: _seconds("pass"),
            "import": lambda: _seconds("import jupyter_durable"),
            "first call": lambda: float(_run("-c", store)),
        },
        max(2, size.rounds // 2),
        2,
    )
    new = iter(range(1_000))
    fresh = paired(
        {"new": lambda: float(_run("-c", FIRST_CALL.format(store=f"sqlite:///{folder}/new-{next(new)}.db")))},
        max(2, size.rounds // 4),
        0,
    )
    over = pairs.median("import") - pairs.median("bare")
    return [
        Figure(
            "start", "import jupyter_durable", over * 1e3, "ms", 100.0, pairs.median("bare") * 1e3, "python -c pass"
        ),
        Figure("start", "load to first durable call", pairs.median("first call") * 1e3, "ms", 200.0),
        Figure("start", "the same with a new store", fresh.median("new") * 1e3, "ms"),
    ]
