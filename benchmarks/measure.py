"""Shared measuring: paired blocks, medians of ratios, figures.

Rules of this package
- A figure stands beside its floor, measured in the same process in alternating blocks: a disk that gets slower slows
  both, and the ratio holds.
- Nothing here asserts. A bar is what design section 6 asks; whether a figure keeps it is printed, not raised.
- Times are seconds per call (or per operation); sizes are bytes.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

Block = Callable[[], float]
"""Runs one block; seconds per call."""
AsyncBlock = Callable[[], Awaitable[float]]

UNITS: Final = {"us": 1e6, "ms": 1e3, "s": 1.0, "x": 1.0, "B": 1.0, "MB": 1e-6}


class Figure(NamedTuple):
    """One line of the table. `value`, `floor` and `bar` are in `unit`; `ratio` is value over floor."""

    case: str
    name: str
    value: float
    unit: str
    bar: float | None = None
    floor: float | None = None
    against: str = ""
    """What the floor is."""
    ratio: float | None = None
    ratio_bar: float | None = None
    """The bar, where design section 6 puts it on the ratio."""

    def verdict(self) -> str:
        """`ok`, `over`, or nothing where design section 6 asks for nothing."""
        if self.bar is None and self.ratio_bar is None:
            return ""
        over = (self.bar is not None and self.value > self.bar) or (
            self.ratio_bar is not None and self.ratio is not None and self.ratio > self.ratio_bar
        )
        return "over" if over else "ok"

    def line(self) -> str:
        """As one line of JSON."""
        return json.dumps({**self._asdict(), "verdict": self.verdict()})


def read_figure(line: str) -> Figure | None:
    """The figure of a line that `Figure.line` made; None for any other line."""
    if not line.startswith('{"case"'):
        return None
    fields = json.loads(line)
    fields.pop("verdict")
    return Figure(**fields)


class Size(NamedTuple):
    """How much is measured."""

    name: str
    rounds: int
    block: int
    """Calls in one block."""
    recorded: int
    """Calls of the request that is replayed."""
    items: int
    kept: int
    """Calls over which memory is watched."""
    big: int
    """Outputs of 10 MB."""
    array: int
    """Bytes of the small array; the large one has ten times as many."""
    million: int


SIZES: Final = {
    "smallest": Size("smallest", 2, 5, 20, 20, 50, 2, 1_000_000, 100),
    "normal": Size("normal", 30, 100, 1_000, 1_000, 20_000, 100, 10_000_000, 0),
    "long": Size("long", 60, 100, 1_000, 1_000, 20_000, 100, 10_000_000, 1_000_000),
}


class Pairs:
    """Blocks of several variants, taken in turn."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def add(self, name: str, seconds: float) -> None:
        """One block of `name` took so many seconds per call."""
        self.times.setdefault(name, []).append(seconds)

    def median(self, name: str) -> float:
        """Seconds per call."""
        return statistics.median(self.times[name])

    def ratio(self, name: str, base: str) -> float:
        """Median over the rounds of `name` over `base` in the same round."""
        return statistics.median(a / b for a, b in zip(self.times[name], self.times[base], strict=True))


def paired(variants: Mapping[str, Block], rounds: int, warm: int = 3) -> Pairs:
    """Run the variants in turn; the first `warm` rounds do not count."""
    pairs = Pairs()
    for number in range(rounds + warm):
        for name, block in variants.items():
            seconds = block()
            if number >= warm:
                pairs.add(name, seconds)
    return pairs


async def paired_async(variants: Mapping[str, AsyncBlock], rounds: int, warm: int = 3) -> Pairs:
    """As `paired`, in the running loop."""
    pairs = Pairs()
    for number in range(rounds + warm):
        for name, block in variants.items():
            seconds = await block()
            if number >= warm:
                pairs.add(name, seconds)
    return pairs


def seconds_of(body: Callable[[], object]) -> float:
    """How long `body` takes."""
    start = time.perf_counter()
    body()
    return time.perf_counter() - start


def resident() -> int:
    """Bytes of memory this process occupies now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    """The most bytes of memory this process has occupied."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
