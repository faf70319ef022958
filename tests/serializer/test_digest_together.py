"""Values that are looked at in one go, as the items of a map are: what they share counts as ever, and is seen once."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyter_durable.serializer.digest import Digesting, value_digest
from jupyter_durable.serializer.encoders import encoder_of
from jupyter_durable.serializer.together import value_digests


@dataclasses.dataclass
class Job:
    """An item that is a record."""

    document: Any
    number: int


class Part:
    """An object of a user's class."""

    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


def document(parts: int = 20) -> Part:
    return Part(parts=[Part(text=f"part {n}", tags=["a", "b"]) for n in range(parts)])


HOLD: dict[str, Callable[[Any, int], Any]] = {
    "itself": lambda value, _: value,
    "a tuple": lambda value, n: (value, n),
    "a dict": lambda value, n: {"document": value, "n": n},
    "a partial": lambda value, n: functools.partial(print, value, at=n),
    "a record": Job,
    "an object": lambda value, n: Part(document=value, n=n),
    "a dict in a list": lambda value, n: [n, {"document": value}],
    "twice": lambda value, n: (value, [value], n),
    "with a part of it": lambda value, n: (n, value, vars(value)["parts"]),
}


def counting(kind: type) -> tuple[Digesting, list[Any]]:
    """A way to look at values that notes which ones of a type were looked at."""
    how, seen, encode = Digesting(), [], encoder_of(kind, frozenset())
    assert encode is not None

    def noted(names: Any, value: Any) -> Any:
        seen.append(value)
        return encode(names, value)

    how.encoders[kind] = (noted, None)
    return how, seen


def apart(values: list[Any], how: Digesting | None = None) -> list[tuple[bytes, int]]:
    return [value_digest(value, how) for value in values]


@pytest.mark.parametrize("hold", HOLD.values(), ids=HOLD)
def test_what_items_share_counts_as_it_does_in_each_by_itself(hold: Callable[[Any, int], Any]) -> None:
    shared = document()
    items = [hold(shared, n) for n in range(5)]
    assert value_digests(items, Digesting()) == apart(items)


def test_what_items_share_is_looked_at_once() -> None:
    how, seen = counting(np.ndarray)
    array = np.arange(100_000)
    for hold in (HOLD[name] for name in HOLD if name != "with a part of it"):
        seen.clear()
        value_digests([hold(array, n) for n in range(50)], how)
        assert len(seen) == 1


def test_a_grid_of_several_shared_objects_is_looked_at_once_each() -> None:
    how, seen = counting(np.ndarray)
    some, others = [np.full(1000, n) for n in range(5)], [np.full(1000, 100 + n) for n in range(7)]
    items = [(one, {"with": other}) for one in some for other in others]
    found = value_digests(items, how)
    assert len(seen) == 12
    assert found == apart(items)
    assert len({digest for digest, _ in found}) == 35


def near_the_budget(part: float) -> list[Any]:
    """Items that share most of what one look may cost; `part` of the budget is in what each has for itself."""
    shared = document(500)
    return [(shared, document(int(part * 500)), n) for n in range(3)]


@pytest.mark.parametrize("budget", [0.001, 0.01, 0.0165, 0.018, 0.02, 0.022, 0.025, 0.03, 0.04, 0.05])
@pytest.mark.parametrize("part", [0.1, 0.5, 1.0])
def test_what_is_over_the_budget_by_itself_is_so_beside_others(part: float, budget: float) -> None:
    items = near_the_budget(part)
    flags = [flag for _, flag in value_digests(items, Digesting(budget=budget))]
    assert flags == [flag for _, flag in apart(items, Digesting(budget=budget))]
    if not any(flags):
        assert value_digests(items, Digesting(budget=budget)) == apart(items)


def test_objects_that_hold_each_other_count_as_they_do_by_themselves() -> None:
    ring = Part(next=None)
    ring.__dict__["next"] = Part(next=ring)
    first = Part(ring=ring)
    first.__dict__["item"] = (first, ring)
    holder = Part(held=Part())
    vars(holder)["held"].__dict__["back"] = [[[holder]]]
    items = [
        (ring, 1), (ring, 2), first, (first, ring), vars(first)["item"], {"ring": ring, "first": first},
        holder, (vars(holder)["held"], 2),
    ]  # fmt: skip
    assert value_digests(items, Digesting()) == apart(items)


def test_what_equals_nothing_equals_nothing_beside_itself() -> None:
    lock = threading.Lock()
    found = value_digests([(lock, 1), (lock, 1), (lock, 1)], Digesting())
    assert len({digest for digest, _ in found}) == 3


class Asked:
    """An object that is asked what it is, as it holds what says nothing of itself, and changes another one then."""

    def __init__(self, changes: list[Any]) -> None:
        self.changes = changes
        self.lock = threading.Lock()

    def __reduce_ex__(self, _: Any) -> Any:
        self.changes.append(len(self.changes))
        return Asked, ()


def test_what_an_object_changes_when_it_is_asked_is_seen() -> None:
    shared: list[Any] = [[]]
    items = [(shared, 1), (shared, 2), (Asked(shared), 3), (shared, 1)]
    found = value_digests(items, Digesting())
    assert len(shared) > 1
    assert found[0] != found[3]
    assert found[3] == value_digest((shared, 1))


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (lambda: [1, [2]], lambda value: value[1].append(3)),
        (lambda: document(), lambda value: vars(value)["parts"][7].__dict__.update(text="another")),
        (lambda: bytearray(100_000), lambda value: value.__setitem__(70_000, 1)),
        (lambda: np.zeros(100_000), lambda value: value.__setitem__(70_000, 1)),
        (lambda: np.zeros(100_000)[10:], lambda value: value.base.__setitem__(70_000, 1)),
        (lambda: memoryview(bytearray(100_000)), lambda value: value.__setitem__(70_000, 1)),
        (lambda: pd.DataFrame({"a": range(1000)}), lambda value: value.__setitem__("a", 1)),
    ],
    ids=["a list", "an object", "a bytearray", "an array", "a view of an array", "a memoryview", "a frame"],
)
def test_what_changed_between_two_goes_is_seen(make: Callable[[], Any], change: Callable[[Any], Any]) -> None:
    how, shared = Digesting(), make()
    items = [(shared, n) for n in range(3)]
    before = value_digests(items, how)
    change(shared)
    after = value_digests(items, how)
    assert {digest for digest, _ in before}.isdisjoint(digest for digest, _ in after)
    assert after == apart(items, how)


def test_nothing_is_kept_of_a_go() -> None:
    how = Digesting()
    for n in range(200):  # each array has the place in memory, and so the `id`, of one before
        items = [(np.full(1000, n), k) for k in range(2)]
        items.append((items[0][0], 9))
        assert value_digests(items, how) == apart(items)
    assert how.together is None
