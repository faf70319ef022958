"""The canonical bytes of a value.

Rules of this file
- Every encoding begins with a tag and gives the length of what follows, so that no two values share bytes.
- Exact types count: a subclass is its base's content under its own name.
- Dicts are sorted by the bytes of their keys, sets by those of their items.
- A cycle, a value nested too deep or with too many parts, and a type that this file does not know make it weak.
- No user code runs: state is read from `__dict__` and slots.
- numpy, pandas and pyarrow are looked at only where they are loaded already.
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
import types
import uuid
import zoneinfo
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from jupyter_durable.serializer import arrays

__all__ = ["FLAT", "Walk", "frame", "state_of"]

MAX_DEPTH: Final = 50
MAX_PARTS: Final = 5_000_000
FLAT: Final = frozenset({type(None), bool, int, float, str, bytes})
"""Types whose `ascii` is their value; only where the type is exact."""

_STR: Final = frozenset({str})
_TEXT: Final = "()"
_is_flat: Final = FLAT.issuperset
_is_str: Final = _STR.issuperset
_HEAP_TYPE: Final = 1 << 9


def frame(tag: bytes, *parts: bytes) -> bytes:
    """`parts` under a tag of one letter, each with its length."""
    return tag + b"%d" % len(parts) + b"".join([b":%d:%b" % (len(part), part) for part in parts])


def type_name(kind: type) -> bytes:
    """Module and qualified name of a type."""
    return f"{kind.__module__}.{kind.__qualname__}".encode("utf-8", "backslashreplace")


class Walk:
    """One walk over one value. `weak` says afterwards whether something had no stable bytes."""

    def __init__(self) -> None:
        self.weak = False
        self._open: set[int] = set()
        self._parts = 0

    def bytes_of(self, value: Any) -> bytes:
        """The canonical bytes of `value`."""
        kind = type(value)
        if kind in FLAT:
            return _atom(value)
        if len(self._open) >= MAX_DEPTH or self._parts >= MAX_PARTS or id(value) in self._open:
            return self.unknown(value)
        self._parts += 1
        self._open.add(id(value))
        try:
            return self._walked(kind, value)
        finally:
            self._open.discard(id(value))

    def unknown(self, value: object) -> bytes:
        """Only the type of a value that has no stable bytes."""
        self.weak = True
        return frame(b"?", type_name(type(value)))

    def _walked(self, kind: type, value: Any) -> bytes:
        encode = _EXACT.get(kind)
        if encode is not None:
            return encode(self, value)
        for base, encode_base in _BASES:
            if isinstance(value, base):
                return frame(b"T", type_name(kind), encode_base(self, value))
        special = arrays.canonical(self.bytes_of, value)
        if special is not None:
            return frame(b"A", type_name(kind), special)
        return self._instance(kind, value)

    def _instance(self, kind: type, value: Any) -> bytes:
        state = state_of(value)
        if state is None:
            return self.unknown(value)
        if any(not base.__flags__ & _HEAP_TYPE for base in kind.__mro__[:-1]):
            self.weak = True  # a base written in C keeps state that cannot be seen from here
        return frame(b"O", type_name(kind), self.mapping(state))

    def sequence(self, value: Iterable[Any]) -> bytes:
        """Items in order."""
        items = value if isinstance(value, (list, tuple)) else list(value)
        if _is_flat(map(type, items)):
            try:
                # The exact content of a flat list, at the speed of C.
                return frame(b"F", ascii(list(items)).encode())
            except ValueError:
                pass  # an integer of more digits than Python turns into text
        self._parts += len(items)
        return frame(b"S", *map(self.bytes_of, items))

    def mapping(self, value: dict[Any, Any]) -> bytes:
        """Pairs, sorted by the bytes of their keys."""
        if _is_str(map(type, value)):
            if _is_flat(map(type, value.values())):
                try:
                    return frame(b"G", ascii(sorted(value.items())).encode())
                except (TypeError, ValueError):
                    pass  # as above
            pairs = [(ascii(key).encode(), self.bytes_of(value[key])) for key in sorted(value)]
            return frame(b"M", *[part for pair in pairs for part in pair])
        self._parts += len(value)
        pairs = sorted((self.bytes_of(key), self.bytes_of(item)) for key, item in value.items())
        return frame(b"D", *[part for pair in pairs for part in pair])

    def items(self, value: Iterable[Any]) -> bytes:
        """Items, sorted by their bytes."""
        return frame(b"U", *sorted(map(self.bytes_of, value)))

    def function(self, value: Any) -> bytes:
        """A durable function counts by its name, one of an importable module by module and name.

        One of the notebook, a lambda and a nested function also by what it does: its name says too little.
        """
        name = f"{value.__module__}.{value.__qualname__}".encode("utf-8", "backslashreplace")
        if hasattr(value, "__durable__"):
            return frame(b"N", name)
        if value.__module__ != "__main__" and "<" not in value.__qualname__:
            return frame(b"N", name)
        cells = [cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType()]
        bound = (value.__defaults__, value.__kwdefaults__, cells)
        return frame(b"L", name, self._code(value.__code__, value.__doc__), self.bytes_of(bound))

    def _code(self, code: types.CodeType, doc: str | None) -> bytes:
        constants = [
            self._code(constant, None) if isinstance(constant, types.CodeType) else self.bytes_of(constant)
            for constant in code.co_consts
            if constant is not doc or doc is None
        ]
        names = ascii((code.co_names, code.co_varnames, code.co_freevars, code.co_flags)).encode()
        return frame(b"C", code.co_code, names, *constants)


def _atom(value: Any) -> bytes:
    try:
        return frame(b"a", ascii(value).encode())
    except ValueError:
        return frame(b"a", hex(value).encode())


def state_of(value: Any) -> dict[str, Any] | None:
    """What an instance of a user's class holds: attributes and slots, None when it has neither.

    Only the fields of a dataclass or pydantic model count, not what is cached beside them.
    """
    kind = type(value)
    if kind.__module__ == "builtins" or not kind.__flags__ & _HEAP_TYPE:
        return None
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        attributes = None
    slots = dict(_slots(value, kind))
    if attributes is None and not slots and not any("__slots__" in vars(base) for base in kind.__mro__):
        return None
    state = {**(attributes or {}), **slots}
    fields = _fields(kind)
    return state if fields is None else {name: item for name, item in state.items() if name in fields}


def _fields(kind: type) -> frozenset[str] | None:
    if dataclasses.is_dataclass(kind):
        return frozenset(field.name for field in dataclasses.fields(kind))
    models = getattr(kind, "__pydantic_fields__", None)
    if isinstance(models, dict):
        return frozenset(models) | {"__pydantic_extra__", "__pydantic_private__"}
    return None


def _slots(value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    for base in kind.__mro__:
        for name, member in vars(base).items():
            if isinstance(member, types.MemberDescriptorType) and name not in ("__dict__", "__weakref__"):
                try:
                    yield name, member.__get__(value, kind)
                except AttributeError:
                    continue


def _text(tag: bytes, text: Callable[[Any], str]) -> Callable[[Walk, Any], bytes]:
    def encode(_: Walk, value: Any) -> bytes:
        return frame(tag, text(value).encode("utf-8", "backslashreplace"))

    return encode


def _moment(walk: Walk, value: Any) -> bytes:
    zone = value.tzinfo
    known = zone is None or isinstance(zone, (datetime.timezone, zoneinfo.ZoneInfo))
    named = frame(b"z", repr(zone).encode()) if known else walk.bytes_of(zone)
    return frame(b"d", value.replace(tzinfo=None).isoformat().encode(), b"%d" % value.fold, named)


def _enum(walk: Walk, value: enum.Enum) -> bytes:
    return frame(b"E", str(value.name).encode("utf-8", "backslashreplace"), walk.bytes_of(value.value))


def _method(walk: Walk, value: types.MethodType) -> bytes:
    return frame(b"B", walk.bytes_of(value.__self__), walk.bytes_of(value.__func__))


def _builtin(walk: Walk, value: types.BuiltinFunctionType) -> bytes:
    owner = value.__self__
    name = f"{value.__module__}.{value.__qualname__}".encode()
    return frame(b"N", name) if isinstance(owner, types.ModuleType | None) else frame(b"N", name, walk.bytes_of(owner))


def _exception(walk: Walk, value: BaseException) -> bytes:
    return frame(b"X", walk.sequence(value.args), walk.mapping(vars(value)))


def _with_state(content: Callable[[Walk, Any], bytes]) -> Callable[[Walk, Any], bytes]:
    """Content of a builtin's subclass, and the attributes that it adds."""

    def encode(walk: Walk, value: Any) -> bytes:
        return frame(b"W", content(walk, value), walk.mapping(state_of(value) or {}))

    return encode


