"""The encoders of the standard library's types.

Rules of this file
- `EXACT` holds for instances of just that type, `BASES` for those of subclasses, too: these are their base's content
  and the attributes they add, under their own name.
- All that a reader can see counts: the order of an `OrderedDict`, the factory of a `defaultdict`.
- Classes and functions count by name; those of the notebook by their code (`Names`).
"""

from __future__ import annotations

import array
import builtins
import datetime
import decimal
import dis
import enum
import fractions
import functools
import gc
import pathlib
import pickle
import random
import re
import struct
import sys
import types
import uuid
import zoneinfo
from _random import Random as _Twister
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from blake3 import blake3

from jupyter_durable.serializer.instances import plain
from jupyter_durable.serializer.parts import (
    Encode,
    Encoded,
    Names,
    Parts,
    Piece,
    atom,
    frame,
    group,
    known,
    mapping,
    odd_nan,
    piece,
    sequence,
    sorted_items,
    tagged,
    wrapped,
)
from jupyter_durable.static import copied

__all__ = ["BASES", "CONTAINERS", "EXACT", "STATELESS", "WITH_ATTRIBUTES", "named"]

_SEEN_ELSEWHERE: Final = frozenset({"args", "obj"})
"""Members of exceptions that are part of their arguments, or whatever an attribute was asked of."""


SHORT: Final = 4096
"""Bytes of a buffer that stand as they are."""
_FIRST_LOADED: Final = (dis.opmap["LOAD_CONST"], 0)
_CACHED: Final = type(functools.lru_cache(len))
"""Functions under `lru_cache` or `cache`."""
_OF_CACHED: Final = frozenset({"__wrapped__", "cache_parameters", *functools.WRAPPER_ASSIGNMENTS})


def named(value: Any) -> bytes:
    """Module and qualified name, of what has them."""
    return f"{value.__module__}.{value.__qualname__}".encode("utf-8", "surrogatepass")


def _text(tag: bytes, text: Callable[[Any], str]) -> Encode:
    return lambda _, value: frame(tag, text(value).encode("utf-8", "surrogatepass"))


def _parts(tag: bytes, take: Callable[[Any], tuple[Any, ...]]) -> Encode:
    """The value as a tuple of parts, encoded as one."""
    return lambda _, value: wrapped(tag, wrapped(b"t", sequence(take(value))))


def _wrapped(tag: bytes, inner: Callable[[Any], Encoded]) -> Encode:
    return lambda _, value: wrapped(tag, inner(value))


def _class(names: Names, value: type) -> bytes:
    return frame(b"K", names.name_of(value))


def _function(names: Names, value: types.FunctionType) -> Encoded:
    """A durable function counts by its name, one of an importable module by module and name.

    One of the notebook, a lambda and a nested function also by what it does: its name says too little.
    """
    name = named(value)
    if "__durable__" in value.__dict__:
        return frame(b"N", name)
    code = names.code_of(value)
    if code is None and value.__module__ != "__main__" and "<" not in value.__qualname__:
        return frame(b"N", name)
    cells = [cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType()]
    bound = (value.__defaults__, value.__kwdefaults__, cells)
    if code is not None:  # attributes are in it, but for those that the function sets itself
        reads = dict(names.read_by(value))
        return Parts((known(frame(b"H", code)), bound, *([reads] if reads else [])), tagged(b"L", name))
    held = (bound, value.__dict__) if value.__dict__ else (bound,)
    read = {} if _globals_are_of_a_module(value) else _read(value)
    return Parts((_code(value.__code__), *held, read) if read else (_code(value.__code__), *held), tagged(b"L", name))


def _globals_are_of_a_module(value: types.FunctionType) -> bool:
    """Whether what a function reads is said by the name of its module; that of a notebook says nothing."""
    name = dict.get(value.__globals__, "__name__")
    module = sys.modules.get(name) if type(name) is str and name != "__main__" else None
    return module is not None and vars(module) is value.__globals__


