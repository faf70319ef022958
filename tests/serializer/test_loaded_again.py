"""What is stored is what will be served: what would not load, or load as another value, is refused at once."""

from __future__ import annotations

import collections
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyter_durable.errors import FunctionError, SerializationError
from jupyter_durable.serializer.digest import value_digest
from jupyter_durable.serializer.pickle import ValueSerializer

SERIALIZER = ValueSerializer(is_local=lambda module: module == __name__)
Pair = collections.namedtuple("Pair", "x y")


def through(value: Any) -> Any:
    encoded = SERIALIZER.encode(value)
    return SERIALIZER.decode(encoded.codec, encoded.head, list(encoded.buffers))


class Unit(float):
    def __new__(cls, value: float, unit: str) -> Unit:
        self = super().__new__(cls, value)
        self.unit = unit  # type: ignore[attr-defined]
        return self


class Asks:
    def __init__(self) -> None:
        self.d = {"k": 1}

    def __getattr__(self, name: str) -> Any:
        return self.d[name]


class Limited(collections.OrderedDict[str, int]):
    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__()

    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(key, value)
        assert len(self) <= self.size


class Columns(dict[str, int]):
    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__()

    def __setitem__(self, key: str, value: int) -> None:
        assert key in self.names
        super().__setitem__(key, value)


class Point(Pair):
    def __new__(cls, both: tuple[int, int]) -> Point:
        return super().__new__(cls, *both)


class Named:
    def __new__(cls, *, name: str) -> Named:
        self = super().__new__(cls)
        vars(self)["name"] = name
        return self


class Frozen:
    __slots__ = ("a",)

    def __init__(self, a: int) -> None:
        object.__setattr__(self, "a", a)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def filled(value: Any) -> Any:
    value["a"] = 1
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda: Unit(1.5, "C"), Asks, lambda: filled(Limited(2)), lambda: filled(Columns(["a"])), lambda: Point((1, 2)),
        lambda: Named(name="n"), lambda: Frozen(1), lambda: {"nested": [Unit(1.5, "C")]},
    ],
)  # fmt: skip
def test_what_pickles_but_does_not_load_is_refused_when_it_is_stored(make: Callable[[], Any]) -> None:
    assert pickle.dumps(make(), 5)
    with pytest.raises(SerializationError, match="cannot be loaded again"):
        SERIALIZER.encode(make())


class Quantity(np.ndarray[Any, Any]):
    unit: str


class Doubles(list[int]):
    def append(self, value: int, /) -> None:
        super().append(2 * value)

    def extend(self, values: Any, /) -> None:
        super().extend([2 * value for value in values])


class Upper(dict[str, int]):
    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(f"{key}{len(self)}", value)


class Slotted:
    __slots__ = ("a",)

    def __init__(self) -> None:
        self.a = 1

    def __setattr__(self, name: str, value: int) -> None:
        object.__setattr__(self, name, 2 * value)


class Thrice(frozenset[int]):
    def __new__(cls, values: Any) -> Thrice:
        return super().__new__(cls, [3 * value for value in values])


class Coded(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")


def quantity(size: int = 2) -> Quantity:
    made = np.ones(size).view(Quantity)
    made.unit = "m"
    return made


def doubles() -> Doubles:
    made = Doubles()
    made.append(1)
    made.append(2)
    return made


@pytest.mark.parametrize(
    "make",
    [
        quantity, lambda: quantity(20_000), lambda: [quantity()], doubles, lambda: filled(Upper()), lambda: Coded(1),
        Slotted, lambda: Thrice([1]), lambda: (pd.DataFrame({"a": [1]}), quantity()),
    ],
)  # fmt: skip
def test_what_would_load_as_another_value_is_refused_when_it_is_stored(make: Callable[[], Any]) -> None:
    with pytest.raises(SerializationError, match="another value"):
        SERIALIZER.encode(make())


class Counted(list[int]):
    total = 0


class Forgets(dict[str, int]):
    def __init__(self) -> None:
        self.cache = {1: 2}

    def __reduce__(self) -> Any:
        return Forgets, (), None, None, iter(self.items())

    @classmethod
    def emptied(cls) -> Forgets:
        made = cls()
        made.cache = {}
        return made


def hard() -> Any:
    made = np.ma.array([1, 2], mask=[False, True], fill_value=9)
    made.harden_mask()
    return made


@pytest.mark.parametrize("make", [lambda: Counted([1]), Forgets.emptied, lambda: Pair(1, 2), hard, lambda: [hard()]])
def test_what_loads_as_it_was_or_says_itself_what_is_kept_is_stored(make: Callable[[], Any]) -> None:
    value = make()
    assert type(through(value)) is type(value)
    if type(value) is not Forgets:
        assert value_digest(through(value)) == value_digest(value)


def raised(how: str, inner: Exception) -> Exception:
    try:
        try:
            raise inner
        except type(inner) as error:
            if how == "cause":
                raise ValueError("v") from error
            if how == "hidden":
                raise ValueError("v") from None
            raise ValueError("v")  # noqa: B904 - its context
    except ValueError as error:
        return error


@pytest.mark.parametrize("how", ["cause", "context", "hidden"])
def test_a_returned_exception_keeps_its_cause_and_context(how: str) -> None:
    error = raised(how, KeyError("k"))
    for again in (through(error), through(ExceptionGroup("g", [error])).exceptions[0]):
        assert repr(again.__context__) == "KeyError('k')"
        assert (again.__cause__ is again.__context__) == (how == "cause")
        assert again.__suppress_context__ == (how != "context")


def test_a_cause_that_cannot_be_stored_is_told_by_its_type_and_text() -> None:
    error = KeyError("k")
    vars(error)["client"] = (each for each in "")
    again = through([raised("cause", error)])[0]
    assert (type(again), type(again.__cause__)) == (ValueError, FunctionError)
    assert str(again.__cause__) == "KeyError: 'k'"


@pytest.mark.parametrize(
    "value",
    [pd.DataFrame({"a": [1, 2]}), pd.Series([1]), pd.DataFrame({"a": ["x"]}).groupby("a").sum(), hard(),
     pd.Index(["a"]), raised("cause", KeyError("k"))],
)  # fmt: skip
def test_what_was_loaded_equals_what_was_stored_as_an_argument(value: Any) -> None:
    assert value_digest(through(value)) == value_digest(value)
