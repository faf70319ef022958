"""What an object holds counts, wherever it keeps it; what it has only remembered does not."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pydantic
import pytest

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
        (Dataset, ["rows"]), (Remembers, ["rows", "twice"]), (lambda: Slotted(1), ["twice"]),
        (lambda: FrozenSlotted(1), ["twice", "thrice"]), (Model, ["twice"]),
    ],
)  # fmt: skip
def test_what_a_cached_property_keeps_does_not_count(make: Callable[[], Any], names: list[str]) -> None:
    value = make()
    for name in names:
        getattr(value, name)
        assert value_digest(value) == value_digest(make())
        assert not value_digest(value)[1]
