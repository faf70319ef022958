"""A map of trivial items, against all its rows in one transaction."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from benchmarks.floor import BareTable, recorded_row
from benchmarks.measure import Figure, Size, paired
from jupyter_durable import function


@function()
def item(number: int) -> int:
    return number


def run(size: Size, folder: Path) -> list[Figure]:
    """In a plain script; the first map, which starts the worker threads, stands for itself."""
    start = time.perf_counter()
    item.map(range(size.items))
    first = time.perf_counter() - start
    bare = BareTable(folder / "bare-map.db", recorded_row())

    def mapped() -> float:
        start = time.perf_counter()
        item.map(range(size.items))
        return time.perf_counter() - start

    pairs = paired({"bare": lambda: bare.together(size.items), "map": mapped}, max(3, size.rounds // 2))
    name = f"map of {size.items:,} items"
    floor = pairs.median("bare") * 1e3
    worst = max(pairs.times["map"])
    return [
        Figure(
            "map",
            name,
            pairs.median("map") * 1e3,
            "ms",
            None,
            floor,
            "one transaction",
            pairs.ratio("map", "bare"),
            5.0,
        ),
        Figure("map", f"{name}, slowest of {len(pairs.times['map'])}", worst * 1e3, "ms"),
        Figure("map", f"{name}, first in the process", first * 1e3, "ms"),
        Figure("map", "an item", statistics.median(pairs.times["map"]) / size.items * 1e6, "us"),
    ]
