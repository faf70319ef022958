"""Items of a map that share an object: whatever changes it, each call has the result of what it was given."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from jupyter_durable import application, function, run_local_application
from jupyter_durable.testing import Bench

ORDER: list[int] = []
CASE: list[Callable[[int], Iterator[Any]]] = []


class Box:
    """An object of a user's class."""

    def __init__(self, held: Any) -> None:
        self.held = held


def total(value: Any) -> int:
    return int(sum(value.held if isinstance(value, Box) else value))


@function()
def measured(item: tuple[Any, int]) -> int:
    return total(item[0]) * 10 + item[1]


@application()
@function()
def measures(_: int) -> list[list[int]]:
    found: list[list[int]] = [measured.map(CASE[0](n)) for n in ORDER]
    if len(found) < 3:
        raise ValueError("not all of them yet")
    return found


def by_the_caller() -> Callable[[int], Iterator[Any]]:
    box = Box([0])

    def items(n: int) -> Iterator[Any]:
        box.held[0] = n
        return iter([(box, 1), (box, 2)])

    return items


def by_another_thread() -> Callable[[int], Iterator[Any]]:
    box = Box(bytearray(5000))

    def items(n: int) -> Iterator[Any]:
        thread = threading.Thread(target=lambda: box.held.__setitem__(4000, n))
        thread.start()
        thread.join()
        return iter([(box, 1), (box, 2)])

    return items


def by_the_generator() -> Callable[[int], Iterator[Any]]:
    shared = [0]

    def items(n: int) -> Iterator[Any]:
        yield shared, 1
        shared[0] = n
        yield shared, 2

    return items


def by_a_view() -> Callable[[int], Iterator[Any]]:
    below = np.zeros(5000, dtype=int)
    view = below[10:]

    def items(n: int) -> Iterator[Any]:
        below[20] = n
        return iter([(view, 1), (view, 2)])

    return items


def in_its_place() -> Callable[[int], Iterator[Any]]:
    def items(n: int) -> Iterator[Any]:
        gc.collect()  # another one often gets the place in memory, and so the `id`, of the one before
        box = Box([n])
        return iter([(box, 1), (box, 2)])

    return items


@pytest.mark.parametrize("case", [by_the_caller, by_another_thread, by_the_generator, by_a_view, in_its_place])
def test_a_shared_object_that_changed_between_two_maps_is_another_argument(
    bench: Bench, case: Callable[[], Callable[[int], Iterator[Any]]]
) -> None:
    CASE[:] = [case()]
    ORDER[:] = [1, 2]
    request = run_local_application(measures, 0)
    assert request.status == "failed"
    CASE[:] = [case()]
    ORDER[:] = [2, 3, 1]
    request.replay()
    assert request.output() == [[n * 10 + 1, n * 10 + 2] for n in ORDER]
    assert [call.source for call in request.calls("measured")].count("checkpoint") == 4
