"""What an object holds counts, wherever it keeps it; what it has only remembered does not."""

from __future__ import annotations

import dataclasses
import functools
import logging
import threading
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pandas as pd
import pydantic
import pytest
import requests
import scipy.sparse

from jupyter_durable.serializer.digest import value_digest


class Dataset:
    @functools.cached_property
    def rows(self) -> list[int]:
        return [0]


class InMemory(Dataset):
    def __init__(self, rows: list[int]) -> None:
        self.rows = rows


class Plain(Dataset):
    rows: Any = None

    def __init__(self, rows: list[int]) -> None:
        vars(self)["rows"] = rows


class Named(Dataset):
    def __init__(self, rows: list[int]) -> None:
        setattr(self, "rows", rows)  # noqa: B010 - as users write it


class Updated(Dataset):
    def __init__(self, rows: list[int]) -> None:
        self.__dict__.update(rows=rows)


class Keywords(Dataset):
    def __init__(self, rows: list[int], **more: Any) -> None:
        for name, value in {**dict(zip(["rows"], [rows], strict=True)), **more}.items():
            setattr(self, name, value)


class Replaced(Dataset):
    def __init__(self, rows: list[int]) -> None:
        self.__dict__ = {"rows": rows}


def logged(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(*args: Any) -> Any:
        return fn(*args)

    return wrapper


class Decorated(Dataset):
    @logged
    def __init__(self, rows: list[int]) -> None:
        self.rows = rows


@attrs.frozen(slots=False)
class Attrs(Dataset):
    rows: list[int]


class Made(Dataset):
    @classmethod
    def of(cls, rows: list[int]) -> Made:
        made = cls()
        made.rows = rows
        return made


class Deeper(InMemory):
    pass


@dataclasses.dataclass
class Record(Dataset):
    rows: list[int]


@dataclasses.dataclass(frozen=True)
class Frozen(Dataset):
    rows: list[int]


class Patch(pydantic.BaseModel):
    name: str | None = None
    age: int | None = None


class OneSlot:
    __slots__ = ("x",)


class TwoSlots(OneSlot):
    __slots__ = ("x",)


class SlotAndDict(OneSlot):
    pass


def slots(own: int | None, inherited: int | None) -> TwoSlots:
    made = TwoSlots()
    for kind, value in ((TwoSlots, own), (OneSlot, inherited)):
        if value is not None:
            vars(kind)["x"].__set__(made, value)
    return made


def slot_and_dict(slot: int, attribute: int) -> SlotAndDict:
    made = SlotAndDict()
    vars(OneSlot)["x"].__set__(made, slot)
    vars(made)["x"] = attribute
    return made


def raised(inner: str, hidden: bool | None = None) -> ValueError:
    try:
        try:
            raise KeyError(inner)
        except KeyError:
            raise ValueError("v")  # noqa: B904 - its context
    except ValueError as error:
        if hidden is not None:
            error.__suppress_context__ = hidden
        return error


def masked(under: int, hard: bool = False) -> Any:
    return np.ma.MaskedArray([1, under], mask=[False, True], hard_mask=hard)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *((kind([1]), kind([2])) for kind in (InMemory, Plain, Named, Updated, Made.of, Deeper, Record, Frozen)),
        *((kind([1]), kind([2])) for kind in (Keywords, Replaced, Decorated, Attrs)),
        (Patch(name="a"), Patch(name="a", age=None)), (Patch(), Patch(name=None)),
        (slots(1, 2), slots(1, 3)), (slots(1, 2), slots(3, 2)), (slots(1, None), slots(None, 1)),
        (slot_and_dict(1, 2), slot_and_dict(1, 3)), (slot_and_dict(1, 2), slot_and_dict(3, 2)),
        (raised("a"), raised("b")), (raised("a"), raised("a", hidden=True)),
        (ExceptionGroup("g", [raised("a")]), ExceptionGroup("g", [raised("b")])),
        (masked(2), masked(3)), (masked(2), masked(2, hard=True)),
    ],
)  # fmt: skip
def test_objects_that_differ_in_what_they_hold_are_told_apart(one: Any, other: Any) -> None:
    (first, weak), (second, vague) = value_digest(one), value_digest(other)
    assert first != second
    assert not weak
    assert not vague


class Remembers(Dataset):
    @functools.cached_property
    def twice(self) -> int:
        self.__dict__["twice"] = 2
        return 2

    def forget(self) -> None:
        del self.rows
        self.__dict__.pop("twice", None)


@dataclasses.dataclass(frozen=True)
class FrozenRecord(Dataset):
    a: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "a", self.a)


@attrs.define
class Slotted:
    a: int

    @functools.cached_property
    def twice(self) -> int:
        return 2 * self.a


@attrs.frozen
class FrozenSlotted(Slotted):
    @functools.cached_property
    def thrice(self) -> int:
        return 3 * self.a