def _ordered(walk: Walk, value: Any) -> bytes:
    return frame(b"l", walk.sequence(value))


def _tuple(walk: Walk, value: Any) -> bytes:
    return frame(b"t", walk.sequence(value))


def _dict(walk: Walk, value: Any) -> bytes:
    return frame(b"m", walk.mapping(value))


def _set(walk: Walk, value: Any) -> bytes:
    return frame(b"s", walk.items(value))


def _partial(walk: Walk, value: functools.partial[Any]) -> bytes:
    return frame(b"p", walk.bytes_of((value.func, value.args, value.keywords)))


_EXACT: Final[dict[type, Callable[[Walk, Any], bytes]]] = {
    list: _ordered,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: lambda walk, value: frame(b"f", walk.items(value)),
    bytearray: lambda _, value: frame(b"b", bytes(value)),
    complex: _text(b"c", repr),
    range: _text(b"r", repr),
    slice: lambda walk, value: frame(b":", walk.bytes_of((value.start, value.stop, value.step))),
    type(...): _text(b".", repr),
    type(NotImplemented): _text(b".", repr),
    datetime.date: _text(b"D", datetime.date.isoformat),
    datetime.timedelta: _text(b"D", repr),
    datetime.timezone: _text(b"z", repr),
    zoneinfo.ZoneInfo: _text(b"z", repr),
    decimal.Decimal: _text(b"n", lambda value: repr(value.as_tuple())),
    fractions.Fraction: _text(b"q", repr),
    uuid.UUID: _text(b"u", lambda value: str(value.hex)),
    re.Pattern: lambda walk, value: frame(b"R", walk.bytes_of((value.pattern, value.flags))),
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin,
    types.ModuleType: _text(b"N", lambda value: str(value.__name__)),
    types.MappingProxyType: lambda walk, value: frame(b"m", walk.mapping(dict(value))),
    functools.partial: _partial,
}