def _read(value: types.FunctionType) -> dict[str, Any]:
    """The globals that a function may read, and builtins that are not Python's.

    A name may be that of an attribute only: one too many does no harm.
    """
    function: Any = value  # some versions of the type stubs know no `__builtins__`
    own: dict[str, Any] = function.__builtins__
    spaces = [value.__globals__] if own is vars(builtins) else [own, value.__globals__]
    names = [*_names(value.__code__)]
    return {name: dict.__getitem__(at, name) for at in spaces for name in names if dict.__contains__(at, name)}


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _code(code: types.CodeType) -> Parts:
    """All that decides what code does: not where it stands, nor its docstring, unless the code itself reads that."""
    steps, constants = code.co_code, code.co_consts
    # Only a docstring is a text that stands first and is never loaded.
    if constants and type(constants[0]) is str and _FIRST_LOADED not in zip(steps[::2], steps[1::2], strict=True):
        constants = constants[1:]
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    said = ascii((*counts, *names)).encode()
    return Parts(constants, tagged(b"C", steps, said, code.co_exceptiontable))


def _method(_: Names, value: types.MethodType) -> Encoded:
    return Parts((value.__self__, value.__func__), tagged(b"B"))


def _builtin(_: Names, value: types.BuiltinFunctionType) -> Encoded:
    owner = value.__self__
    name = named(value)
    return frame(b"N", name) if isinstance(owner, types.ModuleType | None) else Parts((owner,), tagged(b"N", name))


def _module(names: Names, value: types.ModuleType) -> Encoded:
    """An imported module counts by its name; of another one the name says nothing."""
    name = vars(value).get("__name__")
    imported = isinstance(name, str) and sys.modules.get(name) is value
    return frame(b"N", str(name).encode("utf-8", "surrogatepass")) if imported else names.described(value)


def _datetime(_: Names, value: datetime.datetime) -> Encoded:
    time = datetime.datetime.time(value)
    return _moment(f"{datetime.datetime.date(value).isoformat()}T{time.isoformat()}", time.fold, value.tzinfo)


def _time(_: Names, value: datetime.time) -> Encoded:
    plain = datetime.time(value.hour, value.minute, value.second, value.microsecond)
    return _moment(plain.isoformat(), value.fold, value.tzinfo)


def _moment(text: str, fold: int, zone: datetime.tzinfo | None) -> Encoded:
    said: Any = known(frame(b"z", b"None")) if zone is None else zone
    return Parts((said,), tagged(b"d", text.encode(), b"%d" % fold))


def _zone(names: Names, value: zoneinfo.ZoneInfo) -> Encoded:
    """A zone counts by its key where that finds this very zone: one that was made from a file has any key."""
    key = value.key
    try:
        found = zoneinfo.ZoneInfo(key) if type(key) is str else None
    except (KeyError, OSError, ValueError):  # what there is no zone of, and what may be no key
        found = None
    return frame(b"z", repr(value).encode()) if found is value else names.described(value)


def _uuid(_: Names, value: uuid.UUID) -> bytes:
    safe = () if value.is_safe is uuid.SafeUUID.unknown else (value.is_safe.name.encode(),)
    return frame(b"u", value.hex.encode(), *safe)


def _complex(value: complex) -> bytes:
    text = repr(value).encode()
    odd = odd_nan(value.real) or odd_nan(value.imag)
    return frame(b"c", text, struct.pack("<dd", value.real, value.imag)) if odd else frame(b"c", text)


def _proxy(names: Names, value: types.MappingProxyType[Any, Any]) -> Encoded:
    """The mapping underneath, whatever it is: to ask the proxy is to ask that, which may be the user's."""
    held = gc.get_referents(value)
    return Parts(held, tagged(b"x")) if len(held) == 1 else names.described(value)


def _alias(_: Names, value: types.GenericAlias) -> Encoded:
    unpacked = (b"*",) if value.__unpacked__ else ()
    return Parts((value.__origin__, *value.__args__), tagged(b"g", *unpacked))


def _partial(_: Names, value: functools.partial[Any]) -> Encoded:
    members = vars(functools.partial)
    return wrapped(b"t", sequence([members[name].__get__(value) for name in ("func", "args", "keywords")]))


def _exact_partial(names: Names, value: functools.partial[Any]) -> Encoded:
    content = wrapped(b"p", _partial(names, value))
    return group(b"W", content, mapping(vars(value))) if vars(value) else content


