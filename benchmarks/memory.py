"""What stays in memory of calls that have ended."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np

from benchmarks.measure import Figure, Size, resident
from jupyter_durable import function

BAR_B = 512.0
STAY_MB = 50.0
BIG = 10_000_000


@function()
def small(number: int) -> int:
    return number


@function()
def large(number: int) -> object:
    return np.random.default_rng(number).integers(0, 256, BIG, dtype=np.uint8)


def run(size: Size, _: Path) -> list[Figure]:
    """Many small calls, then some with large outputs."""
    warm = max(10, size.kept // 10)
    for number in range(warm):
        small(number)
    gc.collect()
    before = resident()
    for number in range(warm, warm + size.kept):
        small(number)
    gc.collect()
    each = (resident() - before) / size.kept
    large(size.big)
    gc.collect()
    before = resident()
    for number in range(size.big):
        large(number)
    gc.collect()
    stayed = (resident() - before) * 1e-6
    return [
        Figure("memory", f"a call, over {size.kept:,}", each, "B", BAR_B),
        Figure("memory", f"of {size.big} outputs of 10 MB stays", stayed, "MB", STAY_MB),
    ]