_BASES: Final[tuple[tuple[Any, Callable[[Walk, Any], bytes]], ...]] = (
    (enum.Enum, _enum),
    (type, _text(b"K", lambda value: f"{value.__module__}.{value.__qualname__}")),
    (types.FunctionType, Walk.function),
    ((datetime.datetime, datetime.time), _moment),
    (datetime.date, _text(b"D", datetime.date.isoformat)),
    (pathlib.PurePath, _text(b"P", str)),
    (BaseException, _exception),
    (deque, lambda walk, value: frame(b"q", walk.sequence(value), walk.bytes_of(value.maxlen))),
    (dict, _with_state(lambda walk, value: walk.mapping(dict(value)))),
    (tuple, _with_state(lambda walk, value: walk.sequence(tuple(value)))),
    (list, _with_state(lambda walk, value: walk.sequence(list(value)))),
    ((set, frozenset), _with_state(lambda walk, value: walk.items(value))),
    (bool | int, _with_state(lambda _, value: _atom(int(value)))),
    (str, _with_state(lambda _, value: _atom(str.__str__(value)))),
    (bytes, _with_state(lambda _, value: _atom(bytes(value)))),
    (float, _with_state(lambda _, value: _atom(float(value)))),
    (complex, _with_state(lambda _, value: frame(b"c", repr(complex(value)).encode()))),
)
