"""Plain data: what it is made of, and whether a value is nothing else.

Rules of this file
- Plain data is built of exact value types, so that keeping it never runs user code and never holds a resource.
- What a value is made of is read by the builtin types' own methods: a subclass may answer as it likes.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import gc
import pathlib
import re
import types
import weakref
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jupyter_durable import static
from jupyter_durable.code import arrays
from jupyter_durable.code.classify import alias_parts, is_code, partial_parts
from jupyter_durable.code.modules import is_local
from jupyter_durable.static import Kinds, Named, is_a

ATOMS: Final = Kinds(type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
_HEADER: Final = r"(proxy-)?authorization|(set-)?cookie|x-[a-z-]*(key|token|secret)"
VALUE_TYPES: Final = Kinds(
    range,
    datetime.date,
    datetime.timedelta,
    datetime.timezone,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
    pathlib.PosixPath,
    pathlib.WindowsPath,
)
"""Types of values that hold nothing but themselves."""
_OF_IPADDRESS: Final = tuple(
    ("ipaddress", f"IPv{n}{kind}") for n in (4, 6) for kind in ("Address", "Interface", "Network")
)
VALUES_OF_MODULES: Final = Named(
    ("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID"), ("zoneinfo", "ZoneInfo"), *_OF_IPADDRESS
)
"""The same of modules that take long to import, and that most processes have no use for."""
MOMENTS: Final = Kinds(datetime.datetime, datetime.time)
_ZONES: Final = Kinds(type(None), datetime.timezone)
_ZONES_OF_MODULES: Final = Named(("zoneinfo", "ZoneInfo"))
SEQUENCES: Final = Kinds(list, tuple, deque)
SETS: Final = Kinds(set, frozenset)
MAPPINGS: Final = Kinds(dict, OrderedDict, defaultdict, Counter)
NAMESPACES: Final = Kinds(types.SimpleNamespace, ChainMap, UserDict, UserList, UserString)
NUMBERS: Final = Kinds(type(None), bool, int, float, complex)
TEXTS: Final = Kinds(str, bytes, bytearray)
METHODS: Final = Kinds(types.MethodDescriptorType, types.WrapperDescriptorType)
"""Methods of builtin types, which are kept by name."""
_LISTED: Final = SEQUENCES | SETS
_DEPTH: Final = 50
_ITEM: Final = 3
"""Bytes that the pickle of an item takes at least."""
_KEEPING: Final = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")
"""What pickling asks."""
_ANSWERING: Final = ("__getattr__", "__getattribute__", "__class__")
"""By what an object answers for another one."""
_ITERATING: Final = ("__iter__", "__len__", "items")
"""What pickling asks a container."""
_COMPARING: Final = ("__eq__", "__hash__")
"""What looking up a type in a table asks its metaclass."""
_COMPILED: Final = METHODS | Kinds(types.BuiltinFunctionType, types.GetSetDescriptorType)
_FACTORY: Final = vars(defaultdict)["default_factory"]
_PROXIES: Final = Kinds(weakref.ProxyType, weakref.CallableProxyType)


def is_header(name: str) -> bool:
    """Whether a header of that name is a credential, where it stands in a pair."""
    return re.fullmatch(_HEADER, name, re.IGNORECASE) is not None


def is_zone(kind: type) -> bool:
    """Whether this is the type of no time zone, or of one that holds nothing but itself."""
    return kind in _ZONES or kind in _ZONES_OF_MODULES


def fields_of(value: object) -> dict[str, object] | None:
    """Fields of a dataclass, attrs, pydantic or named tuple instance and of a namespace; None for any other value."""
    kind = type(value)
    if kind in NAMESPACES or (static.type_name(value), static.importable(kind)) == ("Namespace", "argparse"):
        return dict(static.attributes(value))
    names = None if is_a(value, type) else _field_names(kind)
    if names is not None:
        return {name: static.held(value, name) for name in names}
    if type(static.inherited(kind, "__pydantic_fields__")) is dict:
        return dict(static.attributes(value))
    fields: Any = static.inherited(kind, "_fields")
    if is_a(value, tuple) and type(fields) is tuple:
        return dict(zip(map(str, fields), tuple.__iter__(value), strict=False))
    return None


def _field_names(kind: type) -> list[str] | None:
    """Names of the fields of a dataclass or an attrs class."""
    declared = static.inherited(kind, "__dataclass_fields__")
    if type(declared) is dict:
        stand_in: Any = types.SimpleNamespace(__dataclass_fields__=declared)  # `fields` would ask the metaclass
        return [field.name for field in dataclasses.fields(stand_in)]
    declared = static.inherited(kind, "__attrs_attrs__")
    if is_a(declared, tuple):
        return [str(static.held(field, "name")) for field in tuple.__iter__(declared)]
    return None


def mapping_of(value: object) -> dict[object, object] | None:
    """The content of a mapping of the builtin kinds, subclasses included; None for any other value."""
    if is_a(value, dict):
        return dict(dict.items(value))
    if type(value) is types.MappingProxyType:
        (behind,) = gc.get_referents(value)  # asked itself, it would ask the mapping behind it
        return mapping_of(behind)
    return None


def items_of(value: object) -> list[object] | None:
    """The items of a list, a tuple or a deque in order, of a set in any; None for any other value."""
    kind = _container(value)
    return static.copied(lambda: list(kind.__iter__(value))) if kind is not None and kind is not dict else None


def length_of(value: object) -> int:
    """How many items a builtin container holds; 0 for any other value."""
    kind = _container(value)
    return int(kind.__len__(value)) if kind is not None else 0


def _container(value: object) -> Any:
    """The builtin container that a value is one of."""
    return next((kind for kind in (dict, list, tuple, deque, set, frozenset) if is_a(value, kind)), None)


def texts_in(value: object) -> Iterator[tuple[str, str]]:
    """(field name or "", text) of all text in plain data, each part of it looked at once under each name."""
    pending: list[tuple[str, object]] = [("", value)]
    seen: set[tuple[int, str]] = set()
    while pending:
        field, part = pending.pop()
        if is_a(part, str):
            yield field, str.__str__(part)
        elif type(part) is bytes or type(part) is bytearray:
            yield field, part.decode("utf-8", "replace")
        elif type(part) not in ATOMS and (id(part), field) not in seen:
            seen.add((id(part), field))
            pending += _parts_of(part, field)


def _parts_of(value: object, field: str) -> Iterator[tuple[str, object]]:
    mapping = mapping_of(value)
    rows: Mapping[Any, object] | None = mapping if mapping is not None else fields_of(value)
    if rows is None:
        items = items_of(value) or ()
        if type(value) is tuple and len(value) == 2 and is_header(_name(value[0])):
            yield _name(value[0]), value[1]
        yield from ((field, item) for item in (() if NUMBERS.hold(items) else items))
    else:
        yield from ((_name(key), item) for key, item in rows.items())
        yield from (("", key) for key in rows)


def _name(key: object) -> str:
    """The name that a key is: raw headers have bytes."""
    return key.decode("latin-1") if type(key) is bytes else static.label(key)


def is_plain(value: object, limit: int = 1_000_000) -> bool:
    """Whether a value is plain data, all the way down, and can take at most `limit` bytes when it is pickled."""
    return _Plain(limit, code=False).holds(value, 0)


def is_plain_with_code(value: object, limit: int = 1_000_000) -> bool:
    """As `is_plain`, for containers, partials and type aliases that may hold functions and classes too."""
    return _Plain(limit, code=True).holds(value, 0)


class _Plain:
    """One walk; stops as soon as the value is seen to be too large, so that a large one costs little."""

    def __init__(self, limit: int, *, code: bool) -> None:
        self._left = limit
        self._code = code

    def holds(self, value: Any, depth: int) -> bool:
        kind = type(value)
        self._left -= len(value) if kind in TEXTS else _ITEM
        if self._left < 0 or depth > _DEPTH:
            return False
        if kind in ATOMS or kind in VALUE_TYPES or kind in TEXTS:
            return True
        if kind in MOMENTS:
            return is_zone(type(value.tzinfo))
        if kind in _LISTED:
            return self._sequence(value, depth)
        if kind in MAPPINGS:
            if len(value) * _ITEM > self._left:
                return False
            factory = [made for made in factory_of(value) if static.importable(made) in {None, "__main__"}]
            return self._all([*value, *value.values(), *factory], depth)
        if kind in VALUES_OF_MODULES:
            return True
        if self._code and (is_code(value) or kind in METHODS):
            return True
        parts = self._parts(value)
        if parts is not None:
            return self._all(parts, depth)
        size = arrays.size_of(value)
        self._left -= size or 0
        return size is not None and self._left >= 0

    def _parts(self, value: Any) -> Iterable[object] | None:
        """What a value of one of the open kinds is made of; None for what is no plain data."""
        if is_a(value, enum.Enum):
            return [static.held(value, "_value_")] if restores_plainly(value) else None
        if type(value) is types.BuiltinFunctionType and self._code:
            return [] if is_a(value.__self__, (types.ModuleType, type, types.NoneType)) else [value.__self__]
        if type(value) is slice:
            return [value.start, value.stop, value.step]
        if type(value) is re.Pattern:
            return [value.pattern]
        partial, alias = partial_parts(value), alias_parts(value)
        if partial is not None and type(value) is functools.partial and self._code:
            return [partial[0], *partial[1], *partial[2].values()]
        if alias is not None and self._code:
            return [part for part in alias if static.module_name(part) != "typing"]
        fields = fields_of(value) if restores_plainly(value) else None
        return fields.values() if fields is not None else None

    def _all(self, parts: Iterable[object], depth: int) -> bool:
        return all(self.holds(part, depth + 1) for part in parts)

    def _sequence(self, value: Any, depth: int) -> bool:
        if len(value) * _ITEM > self._left:
            return False
        if NUMBERS.hold(value):
            self._left -= len(value) * _ITEM
            return True
        return self._all(value, depth)


def factory_of(value: object) -> list[object]:
    """What a `defaultdict` makes its values with."""
    factory = _FACTORY.__get__(value) if is_a(value, defaultdict) else None
    return [factory] if factory is not None else []


def restores_plainly(value: object) -> bool:
    """Whether a value can be pickled without running what could do anything.

    That is: no class of the notebook says how it is pickled or looked up, and none of a library's answers for another
    object (a proxy, a mock) without saying how it is pickled.
    """
    hooks = (*_KEEPING, *_ITERATING) if _container(value) is not None else _KEEPING
    if overrides_lookup(type(value), hooks) or overrides_lookup(type(type(value)), _COMPARING):
        return False
    if type(value) is types.MappingProxyType:
        return type(gc.get_referents(value)[0]) is dict
    answers, kept = type(value) in _PROXIES, False
    for base in static.mro(type(value))[:-1]:
        content = static.members(base)
        if static.importable(base) not in {None, "builtins"}:
            kept = kept or any(hook in content for hook in _KEEPING)
            answers = answers or any(type(content[hook]) not in METHODS for hook in _ANSWERING if hook in content)
    return kept or not answers


def overrides_lookup(kind: type, also: tuple[str, ...] = ()) -> bool:
    """Whether a class of the notebook, or of a local module, decides how its instances' attributes are looked up."""
    for base in static.mro(kind)[:-1]:
        content, home = static.members(base), static.importable(base)
        own = home is None or home == "__main__" or is_local(home)
        if own and any(_is_own(content[hook]) for hook in (*_ANSWERING, *also) if hook in content):
            return True
    return False


def _is_own(hook: object) -> bool:
    """Whether a method is the notebook's, or a local module's; what a library generates is the library's."""
    if type(hook) in _COMPILED:
        return False
    home = hook.__globals__.get("__name__") if type(hook) is types.FunctionType else None
    return type(home) is not str or home == "__main__" or is_local(home)