class Model(pydantic.BaseModel):
    a: int = 1

    @functools.cached_property
    def twice(self) -> int:
        return 2 * self.a


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (Dataset, ["rows"]), (FrozenRecord, ["rows"]), (Remembers, ["rows", "twice"]), (lambda: Slotted(1), ["twice"]),
        (lambda: FrozenSlotted(1), ["twice", "thrice"]), (Model, ["twice"]),
    ],
)  # fmt: skip
def test_what_a_cached_property_keeps_does_not_count(make: Callable[[], Any], names: list[str]) -> None:
    value = make()
    for name in names:
        getattr(value, name)
        assert value_digest(value) == value_digest(make())
        assert not value_digest(value)[1]


class Logs:
    def __init__(self, name: str = "logs") -> None:
        self.log = logging.getLogger(name)


def test_a_logger_counts_by_its_name_whatever_handles_its_records() -> None:
    handler = logging.StreamHandler()
    logging.getLogger("logs").addHandler(handler)
    try:
        before = value_digest(Logs())
        logging.getLogger("logs").isEnabledFor(logging.DEBUG)
        assert value_digest(Logs()) == before
        assert not before[1]
        assert value_digest(Logs("logs.other")) != before
        assert value_digest(logging.Logger("logs"))[0] != value_digest(logging.getLogger("logs"))[0]
    finally:
        logging.getLogger("logs").removeHandler(handler)


class Locked:
    def __init__(self, k: int) -> None:
        self.held = {"lock": [threading.Lock()]}
        self.k = k

    def __getstate__(self) -> Any:
        return {"k": self.k}


class Reduced(Locked):
    def __reduce__(self) -> Any:
        return Reduced, (self.k,)


class Holds:
    def __init__(self, k: int, *, back: bool = False) -> None:
        self.inner = Locked(k)
        self.inner.holder = self if back else None  # type: ignore[attr-defined]


class Silent(Locked):
    def __getstate__(self) -> Any:
        return vars(self)


def response(text: bytes) -> requests.Response:
    made = requests.Response()
    made._content, made.status_code = text, 200
    made._content_consumed = True
    return made


@pytest.mark.parametrize(
    "make",
    [
        Locked, Reduced, Holds, lambda k: [Locked(1), {"a": Locked(k)}], lambda k: Holds(k, back=True),
        lambda k: response(b"%d" % k), lambda k: {"first": [Locked(1)] * 3, "then": Reduced(k)},
    ],
)  # fmt: skip
def test_what_holds_a_lock_is_compared_by_what_it_says_to_a_pickler(make: Callable[[int], Any]) -> None:
    assert value_digest(make(1)) == value_digest(make(1))
    assert value_digest(make(1))[0] != value_digest(make(2))[0]
    assert value_digest(make(1))[1], "other answers prove nothing"


@pytest.mark.parametrize("make", [Silent, lambda k: [Silent(k)], lambda _: [threading.Lock()]])
def test_what_a_pickler_would_not_take_equals_nothing(make: Callable[[int], Any]) -> None:
    value = make(1)
    assert value_digest(value)[0] != value_digest(value)[0]
    assert value_digest(value)[1]


def test_a_response_that_was_not_read_is_not_read_by_a_look_at_it() -> None:
    unread = requests.Response()
    unread.raw = threading.Lock()
    assert value_digest(unread)[1]
    assert not unread._content_consumed


def used(value: Any, use: Callable[[Any], object]) -> Any:
    use(value)
    return value


@pytest.mark.parametrize(
    ("make", "use"),
    [
        (lambda: pd.DataFrame({"a": [1, 2], "b": [1, 2]}).groupby("a"), lambda value: value.mean()),
        (lambda: pd.Series([1.0, 2.0]).rolling(2), lambda value: value.sum()),
        (lambda: scipy.sparse.csr_matrix([[0, 1.0], [2, 0]]), lambda value: value.has_canonical_format),
    ],
)
def test_what_objects_of_libraries_remember_does_not_count(make: Callable[[], Any], use: Callable[[Any], Any]) -> None:
    assert value_digest(used(make(), use)) == value_digest(make())


def test_what_lies_between_long_doubles_does_not_count() -> None:
    third = np.longdouble(1) / 3
    one = np.array([third] * 3)
    other = np.frombuffer(bytes(range(3 * one.itemsize)), dtype="u1").copy().view(np.longdouble)
    other[:] = third
    for kind in (np.longdouble, np.clongdouble):
        assert value_digest(one.astype(kind)) == value_digest(other.astype(kind))
    assert value_digest(one)[0] != value_digest(np.nextafter(one, np.longdouble(1)))[0]
    assert value_digest(np.array([third + 1j * third]))[0] != value_digest(np.array([third + 2j * third]))[0]


def test_the_generator_of_numpy_itself_counts_by_its_name() -> None:
    before = value_digest(np.random.mtrand._rand)
    np.random.random()
    assert value_digest(np.random.mtrand._rand) == before
    assert value_digest(np.random.RandomState(1)) != value_digest(np.random.RandomState(2))
