"""What the table of arguments is made of."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import io
import queue
import struct
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import attrs
import msgspec
import numpy as np
import pandas as pd
import pydantic

Rows: TypeAlias = list[tuple[str, Callable[[], Any], Callable[[], Any]]]
"""What differs, and how to make either side."""


class Point(NamedTuple):
    x: int
    y: int


class Size(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Config:
    lr: float
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Settings:
    lr: float
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    a: int
    b: Any = None


@dataclasses.dataclass
class Hidden:
    a: int
    secret: int = dataclasses.field(default=0, repr=False, compare=False)


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    a: int
    _seed: int = pydantic.PrivateAttr(default=0)

    @classmethod
    def seeded(cls, seed: int) -> Model:
        made = cls(a=1)
        made._seed = seed
        return made


class Nested(pydantic.BaseModel):
    inner: Model
    rows: list[dict[str, int]] = []


@attrs.define
class Attrs:
    a: int
    b: Any = None


@attrs.frozen(slots=False)
class AttrsDict:
    a: int
    note: str = attrs.field(default="", eq=False)


class Struct(msgspec.Struct):
    a: int
    b: Any = None


class OtherStruct(msgspec.Struct):
    a: int
    b: Any = None


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Paint(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Plain:
    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


class Slotted:
    __slots__ = ("_hidden", "a")

    def __init__(self, a: Any, hidden: Any = None) -> None:
        self.a, self._hidden = a, hidden


class Silent:
    """Says nothing of itself that a comparison or a text would show."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Silent()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Silent)

    def __hash__(self) -> int:
        return 1


class Tensor:
    """Like a tensor of torch: its content is nowhere but in a buffer that is no attribute of Python's."""

    def __init__(self, content: list[float]) -> None:
        self.grad, self.requires_grad, self._storage = None, True, memoryview(struct.pack(f"{len(content)}d", *content))


class Layer:
    def __init__(self, weight: list[float]) -> None:
        self.training, self._parameters = True, collections.OrderedDict(weight=Tensor(weight), bias=Tensor([0.0]))


class Trial:
    def __init__(self, number: int, lock: bool = False) -> None:
        self.number, self._start, self._study = number, datetime.datetime(2026, 1, 1), {"trials": [self]}
        if lock:
            self._lock = threading.Lock()


class Quantity(np.ndarray):
    def __new__(cls, values: Any, unit: str) -> Any:
        made = np.asarray(values).view(cls)
        made.unit = unit
        return made

    def __array_finalize__(self, made: Any) -> None:
        self.unit = getattr(made, "unit", None)


class Located(pd.DataFrame):
    _metadata = ["crs"]  # noqa: RUF012 - pandas wants a list

    @property
    def _constructor(self) -> Any:
        return Located


class Measured(pd.Series):
    _metadata = ["unit"]  # noqa: RUF012 - as above

    @property
    def _constructor(self) -> Any:
        return Measured


class Text(str):
    lang: str


class Number(int):
    unit: str


class Real(float):
    pass


class Words(list):
    pass


class Table(dict):
    pass


class Tags(set):
    pass


class Failure(Exception):
    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class Zone(datetime.tzinfo):
    def __init__(self, hours: int) -> None:
        self.hours = hours

    def utcoffset(self, _: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(hours=self.hours)

    def dst(self, _: datetime.datetime | None) -> None:
        return None

    def tzname(self, _: datetime.datetime | None) -> str:
        return "a zone"

    def __reduce__(self) -> Any:
        return Zone, (self.hours,)


def with_attributes(value: Any, **attributes: Any) -> Any:
    value.__dict__.update(attributes)
    return value


def with_attrs(value: Any, **attrs_: Any) -> Any:
    value.attrs.update(attrs_)
    return value


def with_flag(value: Any, name: str, flag: Any) -> Any:
    setattr(value, name, flag)
    return value


def deep(depth: int, end: Any, kind: Callable[[Any], Any] = lambda part: [part]) -> Any:
    for _ in range(depth):
        end = kind(end)
    return end


def cyclic(*items: Any) -> list[Any]:
    made = [*items]
    made.append(made)
    return made


def cyclic_dict(item: Any) -> dict[str, Any]:
    made = {"item": item}
    made["self"] = made
    return made


def family(last: str) -> Plain:
    parent = Plain(name="parent")
    parent.__dict__["children"] = [Plain(name=name, parent=parent) for name in ("a", "b", last)]
    return parent


def adder(n: Any) -> Callable[[int], int]:
    return lambda x: x + n


def scaled(x: int, by: int = 1) -> int:
    return x * by


def raised(make: Callable[[], BaseException], cause: BaseException | None = None) -> BaseException:
    error = make()
    error.__cause__ = cause
    return error


def noted(note: str) -> BaseException:
    error = ValueError("a")
    error.add_note(note)
    return error


def fitted(estimator: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return estimator.fit(rng.normal(size=(40, 3)), rng.integers(0, 2, 40))


def sparse(kind: Any, last: float) -> Any:
    return kind(np.array([[0.0, 1.0], [last, 0.0]]))


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns or {"a": [1, 2], "b": ["x", "y"]})


def quiet_nan() -> float:
    return float(struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0])


def with_place(file: io.BytesIO, at: int) -> io.BytesIO:
    file.seek(at)
    return file


def queued(item: Any) -> queue.Queue[Any]:
    made: queue.Queue[Any] = queue.Queue()
    made.put(item)
    return made
