"""Values that differ in one thing only, which their text, their base or their name does not tell."""

from __future__ import annotations

import collections
import datetime
import functools
import importlib.resources
import io
import itertools
import random
import struct
import types
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from jupyter_durable.serializer.digest import value_digest

PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]
NAN = float("nan")


def subclass(base: type, *slots: str) -> type:
    return type("Sub", (base,), {"__slots__": slots} if slots else {})


def tagged(value: Any, tag: object) -> Any:
    value.tag = tag
    return value


def tags(make: Callable[[], Any]) -> tuple[Any, Any]:
    return tagged(make(), 1), tagged(make(), 2)


def made(source: str, **space: object) -> Any:
    """What `f` is after `source` was executed in a namespace of no module."""
    held = {"__name__": "nowhere", **space}
    exec(source, held)
    return held["f"]


def documented(text: str) -> Any:
    return made(f"def o():\n def f():\n  {text!r}\n  return {text!r}\n return f\nf = o()")


def handling(error: str) -> types.CodeType:
    return compile(f"try:\n a()\nexcept {error}:\n b()\n", "", "exec")


def without_handlers(code: types.CodeType) -> types.CodeType:
    return code.replace(co_exceptiontable=b"")


def zone(name: str, key: str) -> zoneinfo.ZoneInfo:
    package, _, file = name.rpartition("/")
    data = (importlib.resources.files(f"tzdata.zoneinfo.{package}") / file).read_bytes()
    return zoneinfo.ZoneInfo.from_file(io.BytesIO(data), key=key)


def interval(unit: str) -> pd.Interval:
    return pd.Interval(pd.Timestamp(0).as_unit(unit), pd.Timestamp(10**9).as_unit(unit))


def business_days(holiday: str) -> pd.DatetimeIndex:
    return pd.date_range("2020-01-01", periods=2, freq=pd.offsets.CustomBusinessDay(holidays=[holiday]))


def seeded(entropy: int) -> np.random.Generator:
    bits = np.random.PCG64(entropy)
    bits.state = np.random.PCG64(1).state
    return np.random.Generator(bits)


def noted(note: int) -> np.dtype[Any]:
    return np.dtype([("a", np.dtype("i4", metadata={"k": note}))])


class Extended(pd.api.extensions.ExtensionDtype):
    name = "extended"
    type = object


