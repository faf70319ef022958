"""Records, other objects and callables."""

from __future__ import annotations

import collections
import functools
import itertools
import logging
import math
import operator

import numpy as np

from tests.engine.arguments.made import (
    Attrs,
    AttrsDict,
    Colour,
    Config,
    Frozen,
    Hidden,
    Layer,
    Level,
    Model,
    Nested,
    OtherStruct,
    Paint,
    Plain,
    Right,
    Rows,
    Settings,
    Silent,
    Slotted,
    Struct,
    Tensor,
    Trial,
    Words,
    adder,
    scaled,
    with_attributes,
)

RECORDS: Rows = [
    ("dataclass", lambda: Config(0.5), lambda: Config(1e-9)),
    ("dataclass of another name", lambda: Config(0.5), lambda: Settings(0.5)),
    ("a list in a dataclass", lambda: Config(0.5, ["a"]), lambda: Config(0.5, ["b"])),
    ("a field that is not compared", lambda: Hidden(1, 2), lambda: Hidden(1, 3)),
    ("beside the fields of a dataclass", lambda: with_attributes(Config(0.5), extra=1), lambda: Config(0.5)),
    ("frozen dataclass with slots", lambda: Frozen(1, [1]), lambda: Frozen(1, [2])),
    ("pydantic", lambda: Model(a=1), lambda: Model(a=2)),
    ("an extra field of pydantic", lambda: Model(a=1, b=1), lambda: Model(a=1, b=2)),  # type: ignore[call-arg]
    ("a private attribute of pydantic", lambda: Model.seeded(1), lambda: Model.seeded(2)),
    (
        "pydantic in pydantic",
        lambda: Nested(inner=Model(a=1), rows=[{"a": 1}]),
        lambda: Nested(inner=Model(a=1), rows=[{"a": 2}]),
    ),
    ("attrs", lambda: Attrs(1, [1]), lambda: Attrs(1, [2])),
    ("a field of attrs that is not compared", lambda: AttrsDict(1, "a"), lambda: AttrsDict(1, "b")),
    ("msgspec", lambda: Struct(1, [1]), lambda: Struct(1, [2])),
    ("msgspec of another name", lambda: Struct(1), lambda: OtherStruct(1)),
    ("enum", lambda: Colour.RED, lambda: Colour.BLUE),
    ("enum of another name", lambda: Colour.RED, lambda: Paint.RED),
    ("IntEnum and int", lambda: Level.LOW, lambda: 1),
    ("Flag", lambda: Right.READ, lambda: Right.READ | Right.WRITE),
    ("attributes", lambda: Plain(a=1), lambda: Plain(b=1)),
    ("a hidden slot", lambda: Slotted(1, 2), lambda: Slotted(1, 3)),
    ("what == and repr do not say", lambda: Silent(1), lambda: Silent(2)),
    ("like a tensor", lambda: Tensor([0.5, 1.0]), lambda: Tensor([0.5, 1e-9])),
    ("like a module", lambda: Layer([0.5]), lambda: Layer([1e-9])),
    ("a trial that holds its time", lambda: Trial(1), lambda: Trial(2)),
    ("a trial with a lock", lambda: Trial(1, lock=True), lambda: Trial(2, lock=True)),
    ("a logger", lambda: logging.Logger("a"), lambda: logging.Logger("b")),
]

CALLABLES: Rows = [
    ("builtin", lambda: len, lambda: max),
    ("function of a library", lambda: math.sin, lambda: math.cos),
    ("function", lambda: scaled, lambda: adder),
    ("the constant of a lambda", lambda: lambda x: x + 1, lambda: lambda x: x + 2),
    ("the cell of a lambda", lambda: adder(1), lambda: adder(2)),
    ("an object in the cell of a lambda", lambda: adder(np.float64(1)), lambda: adder(np.float32(1))),
    ("partial", lambda: functools.partial(scaled, by=2), lambda: functools.partial(scaled, by=3)),
    ("bound method", lambda: Words(["a"]).index, lambda: Words(["b"]).index),
    ("method of a str", lambda: "a".upper, lambda: "b".upper),
    ("method of a type", lambda: str.upper, lambda: str.lower),
    ("class", lambda: Config, lambda: Settings),
    ("itemgetter", lambda: operator.itemgetter(1), lambda: operator.itemgetter(2)),
    ("ufunc", lambda: np.sin, lambda: np.cos),
    ("function of numpy", lambda: np.mean, lambda: np.sum),
    ("vectorized", lambda: np.vectorize(adder(1)), lambda: np.vectorize(adder(2))),
    ("frompyfunc", lambda: np.frompyfunc(adder(1), 1, 1), lambda: np.frompyfunc(adder(2), 1, 1)),
    ("module", lambda: math, lambda: operator),
    ("cached function", lambda: functools.lru_cache(adder(1)), lambda: functools.lru_cache(adder(2))),
    ("count", lambda: collections.deque([itertools.count(1)]), lambda: collections.deque([itertools.count(2)])),
]