def _cached(names: Names, value: Any) -> Encoded:
    """What is called and how it is cached, and attributes that are not copied from the former."""
    held = vars(value)
    if "__wrapped__" not in held or "cache_parameters" not in held:
        return names.described(value)
    content = wrapped(b"Y", wrapped(b"t", sequence((held["__wrapped__"], held["cache_parameters"]()))))
    added = {name: item for name, item in held.items() if name not in _OF_CACHED}
    return group(b"W", content, mapping(added)) if added else content


def _twister(names: Names, value: _Twister) -> Encoded:
    """The state of a generator; one that asks the system has none."""
    return names.described(value) if isinstance(value, random.SystemRandom) else sequence(_Twister.getstate(value))


def _namespace(_: Names, value: types.SimpleNamespace) -> Encoded:
    return mapping(plain(vars(types.SimpleNamespace)["__dict__"].__get__(value)))


def _enum(_: Names, value: enum.Enum) -> Encoded:
    return Parts((value._value_,), tagged(b"E", str(value._name_).encode("utf-8", "surrogatepass")))


def _exception(_: Names, value: BaseException) -> Encoded:
    seen = {name: item for name, item in _members(value) if item is not None}
    base = vars(BaseException)
    cause = base["__cause__"].__get__(value)
    if cause is not None:
        seen["__cause__"] = cause
    context = base["__context__"].__get__(value)
    if context is not None and context is not cause:
        seen["__context__"] = context
    suppressed = base["__suppress_context__"].__get__(value)
    if suppressed != (cause is not None):  # else it is as `raise` leaves it
        seen["__suppress_context__"] = suppressed
    held = (sequence(base["args"].__get__(value)), mapping(plain(base["__dict__"].__get__(value))))
    return group(b"X", *held, mapping(seen)) if seen else group(b"X", *held)


def _members(value: BaseException) -> list[tuple[str, Any]]:
    """What the builtin base of an exception keeps beside its arguments: `filename`, `path`, `name`."""
    return [
        (name, member.__get__(value))
        for owner in type(value).__mro__
        if owner.__module__ == "builtins"
        for name, member in vars(owner).items()
        if isinstance(member, types.MemberDescriptorType) and not name.startswith("_") and name not in _SEEN_ELSEWHERE
    ]


def _ordered_dict(_: Names, value: OrderedDict[Any, Any]) -> Encoded:
    keys = copied(lambda: [*OrderedDict.__iter__(value)])
    held = dict(dict.items(value))  # at once, as other threads may change it
    return wrapped(b"o", sequence([part for key in keys if key in held for part in (key, held[key])]))


def _default_dict(_: Names, value: defaultdict[Any, Any]) -> Encoded:
    factory = defaultdict.__dict__["default_factory"].__get__(value)
    return group(b"y", mapping(dict(dict.items(value))), Parts((factory,), tagged(b"p")))


def _deque(_: Names, value: deque[Any]) -> Encoded:
    return group(
        b"q", sequence(copied(lambda: [*deque.__iter__(value)])), atom(deque.__dict__["maxlen"].__get__(value))
    )


def _bytes(value: bytearray) -> bytes:
    """Long ones are a buffer: their hash stands for them, and they cost no work."""
    return frame(b"b", bytes(value)) if len(value) <= SHORT else frame(b"b", b"", blake3(value).digest())


def _view(_: Names, value: memoryview) -> bytes:
    said = ascii((value.format, value.shape, value.readonly)).encode()
    flat = value.cast("B") if value.c_contiguous and value.nbytes else value.tobytes()
    return frame(b"v", said, blake3(flat).digest())


def _buffer(_: Names, value: pickle.PickleBuffer) -> bytes:
    return frame(b"v", blake3(value.raw()).digest())


def _array(_: Names, value: array.array[Any]) -> bytes:
    return frame(b"i", value.typecode.encode(), blake3(memoryview(value).cast("B")).digest())


def _range(_: Names, value: range) -> Encoded:
    try:
        return frame(b"r", repr(value).encode())
    except ValueError:  # a bound of more digits than Python turns into text
        return wrapped(b"r", sequence((value.start, value.stop, value.step)))