NOON = datetime.datetime(2026, 1, 2, 12)
TWINS: dict[str, tuple[Any, Any]] = {
    "order in a proxy": (
        types.MappingProxyType(collections.OrderedDict(a=1, b=2)),
        types.MappingProxyType(collections.OrderedDict(b=2, a=1)),
    ),
    "factory in a proxy": (
        types.MappingProxyType(collections.defaultdict(int, a=1)), types.MappingProxyType({"a": 1}),
    ),
    "a proxy and its dict": (types.MappingProxyType({"a": 1}), {"a": 1}),
    "payload of a complex": (complex(PAYLOAD, 0), complex(NAN, 0)),
    "sign of a complex NaN": (complex(0, -NAN), complex(0, NAN)),
    "payload in a subclass of complex": (subclass(complex)(PAYLOAD), subclass(complex)(NAN)),
    "slot of a namespace": tags(subclass(types.SimpleNamespace, "tag")),
    "attribute of a namespace": tags(subclass(types.SimpleNamespace)),
    "slot of an exception": tags(subclass(Exception, "tag")),
    "slot of an exception with members": tags(subclass(OSError, "tag")),
    "slot of a dict": tags(subclass(dict, "tag")),
    "attribute of a partial": tags(lambda: functools.partial(int)),
    "attribute of a subclass of partial": tags(lambda: subclass(functools.partial)(int)),
    "slot of a subclass of partial": tags(lambda: subclass(functools.partial, "tag")(int)),
    "attribute of a function": tags(lambda: made("f = lambda: 1")),
    "attribute of a numpy scalar": tags(lambda: subclass(np.float32)(1)),
    "slot of a numpy text": tags(lambda: subclass(np.str_)("a")),
    "attribute of a generator": tags(lambda: subclass(np.random.Generator)(np.random.PCG64(1))),
    "attribute of a random state": tags(lambda: subclass(np.random.RandomState)(1)),
    "seeds of a generator": (seeded(1), seeded(2)),
    "metadata of a field": (noted(1), noted(2)),
    "metadata of a field of an array": (np.zeros(1, noted(1)), np.zeros(1, noted(2))),
    "attribute of an index": tags(lambda: pd.Index([1])),
    "attribute of a subclass of an index": tags(lambda: subclass(pd.Index)([1])),
    "attribute of a range index": tags(lambda: pd.RangeIndex(2)),
    "attribute of a type of the user's": tags(Extended),
    "attribute of a timestamp": tags(lambda: pd.Timestamp(0)),
    "attribute of a subclass of an interval": tags(lambda: subclass(pd.Interval)(0, 1)),
    "attribute of a polars frame": tags(lambda: pl.DataFrame({"a": [1]})),
    "attribute of a subclass of a polars frame": tags(lambda: subclass(pl.DataFrame)({"a": [1]})),
    "attribute of a subclass of a polars series": tags(lambda: subclass(pl.Series)([1])),
    "attribute of a plan": tags(lambda: pl.LazyFrame({"a": [1]})),
    "unit of an interval": (interval("s"), interval("ns")),
    "holidays of an index": (business_days("2021-01-01"), business_days("2022-01-01")),
    "hours of an index": (
        pd.date_range("2020-01-01", periods=1, freq=pd.offsets.BusinessHour(start="08:00")),
        pd.date_range("2020-01-01", periods=1, freq=pd.offsets.BusinessHour(start="07:00")),
    ),
    "global of a function": (made("f = lambda: k", k=1), made("f = lambda: k", k=2)),
    "attribute of a cached function": tags(lambda: functools.lru_cache(len)),
    "attribute of a subclass of a generator of Python": tags(lambda: subclass(random.Random)(1)),
    "builtin of a function": tuple(made("f = lambda: len", __builtins__={"len": length}) for length in (1, 2)),
    "global of a function within": (made("f = lambda: lambda: k", k=1), made("f = lambda: lambda: k", k=2)),
    "keyword-only": (made("f = lambda a, b: a"), made("f = lambda a, *, b: a")),
    "positional-only": (made("f = lambda a, b: a"), made("f = lambda a, /, b: a")),
    "keyword-only within": (made("f = lambda: lambda a, b: a"), made("f = lambda: lambda a, *, b: a")),
    "a docstring that is used": (documented("x"), documented("y")),
    "handlers of code": (handling("E"), without_handlers(handling("E"))),
    "names of code": (handling("E"), handling("F")),
    "a zone from a file": (zone("Europe/Berlin", "K"), zone("Asia/Tokyo", "K")),
    "a zone from a file with a known key": (zone("Asia/Tokyo", "Europe/Berlin"), zoneinfo.ZoneInfo("Europe/Berlin")),
    "the zone of a moment": (
        NOON.replace(tzinfo=zone("Asia/Tokyo", "Europe/Berlin")),
        NOON.replace(tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    ),
    "the zone of a timestamp": (
        pd.Timestamp(NOON, tz=zone("Europe/London", "Europe/Dublin")),
        pd.Timestamp(NOON, tz=zoneinfo.ZoneInfo("Europe/Dublin")),
    ),
    "attribute of a subclass of a zone": tags(lambda: subclass(zoneinfo.ZoneInfo)("Europe/Berlin")),
    "slot of a subclass of an iterator": tags(lambda: subclass(itertools.count, "tag")(1)),
    "an unpacked alias": (next(iter(tuple[int])), tuple[int]),  # type: ignore[call-overload]
    "safety of an UUID": (uuid.UUID(int=1), uuid.UUID(int=1, is_safe=uuid.SafeUUID.safe)),
}  # fmt: skip
WEAK = frozenset({
    "holidays of an index", "hours of an index", "a zone from a file", "a zone from a file with a known key",
    "the zone of a moment", "attribute of a subclass of a zone", "slot of a subclass of an iterator",
    "the zone of a timestamp",
})  # fmt: skip
"""Where one of the two can only be described, or not even that."""


@pytest.mark.parametrize("name", TWINS)
def test_near_twins_are_told_apart(name: str) -> None:
    one, other = TWINS[name]
    assert value_digest(one)[0] != value_digest(other)[0]
    if name not in WEAK:
        assert not value_digest(one)[1]
        assert not value_digest(other)[1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: types.MappingProxyType(collections.OrderedDict(a=1)),
        lambda: complex(PAYLOAD, 0),
        lambda: tagged(functools.partial(int), 1),
        lambda: np.random.default_rng(1),
        lambda: interval("s"),
        lambda: random.Random(3),
        lambda: pd.Series(pd.interval_range(0, 1000)),
        lambda: pd.date_range("2020-01-01", periods=2, tz="Europe/Berlin"),
        lambda: pd.period_range("2020-01", periods=2, freq="M"),
        lambda: pd.Timestamp(0, tz="Europe/Berlin"),
        lambda: made("f = lambda a, *, b: k", k=[1]),
        lambda: made("def f():\n return lambda: f"),
        lambda: documented("x"),
    ],
)
def test_what_tells_twins_apart_is_the_same_each_time_and_not_weak(make: Callable[[], Any]) -> None:
    assert value_digest(make()) == value_digest(make())
    assert not value_digest(make())[1]


def test_what_pandas_remembers_of_an_index_does_not_count() -> None:
    for index in (pd.Index([3, 1]), pd.date_range("2020", periods=3), pd.MultiIndex.from_product([[1, 2], ["a"]])):
        before = value_digest(index)
        index.get_indexer(index)
        assert index.is_unique
        pd.Series(range(len(index)), index=index).sort_index()
        assert value_digest(index) == before


def test_a_docstring_that_is_not_used_does_not_count() -> None:
    one, other = (made(f"def o():\n def f():\n  {text!r}\n  return 1\n return f\nf = o()") for text in "xy")
    assert value_digest(one) == value_digest(other)


def test_no_code_of_a_mapping_under_a_proxy_or_in_place_of_attributes_runs() -> None:
    class Loud(dict[str, int]):
        def _loud(self, *_: object) -> Any:
            raise AssertionError

        keys = items = __getitem__ = __iter__ = __len__ = _loud

    class Plain:
        pass

    value = Plain()
    value.__dict__ = Loud(a=1)
    for found in (types.MappingProxyType(Loud(a=1)), value, made("f = lambda: 1")):
        assert not value_digest(found)[1]
