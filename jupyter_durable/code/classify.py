"""What a global is: durable, code of the notebook, importable, or plain data.

Rules of this file
- `__main__` (cells, a script) and modules that cannot be imported again are kept by value; all else by name.
- Plain data is built of exact value types, so that keeping it never runs user code and never holds a resource.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import re
import sys
import types
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeGuard

ATOMS: Final = frozenset({type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented)})
VALUE_TYPES: Final = frozenset(
    {
        range,
        slice,
        datetime.date,
        datetime.datetime,
        datetime.time,
        datetime.timedelta,
        datetime.timezone,
        decimal.Decimal,
        fractions.Fraction,
        uuid.UUID,
        pathlib.PurePosixPath,
        pathlib.PureWindowsPath,
        pathlib.PosixPath,
        pathlib.WindowsPath,
        re.Pattern,
    }
)
SEQUENCES: Final = frozenset({list, tuple, set, frozenset, deque})
MAPPINGS: Final = frozenset({dict, OrderedDict, defaultdict, Counter})
FRAMES: Final = frozenset({"DataFrame", "Series", "Index", "RangeIndex", "DatetimeIndex"})
NUMBERS: Final = frozenset({type(None), bool, int, float, complex})
_DEPTH: Final = 50
_ITEM: Final = 3
"""Bytes that the pickle of an item takes at least."""


class Spec(Protocol):
    """What `wrapper.__durable__` has to offer."""

    @property
    def fn(self) -> Callable[..., Any]: ...
    @property
    def options(self) -> Any: ...
    @property
    def kind(self) -> str: ...


def durable_spec(value: object) -> Spec | None:
    """The spec of a durable function's wrapper, None for everything else."""
    if isinstance(value, type | types.ModuleType) or not callable(value):
        return None
    found = getattr(value, "__durable__", None)
    return found if isinstance(getattr(found, "fn", None), types.FunctionType) else None


def undecorated(value: object) -> object:
    """The function behind a durable wrapper; any other value as it is."""
    spec = durable_spec(value)
    return spec.fn if spec is not None else value


def home_module(value: object, namespace: Mapping[str, object]) -> str | None:
    """Name of the module from which a function or class can be imported again; None when it is kept by value."""
    name = getattr(value, "__module__", None)
    qualname = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or name in {"__main__", "__mp_main__"} or not isinstance(qualname, str):
        return None
    if vars(module) is namespace:
        return None
    found: object = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return name if found is value else None


def is_code(value: object) -> TypeGuard[types.FunctionType | type]:
    return isinstance(value, types.FunctionType | type)


def fields_of(value: object) -> dict[str, object] | None:
    """Fields of a dataclass, pydantic or named tuple instance; None for any other value."""
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    if hasattr(type(value), "__pydantic_fields__"):
        return dict(vars(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    return None


def texts_in(value: object) -> list[tuple[str, str]]:
    """(field name or "", text) of all text in plain data."""
    return _texts(value, "", 0)


def _texts(value: object, field: str, depth: int) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(field, value)]
    if isinstance(value, bytes | bytearray):
        return [(field, bytes(value).decode("utf-8", "replace"))]
    if depth > _DEPTH:
        return []
    if isinstance(value, list | set | frozenset | deque) or type(value) is tuple:
        if set(map(type, value)) <= NUMBERS:
            return []
        return [row for item in value for row in _texts(item, field, depth + 1)]
    rows = value if isinstance(value, Mapping) else fields_of(value) or {}
    inner = [row for key, item in rows.items() for row in _texts(item, str(key), depth + 1)]
    return inner + [row for key in rows for row in _texts(key, "", depth + 1)]


def is_plain(value: object, limit: int = 1_000_000) -> bool:
    """Whether a value is plain data, all the way down, and can take at most `limit` bytes when it is pickled."""
    return _Plain(limit, code=False).holds(value, 0)


def is_plain_with_code(value: object, limit: int = 1_000_000) -> bool:
    """As `is_plain`, for containers and partials that may hold functions and classes too."""
    return _Plain(limit, code=True).holds(value, 0)


class _Plain:
    """One walk; stops as soon as the value is seen to be too large, so that a large one costs little."""

    def __init__(self, limit: int, *, code: bool) -> None:
        self._left = limit
        self._code = code

    def holds(self, value: Any, depth: int) -> bool:
        kind = type(value)
        self._left -= len(value) if kind in {str, bytes, bytearray} else _ITEM
        if self._left < 0 or depth > _DEPTH:
            return False
        if kind in ATOMS or kind in VALUE_TYPES or kind is bytearray or isinstance(value, enum.Enum):
            return True
        if self._code and (is_code(value) or kind is types.BuiltinFunctionType):
            return True
        if self._code and kind is functools.partial:
            return all(self.holds(part, depth + 1) for part in (value.func, value.args, value.keywords))
        if kind in SEQUENCES:
            return self._sequence(value, depth)
        if kind in MAPPINGS:
            return len(value) * _ITEM <= self._left and all(
                self.holds(key, depth + 1) and self.holds(item, depth + 1) for key, item in value.items()
            )
        if kind.__module__.split(".")[0] in {"numpy", "pandas"}:
            return self._array(value, kind)
        state = fields_of(value)
        return state is not None and all(self.holds(item, depth + 1) for item in state.values())

    def _sequence(self, value: Any, depth: int) -> bool:
        if len(value) * _ITEM > self._left:
            return False
        if set(map(type, value)) <= NUMBERS:
            self._left -= len(value) * _ITEM
            return True
        return all(self.holds(item, depth + 1) for item in value)

    def _array(self, value: Any, kind: type) -> bool:
        """Arrays and frames without Python objects in them."""
        if kind.__module__.startswith("pandas"):
            if kind.__name__ not in FRAMES:
                return False
            dtypes = list(value.dtypes) if kind.__name__ == "DataFrame" else [value.dtype]
            size = value.memory_usage(deep=False)
            self._left -= int(size.sum()) if kind.__name__ == "DataFrame" else int(size)
            return self._left >= 0 and all(dtype.kind != "O" or str(dtype) in {"str", "string"} for dtype in dtypes)
        if not any(base.__module__ == "numpy" and base.__name__ in {"ndarray", "generic"} for base in kind.__mro__):
            return False
        self._left -= int(value.nbytes)
        return self._left >= 0 and value.dtype.kind != "O"
