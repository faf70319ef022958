"""Builtin values, containers, errors."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import fractions
import io
import ipaddress
import math
import pathlib
import random
import re
import threading
import types
import uuid
import zoneinfo

from tests.engine.arguments.made import (
    Failure,
    Number,
    Plain,
    Point,
    Real,
    Rows,
    Size,
    Table,
    Tags,
    Text,
    Words,
    Zone,
    cyclic,
    cyclic_dict,
    deep,
    family,
    noted,
    queued,
    quiet_nan,
    raised,
    with_attributes,
    with_place,
)

BUILTINS: Rows = [
    ("int and bool", lambda: 1, lambda: True),
    ("int and float", lambda: 1, lambda: 1.0),
    ("a large int", lambda: 10**5000, lambda: 10**5000 + 1),
    ("the sign of zero", lambda: 0.0, lambda: -0.0),
    ("the last bit of a float", lambda: 0.3, lambda: 0.1 + 0.2),
    ("the sign of a NaN", lambda: math.nan, lambda: -math.nan),
    ("the payload of a NaN", lambda: math.nan, quiet_nan),
    ("a NaN in a list", lambda: [math.nan], lambda: [-math.nan]),
    ("int and text", lambda: 1, lambda: "1"),
    ("text and bytes", lambda: "abc", lambda: b"abc"),
    ("a composed letter", lambda: "\u00e9", lambda: "e\u0301"),
    ("a lone surrogate", lambda: "\ud800", lambda: "\ud801"),
    ("None and its text", lambda: None, lambda: "None"),
    ("bytes and bytearray", lambda: b"a", lambda: bytearray(b"a")),
    ("bytearray", lambda: bytearray(b"ab"), lambda: bytearray(b"ac")),
    ("memoryview", lambda: memoryview(b"ab"), lambda: memoryview(b"ac")),
    ("the format of a memoryview", lambda: memoryview(b"ab"), lambda: memoryview(b"ab").cast("b")),
    ("array", lambda: array.array("i", [1, 2]), lambda: array.array("i", [1, 3])),
    ("the type of an array", lambda: array.array("i", [1]), lambda: array.array("I", [1])),
    ("complex", lambda: 1 + 2j, lambda: 1 - 2j),
    ("range", lambda: range(3), lambda: range(4)),
    ("an empty range", lambda: range(1, 1), lambda: range(2, 2)),
    ("slice", lambda: slice(1, 2), lambda: slice(1, 3)),
    ("Ellipsis", lambda: ..., lambda: NotImplemented),
    ("datetime", lambda: datetime.datetime(2026, 1, 1), lambda: datetime.datetime(2026, 1, 1, 0, 0, 0, 1)),
    ("fold", lambda: datetime.datetime(2026, 1, 1), lambda: datetime.datetime(2026, 1, 1, fold=1)),
    (
        "zone",
        lambda: datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        lambda: datetime.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
    ),
    (
        "a zone of one's own",
        lambda: datetime.datetime(2026, 1, 1, tzinfo=Zone(1)),
        lambda: datetime.datetime(2026, 1, 1, tzinfo=Zone(2)),
    ),
    ("date and datetime", lambda: datetime.date(2026, 1, 1), lambda: datetime.datetime(2026, 1, 1)),
    ("time", lambda: datetime.time(1), lambda: datetime.time(1, fold=1)),
    ("timedelta", lambda: datetime.timedelta(1), lambda: datetime.timedelta(1, 0, 1)),
    (
        "timezone",
        lambda: datetime.timezone(datetime.timedelta(0), "a"),
        lambda: datetime.timezone(datetime.timedelta(0)),
    ),
    ("the digits of a Decimal", lambda: decimal.Decimal("1.0"), lambda: decimal.Decimal("1.00")),
    ("Fraction", lambda: fractions.Fraction(1, 2), lambda: fractions.Fraction(1, 3)),
    ("UUID", lambda: uuid.UUID(int=1), lambda: uuid.UUID(int=2)),
    ("path", lambda: pathlib.PurePosixPath("a"), lambda: pathlib.PureWindowsPath("a")),
    ("the flags of a pattern", lambda: re.compile("a"), lambda: re.compile("a", re.I)),
    ("address", lambda: ipaddress.ip_address("1.2.3.4"), lambda: ipaddress.ip_address("1.2.3.5")),
    ("generic alias", lambda: list[int], lambda: list[str]),
    ("union", lambda: int | None, lambda: str | None),
    ("StringIO", lambda: io.StringIO("ab"), lambda: io.StringIO("ac")),
    ("the place in a BytesIO", lambda: io.BytesIO(b"ab"), lambda: with_place(io.BytesIO(b"ab"), 1)),
    ("Random", lambda: random.Random(1), lambda: random.Random(2)),
    ("object", object, object),
    ("lock", threading.Lock, threading.Lock),
]

CONTAINERS: Rows = [
    ("list and tuple", lambda: [1, 2], lambda: (1, 2)),
    ("set and frozenset", lambda: {1, 2}, lambda: frozenset({1, 2})),
    ("a set of two types", lambda: {1, "1", (1,)}, lambda: {1, "1", (1.0,)}),
    ("dict", lambda: {"a": 1, "b": [2]}, lambda: {"a": 1, "b": (2,)}),
    ("the type of a key", lambda: {1: "a"}, lambda: {True: "a"}),
    ("nested dicts", lambda: {"a": {"b": {"c": [1]}}}, lambda: {"a": {"b": {"c": [1.0]}}}),
    (
        "the order of an OrderedDict",
        lambda: collections.OrderedDict(a=1, b=2),
        lambda: collections.OrderedDict(b=2, a=1),
    ),
    (
        "the factory of a defaultdict",
        lambda: collections.defaultdict(list, a=[1]),
        lambda: collections.defaultdict(set, a=[1]),
    ),
    ("defaultdict and dict", lambda: collections.defaultdict(None, a=1), lambda: {"a": 1}),
    ("Counter", lambda: collections.Counter("aab"), lambda: collections.Counter("aabb")),
    ("the maps of a ChainMap", lambda: collections.ChainMap({"a": 1}, {}), lambda: collections.ChainMap({}, {"a": 1})),
    ("mappingproxy", lambda: types.MappingProxyType({"a": 1}), lambda: types.MappingProxyType({"a": 2})),
    ("UserDict", lambda: collections.UserDict(a=1), lambda: collections.UserDict(a=2)),
    ("UserList", lambda: collections.UserList([1]), lambda: collections.UserList([2])),
    ("UserString", lambda: collections.UserString("a"), lambda: collections.UserString("b")),
    ("the length of a deque", lambda: collections.deque([1], 2), lambda: collections.deque([1], 3)),
    ("SimpleNamespace", lambda: types.SimpleNamespace(a=1), lambda: types.SimpleNamespace(a=2)),
    ("namedtuple of another type", lambda: Point(1, 2), lambda: Size(1, 2)),
    ("namedtuple", lambda: Point(1, 2), lambda: Point(2, 1)),
    (
        "an attribute of a str",
        lambda: with_attributes(Text("a"), lang="de"),
        lambda: with_attributes(Text("a"), lang="en"),
    ),
    (
        "an attribute of an int",
        lambda: with_attributes(Number(1), unit="m"),
        lambda: with_attributes(Number(1), unit="s"),
    ),
    ("a float and its subclass", lambda: 1.5, lambda: Real(1.5)),
    (
        "an attribute of a list",
        lambda: with_attributes(Words(["a"]), seen=1),
        lambda: with_attributes(Words(["a"]), seen=2),
    ),
    (
        "an attribute of a dict",
        lambda: with_attributes(Table(a=1), seen=1),
        lambda: with_attributes(Table(a=1), seen=2),
    ),
    ("an attribute of a set", lambda: with_attributes(Tags("a"), seen=1), lambda: with_attributes(Tags("a"), seen=2)),
    ("a list 64 deep", lambda: deep(64, 1), lambda: deep(64, 2)),
    ("a list 3,000 deep", lambda: deep(3_000, 1), lambda: deep(3_000, 2)),
    ("dicts 200 deep", lambda: deep(200, 1, lambda part: {"a": part}), lambda: deep(200, 2, lambda part: {"a": part})),
    (
        "objects 200 deep",
        lambda: deep(200, 1, lambda part: Plain(a=part)),
        lambda: deep(200, 2, lambda part: Plain(a=part)),
    ),
    ("a list that holds itself", lambda: cyclic(1), lambda: cyclic(2)),
    ("a dict that holds itself", lambda: cyclic_dict(1), lambda: cyclic_dict(2)),
    ("a cycle below a cycle", lambda: cyclic(cyclic_dict(1)), lambda: cyclic(cyclic_dict(2))),
    ("parent and children", lambda: family("c"), lambda: family("d")),
    ("a child of its parent", lambda: family("c").__dict__["children"][0], lambda: family("d").__dict__["children"][0]),
    ("many rows", lambda: [{"n": n} for n in range(500)], lambda: [{"n": n} for n in range(499)] + [{"n": 0}]),
    (
        "more than the budget",
        lambda: [(n, str(n)) for n in range(30_000)],
        lambda: [(n, str(n)) for n in range(29_999)] + [(0, "0")],
    ),
    ("an iterator", lambda: iter([1, 2]), lambda: iter([1, 3])),
    ("a queue", lambda: queued(1), lambda: queued(2)),
]

ERRORS: Rows = [
    ("the text of an error", lambda: ValueError("a"), lambda: ValueError("b")),
    ("the type of an error", lambda: ValueError("a"), lambda: TypeError("a")),
    ("an attribute of an error", lambda: Failure("a", 1), lambda: Failure("a", 2)),
    ("the file of an OSError", lambda: OSError(2, "a", "b"), lambda: OSError(2, "a", "c")),
    ("the name of an ImportError", lambda: ImportError("a", name="b"), lambda: ImportError("a", name="c")),
    ("a group of errors", lambda: ExceptionGroup("a", [ValueError(1)]), lambda: ExceptionGroup("a", [ValueError(2)])),
    (
        "the cause of an error",
        lambda: raised(lambda: ValueError("a"), KeyError("b")),
        lambda: raised(lambda: ValueError("a"), KeyError("c")),
    ),
    ("a note of an error", lambda: noted("a"), lambda: noted("b")),
]
