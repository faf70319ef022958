"""Laws of what a digest may take: it ends within its budget, and what is long is compared all the same."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyter_durable.core.model import Flag
from jupyter_durable.serializer.canonical import WORK_A_SECOND
from jupyter_durable.serializer.digest import Digesting, args_digest, over_budget, value_digest


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a: object, b: object) -> None:
        self.a = a
        self.b = b


def test_of_several_arguments_those_that_are_too_large_are_named() -> None:
    """The others are known by themselves, wherever they stand."""
    names, one, other = ("a", "b", "c", "d"), [(n, str(n)) for n in range(30_000)], {n: [n] for n in range(30_000)}
    arguments = [{"k": [1]}, one, [Slotted(1, 2)], other]
    for order in [(0, 1, 2, 3), (3, 0, 1, 2), (0, 2, 1, 3), (1, 3, 2, 0)]:
        args = tuple(arguments[at] for at in order)
        large = [name for name, value in zip(names, args, strict=True) if value is one or value is other]
        assert over_budget(names, args, {}) == large
        assert args_digest(names, args, {}) == args_digest(names, args, {})
        assert over_budget((), (), dict(zip(names, args, strict=True))) == large


def test_arguments_that_are_too_many_only_together_are_compared() -> None:
    """None of them is to blame, so none is named, and nothing is weak."""
    args = [[n] for n in range(760)], [[n] for n in range(40)]
    how = Digesting(budget=1_000 / WORK_A_SECOND)
    assert over_budget((), (args,), {}, how) == ["argument 0"]
    assert over_budget((), args, {}, how) == []
    assert args_digest((), args, {}, how)[1] == 0
    assert args_digest((), args, {}, how) == args_digest((), copy.deepcopy(args), {}, how)
    assert args_digest((), args, {}, how)[0] != args_digest((), (args[0], args[1][1:]), {}, how)[0]


def test_what_is_shared_by_arguments_and_was_given_up_is_looked_at_again() -> None:
    """A walk goes on after it was given up, and nothing of what was on its way then is taken for known."""
    inner: list[Any] = [[1], {"a": [2]}]
    large = [inner, *rows()]
    inner.append(large)
    digest, flags = args_digest((), (large, inner, 1), {})
    assert flags == Flag.WEAK | Flag.TOO_LARGE
    assert args_digest((), (large, inner, 1), {})[0] == digest


def rows() -> list[Any]:
    return [{"id": n, "name": str(n), "tags": ["a", "b"]} for n in range(20_000)]


def chain() -> Any:
    last = None
    for n in range(7_000):
        last = Slotted(n, last)
    return last


HEAVY: dict[str, Callable[[], tuple[Any, ...]]] = {
    "numbers": lambda: ([*map(float, range(1_000_000))],),
    "mixed numbers": lambda: ([0, *map(float, range(1_000_000))],),
    "texts": lambda: ([f"text {n}" for n in range(500_000)],),
    "a dict": lambda: ({f"key {n}": n for n in range(300_000)},),
    "a set": lambda: ({*range(300_000)},),
    "bytes": lambda: (bytes(range(256)) * 40_000,),
    "a text": lambda: ("\xe9" * 5_000_000,),
    "a document": lambda: ([{"content": bytes(range(256)) * 40_000}],),
    "vectors": lambda: ([[n / 7] * 768 for n in range(3_000)],),
    "a chain": lambda: (chain(),),
    "rows": lambda: (rows(),),
    "exceptions": lambda: ([KeyError(n) for n in range(20_000)],),
    "frames": lambda: ([pd.DataFrame({"a": [n]}) for n in range(500)],),
    "columns": lambda: (pd.DataFrame({f"c{n}": [n] for n in range(3_000)}),),
    "objects in an array": lambda: (np.array([None] * 1_000_000, dtype=object),),
    "keys that are long integers": lambda: ({10**4_290 + n: n for n in range(5_000)},),
    "rows of long integers": lambda: ([[10**4_200 + n] * 250 for n in range(20)],),
    "a huge integer": lambda: (1 << 33_000_000,),
    "a long key": lambda: ({"\u1234" * 2_000_000: 1},),
    "a long key inside": lambda: ([{"\u1234" * 2_000_000: []}],),
    "texts long in sum": lambda: (["\u1234" * 65_000 + str(n) for n in range(100)],),
    "arguments long in sum": lambda: tuple("\u1234" * 65_000 + str(n) for n in range(100)),
    "dicts long in sum": lambda: tuple({"a": "\u1234" * 65_000 + str(n)} for n in range(100)),
    "objects in a proxy": lambda: (MappingProxyType({n: [] for n in range(300_000)}),),
    "attributes": lambda: (SimpleNamespace(**{f"a{n}": [n] for n in range(300_000)}),),
    "fields": lambda: (np.zeros(3, [(f"f{n}", "f8") for n in range(3_000)]),),
    "a decimal": lambda: (Decimal((0, (1,) * 1_000_000, 0)),),
    "a view with gaps": lambda: (memoryview(bytearray(50_000_000))[::2],),
    "several": lambda: (rows(), rows(), {"a": rows()}, rows()),
}
"""Arguments of kinds that took long for what they counted, or were not counted at all."""


def a_plain_loop() -> None:
    """The floor: what 50 ms of the budget stand for, on whatever machine, is about twice this."""
    total = 0
    for n in range(500_000):
        total += n


def seconds_of(work: Callable[[], object]) -> float:
    """Of this thread, so that others beside it do not count."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


