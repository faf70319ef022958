"""Large outputs: written against pickle 5 to a synced file, loaded with the hash checked."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.floor import loaded_file, pickled_file
from benchmarks.measure import Figure, Size, paired
from jupyter_durable import RequestError, application, function, run_local_application

LOAD_BAR_MS = 3.0


def made(number: int, size: int) -> np.ndarray:
    """An array that nobody has stored before and that does not compress."""
    return np.random.default_rng(number).integers(0, 256, size, dtype=np.uint8)


@function()
def output(number: int, size: int) -> object:
    return made(number, size)


class Source:
    """Hands each call its array without an argument that would be digested."""

    def __init__(self) -> None:
        self.array: object = None


source = Source()


@function()
def handed(_: int) -> object:
    return source.array


@application()
@function()
def loads(count: int, size: int) -> None:
    """Large outputs; raises at its end with the seconds each call took, so that a replay loads them."""
    taken = []
    for number in range(count):
        start = time.perf_counter()
        output(number, size)
        taken.append(time.perf_counter() - start)
    raise RequestError(json.dumps(taken))


def _written(size: int, rounds: int, folder: Path) -> Figure:
    array = made(size, size)
    counter = iter(range(1_000_000))

    def changed() -> np.ndarray:
        array[:8] = np.frombuffer(next(counter).to_bytes(8, "little"), dtype=np.uint8)
        return array

    def durable() -> float:
        source.array = changed()
        number = next(counter)
        start = time.perf_counter()
        handed(number)
        return time.perf_counter() - start

    pairs = paired(
        {"pickle": lambda: pickled_file(folder / f"{size}-{next(counter)}.pickle", changed()), "call": durable},
        rounds,
        1,
    )
    return Figure(
        "array",
        f"{size / 1e6:g} MB written",
        pairs.median("call") * 1e3,
        "ms",
        None,
        pairs.median("pickle") * 1e3,
        "pickle 5 + fsync",
        pairs.ratio("call", "pickle"),
        1.2,
    )


def _loaded(size: int, count: int, folder: Path, bar: float | None) -> Figure:
    request = run_local_application(loads, count, size)
    text = str(request.replay().error)
    taken = json.loads(text[text.index("[") : text.rindex("]") + 1])
    floor = statistics.median(loaded_file(folder / "array.pickle", made(n, size)) for n in range(min(3, count)))
    loaded = statistics.median(taken)
    return Figure(
        "array", f"{size / 1e6:g} MB loaded", loaded * 1e3, "ms", bar, floor * 1e3, "pickle.load", loaded / floor
    )


def run(size: Size, folder: Path) -> list[Figure]:
    """Two sizes, a factor of ten apart."""
    small, large = size.array, size.array * 10
    rounds = max(2, size.rounds // 2)
    return [
        _written(small, rounds, folder),
        _written(large, max(2, rounds // 3), folder),
        _loaded(small, rounds, folder, LOAD_BAR_MS),
        _loaded(large, max(2, rounds // 3), folder, None),
    ]
