"""What a small notebook pays for us: the memory of its kernel, and its first durable cell."""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import Final

from benchmarks.kernel import Kernel
from benchmarks.measure import Figure, Size

PLAIN: Final = """
import json, time
start = time.perf_counter()
def step(number):
    return {"number": number}
found = [step(number) for number in range(3)]
seconds = time.perf_counter() - start
"""
DURABLE: Final = "%%durable\n" + PLAIN
MEMORY: Final = """
with open("/proc/self/statm", encoding="ascii") as file:
    print(int(file.read().split()[1]))
"""
MEMORY_BAR: Final = 1.3
FIRST_CELL_MS: Final = 400.0


def run(size: Size, folder: Path) -> list[Figure]:
    """Kernels in turn, with the extension and a durable cell, and without; each with a store of its own."""
    rounds = max(1, size.rounds // 6)
    memory: list[float] = []
    without: list[float] = []
    ratios: list[float] = []
    extra: list[float] = []
    for number in range(rounds):
        bare, cell = _plain(folder)
        own, durable = _durable(folder / str(number))
        memory.append(own)
        without.append(bare)
        ratios.append(own / bare)
        extra.append(durable - cell)
    return [
        Figure(
            "notebook", "memory of its kernel", statistics.median(memory) * 1e-6, "MB", None,
            statistics.median(without) * 1e-6, "without us", statistics.median(ratios), MEMORY_BAR,
        ),
        Figure("notebook", "its first durable cell, extra", statistics.median(extra) * 1e3, "ms", FIRST_CELL_MS),
    ]  # fmt: skip


def _plain(folder: Path) -> tuple[float, float]:
    """Bytes of a kernel without us, and the seconds of the cell as it is."""
    with Kernel({"JUPYTER_DATA_DIR": str(folder)}) as kernel:
        seconds = kernel.timed(PLAIN)
        return _bytes(kernel), seconds


def _durable(folder: Path) -> tuple[float, float]:
    """Bytes of a kernel with a durable cell, and its seconds: with the import, the store and the view."""
    with Kernel({"JUPYTER_DATA_DIR": str(folder), "JUPYTER_DURABLE_STORE": f"sqlite:///{folder}.db"}) as kernel:
        kernel.execute("%load_ext jupyter_durable")
        seconds = kernel.timed(DURABLE)
        return _bytes(kernel), seconds


def _bytes(kernel: Kernel) -> float:
    return int(kernel.execute(MEMORY)) * os.sysconf("SC_PAGE_SIZE")