@pytest.mark.parametrize("what", HEAVY)
def test_a_digest_ends_within_its_budget_whatever_the_kind(what: str) -> None:
    """All that it takes, with what comes after a walk that was given up, beside a loop of known length."""
    args = HEAVY[what]()
    ratios = [seconds_of(lambda: args_digest((), args, {})) / seconds_of(a_plain_loop) for _ in range(3)]
    assert min(ratios) < TIMES_THE_LOOP


TIMES_THE_LOOP = 6
"""Four on the slowest machine; what was not counted took twenty and more."""


LONG_ONES: list[tuple[Any, Any]] = [
    ("x" * 70_000, "x" * 69_999 + "y"),
    ("x" * 70_000, b"x" * 70_000),
    ("\ud800\udc00" * 40_000, "\U00010000" * 40_000),
    (b"x" * 70_000, b"x" * 70_001),
    ([0.0] * 300, [0.0] * 299 + [-0.0]),
    ([math.nan] * 300, [math.nan] * 299 + [-math.nan]),
    ([0] * 300, [0] * 299 + [False]),
    ([0] * 300, [0.0] * 300),
    ([0] * 300, [0] * 301),
    ([0.5] * 300, [0.5] * 299 + [1]),
    ([1, 0.5] * 1_000, [1, 0.5] * 999 + [0.5, 1]),
    ([2**63] * 300, [2**63] * 299 + [2**63 + 1]),
    ([10**5_000] * 300, [10**5_000] * 299 + [10**5_000 + 1]),
    ([*map(str, range(3_000))], [*map(str, range(2_999)), "2998"]),
    (["a"] * 3_000, [b"a"] * 3_000),
    ([None, "a"] * 1_000, [None, "a"] * 999 + ["a", None]),
    ([1] * 3_000, (1,) * 3_000),
    ({str(n): n for n in range(3_000)}, {str(n): n or False for n in range(3_000)}),
    ({str(n): n for n in range(3_000)}, {str(n or -1): n for n in range(3_000)}),
    ({"a": "x" * 70_000}, {"a": "y" * 70_000}),
    ({"x" * 70_000: 1}, {"x" * 69_999 + "y": 1}),
    ({"x" * 700_000: []}, {"x" * 699_999 + "y": []}),
    ({"x" * 700: [], "y": []}, {"x" * 699 + "y": [], "y": []}),
    (["x" * 65_000] * 20, ["x" * 65_000] * 19 + ["x" * 64_999 + "y"]),
    ([b"x" * 65_000] * 20, [b"x" * 65_000] * 19 + ["x" * 65_000]),
    (["x" * 2_000] * 300, ["x" * 2_000] * 299 + ["x" * 1_999 + "y"]),
    ({str(n): "x" * 60_000 for n in range(20)}, {str(n): "x" * (60_000 + n // 19) for n in range(20)}),
    ([10**4_000] * 50, [10**4_000] * 49 + [-(10**4_000)]),
    ([10**4_000] * 50, [10**4_000] * 49 + [hex(10**4_000)]),
    ({10**4_000: 1}, {10**4_000 + 1: 1}),
    (1 << 600_000, (1 << 600_000) + 1),
    (-(1 << 600_000), 1 << 600_000),
    ([[["x" * 70_000]]], [[["y" * 70_000]]]),
]


@pytest.mark.parametrize("hold", [lambda value: value, lambda value: [value], lambda value: Slotted(1, value)])
@pytest.mark.parametrize("pair", LONG_ONES, ids=range(len(LONG_ONES)))
def test_long_values_are_told_apart_to_the_last_item(pair: tuple[Any, Any], hold: Any) -> None:
    """Long texts by their hash, long sequences in pieces, many numbers in binary."""
    one, other = pair
    assert value_digest(hold(one)) == value_digest(hold(copy.deepcopy(one)))
    assert value_digest(hold(one))[1] == 0
    assert value_digest(hold(one))[0] != value_digest(hold(other))[0]
    assert args_digest((), (1,), {"k": hold(one)}) != args_digest((), (1,), {"k": hold(other)})


def test_the_order_of_a_long_dict_does_not_count() -> None:
    value = {str(n): n for n in range(3_000)}
    assert value_digest(dict(reversed(value.items()))) == value_digest(value)


def test_a_plan_is_pickled_once_and_costs_no_budget_by_its_length() -> None:
    """What it holds is hashed as it comes, not written as text once more."""
    pl = pytest.importorskip("polars")
    plan = pl.DataFrame({"a": range(300_000), "b": [f"text {n}" for n in range(300_000)]}).lazy()
    assert value_digest(plan.filter(pl.col("a") > 10))[1] == 0
    assert value_digest(plan.filter(pl.col("a") > 10)) == value_digest(plan.filter(pl.col("a") > 10))
    assert value_digest(plan.filter(pl.col("a") > 10))[0] != value_digest(plan.filter(pl.col("a") > 11))[0]


def test_what_is_written_as_text_is_paid_for_before() -> None:
    """Texts just under the length that is hashed are no cheaper in a dict, in a row, or by themselves."""
    how = Digesting(budget=100 / WORK_A_SECOND)
    text = "\u1234" * 60_000
    for value in [[[text, []]], [[text]], [{"a": text}], [{text: []}], [{text: 1}], [("a", {text})]]:
        assert over_budget((), (value,), {}, how) == ["argument 0"]
        assert value_digest(value)[1] == 0