EXACT: Final[dict[type, Encode]] = {
    Piece: piece,
    list: _wrapped(b"l", sequence),
    tuple: _wrapped(b"t", sequence),
    dict: _wrapped(b"m", mapping),
    set: _wrapped(b"s", sorted_items),
    frozenset: _wrapped(b"f", sorted_items),
    bytearray: lambda _, value: _bytes(value),
    memoryview: _view,
    pickle.PickleBuffer: _buffer,
    array.array: _array,
    complex: lambda _, value: _complex(value),
    range: _range,
    slice: _parts(b":", lambda value: (value.start, value.stop, value.step)),
    type(...): _text(b".", repr),
    type(NotImplemented): _text(b".", repr),
    datetime.date: _text(b"D", datetime.date.isoformat),
    datetime.timedelta: _text(b"D", repr),
    datetime.timezone: _text(b"z", repr),
    zoneinfo.ZoneInfo: _zone,
    decimal.Decimal: _text(b"n", lambda value: repr(value.as_tuple())),
    fractions.Fraction: _parts(b"q", lambda value: (value.numerator, value.denominator)),
    uuid.UUID: _uuid,
    re.Pattern: _parts(b"R", lambda value: (value.pattern, value.flags)),
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin,
    types.MethodDescriptorType: lambda _, value: Parts((value.__objclass__,), tagged(b"N", value.__name__.encode())),
    types.ModuleType: _module,
    types.MappingProxyType: _proxy,
    types.CodeType: lambda _, value: _code(value),
    types.CellType: lambda _, value: Parts(() if value == types.CellType() else (value.cell_contents,), tagged(b"e")),
    types.GenericAlias: _alias,
    types.UnionType: lambda _, value: Parts(value.__args__, tagged(b"|")),
    _CACHED: _cached,
    functools.partial: _exact_partial,
}

BASES: Final[tuple[tuple[type, Encode], ...]] = (
    (enum.Enum, _enum),
    (type, _class),
    (types.FunctionType, _function),
    (datetime.datetime, _datetime),
    (datetime.time, _time),
    (datetime.date, _text(b"D", datetime.date.isoformat)),
    (datetime.timedelta, _text(b"D", datetime.timedelta.__repr__)),
    (decimal.Decimal, _text(b"n", lambda value: repr(decimal.Decimal.as_tuple(value)))),
    (pathlib.PurePath, _text(b"P", pathlib.PurePath.__str__)),
    (BaseException, _exception),
    (types.SimpleNamespace, _namespace),
    (functools.partial, _partial),
    (_Twister, _twister),
    (types.ModuleType, _module),
    (deque, _deque),
    (OrderedDict, _ordered_dict),
    (defaultdict, _default_dict),
    (dict, lambda _, value: mapping(dict(dict.items(value)))),
    (tuple, lambda _, value: sequence(tuple(tuple.__iter__(value)))),
    (list, lambda _, value: sequence([*list.__iter__(value)])),
    (set, lambda _, value: sorted_items(copied(lambda: [*set.__iter__(value)]))),
    (frozenset, lambda _, value: sorted_items(frozenset.__iter__(value))),
    (int, lambda _, value: atom(int.__add__(value, 0))),
    (str, lambda _, value: atom(str.__str__(value))),
    (bytes, lambda _, value: atom(bytes.__getitem__(value, slice(None)))),
    (bytearray, lambda _, value: _bytes(bytearray.__getitem__(value, slice(None)))),
    (float, lambda _, value: atom(float.__float__(value))),
    (complex, lambda _, value: _complex(complex.__complex__(value))),
    (array.array, _array),
)
"""The first base that fits decides."""

CONTAINERS: Final = frozenset({dict, tuple, list, set, frozenset, int, str, bytes, float, complex})
"""Bases whose subclasses always say which attributes they add, also when there are none."""
STATELESS: Final = frozenset({enum.Enum, type, types.FunctionType, types.ModuleType})
"""Bases whose attributes do not count, or cannot be others."""
WITH_ATTRIBUTES: Final = frozenset({types.SimpleNamespace, BaseException})
"""Bases that see to the attributes of a subclass themselves; its slots are left."""
