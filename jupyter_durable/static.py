"""Looking at objects without running anything of theirs.

Rules of this file
- Nothing that a class or a metaclass defines is asked: no `__getattr__`, `__class__`, `__len__`, `__eq__`, `__hash__`,
  no property. A proxy, a mock and a lazy module are seen as the objects they are, not as what they stand for.
- Answers come from the slots of CPython's own types, and from the dictionaries that these give.
- Types are told apart by identity: a metaclass may define `__eq__` and `__hash__`.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeGuard, TypeVar

T = TypeVar("T")

_TYPE: Final = vars(type)
_NAMED: Final = (types.FunctionType, types.BuiltinFunctionType)
_STORED: Final = (types.GetSetDescriptorType, types.MemberDescriptorType)
_ABSENT: Final = object()
_CHANGED: Final = "during iteration"
"""Ends what CPython's containers raise where they were changed."""
_READ_AGAIN: Final = 1000


class Kinds:
    """A set of types. `kind in kinds` asks no metaclass."""

    __slots__ = ("_ids", "_kinds")

    def __init__(self, *kinds: type) -> None:
        self._kinds = kinds  # kept alive, so that their ids are theirs
        self._ids = frozenset(map(id, kinds))

    def __contains__(self, kind: type) -> bool:
        return id(kind) in self._ids

    def __or__(self, other: Kinds) -> Kinds:
        return Kinds(*self._kinds, *other._kinds)

    def hold(self, values: Iterable[object]) -> bool:
        """Whether every value is exactly of one of these types."""
        return self._ids.issuperset(map(id, map(type, values)))


_SHOWN: Final = Kinds(type(None), bool, int, float, complex, str, bytes)


def is_a(value: object, kind: type[T] | tuple[type[T], ...]) -> TypeGuard[T]:
    """`isinstance` by what the value is, not by the `__class__` it gives. `kind` must be no abstract base class."""
    return issubclass(type(value), kind)


def mro(cls: type) -> tuple[type, ...]:
    """The class and its bases, in the order of lookup."""
    found: tuple[type, ...] = _TYPE["__mro__"].__get__(cls)
    return found


def bases(cls: type) -> tuple[type, ...]:
    """The direct bases of a class."""
    found: tuple[type, ...] = _TYPE["__bases__"].__get__(cls)
    return found


def members(cls: type) -> Mapping[str, Any]:
    """What stands in the class itself."""
    found: Mapping[str, Any] = _TYPE["__dict__"].__get__(cls)
    return found


def inherited(cls: type, name: str, default: Any = None) -> Any:
    """What stands under a name in a class or the first of its bases that has it; a descriptor as it is."""
    for base in mro(cls):
        found = members(base).get(name, _ABSENT)
        if found is not _ABSENT:
            return found
    return default


def attributes(value: object) -> dict[str, Any]:
    """The dictionary of an instance, a function or a module; an empty one where there is none."""
    kind = type(value)
    for base in mro(kind):
        slot: Any = members(base).get("__dict__")
        if type(slot) in _STORED and slot.__objclass__ is base:
            found = slot.__get__(value)
            if type(found) is dict:
                return found
            return dict(dict.items(found)) if is_a(found, dict) else {}
    return {}


def held(value: object, name: str, default: Any = None) -> Any:
    """What an instance keeps under a name, in its dictionary or in a slot, else what its class has there."""
    found = attributes(value).get(name, _ABSENT)
    if found is not _ABSENT:
        return found
    found = inherited(type(value), name, default)
    if type(found) is not types.MemberDescriptorType:
        return found
    try:
        return found.__get__(value)
    except (AttributeError, TypeError):  # empty, or the slot of another class
        return default


def copied(read: Callable[[], T]) -> T:
    """What `read` takes of containers and tables that other threads may change meanwhile; it is read again then.

    Raises `RuntimeError` where they never leave it alone for as long as reading takes.
    """
    for _ in range(_READ_AGAIN):
        try:
            return read()
        except RuntimeError as error:
            if not changed_meanwhile(error):
                raise
    return read()


def changed_meanwhile(error: Exception) -> bool:
    """Whether an error says that what was walked over was changed by another thread; `copied` reads again then."""
    return isinstance(error, RuntimeError) and _CHANGED in str(error)


def changed(what: str) -> RuntimeError:
    """The error of a walk over `what` that another thread changed, where it was not one of CPython's containers."""
    return RuntimeError(f"{what} was changed {_CHANGED}")


def wrapped(value: object) -> object | None:
    """What a decorator says it wraps: `__wrapped__`, where the object keeps it itself."""
    found: object | None = attributes(value).get("__wrapped__")
    return found


def qualname(value: object) -> str | None:
    """The qualified name of a function, a class, or an object that keeps a name; None for any other."""
    return _text(_own_name(value))


def _own_name(value: Any) -> object:
    if is_a(value, type):
        return _TYPE["__qualname__"].__get__(value)
    if is_a(value, _NAMED):
        return value.__qualname__  # type: ignore[attr-defined]
    kept = attributes(value)
    return kept.get("__qualname__") or kept.get("__name__") or held(value, "_name")


def module_name(value: object) -> str | None:
    """The name of the module that a function, a class or an instance says it is of."""
    if is_a(value, type):
        return _text(_TYPE["__module__"].__get__(value))
    if is_a(value, _NAMED):
        return _text(value.__module__)
    return _text(held(value, "__module__"))


def type_name(value: object) -> str:
    """The qualified name of an object's type."""
    return str(_TYPE["__qualname__"].__get__(type(value)))


def _text(value: object) -> str | None:
    return value if type(value) is str else None


def importable(value: object) -> str | None:
    """Name of the loaded module in which the value stands under its own name; None where there is none."""
    module, name = module_name(value), qualname(value)
    if module is None or name is None:
        return None
    first, *rest = name.split(".")
    found = attributes(sys.modules.get(module)).get(first, _ABSENT)
    for part in rest:
        found = members(found).get(part, _ABSENT) if is_a(found, type) else _ABSENT
        found = found.__func__ if type(found) is staticmethod else found
    return module if found is value else None


class Named:
    """A set of types by module and name. `kind in named` imports nothing: what nobody has imported has no values."""

    __slots__ = ("_names",)

    def __init__(self, *names: tuple[str, str]) -> None:
        self._names = frozenset(names)

    def __contains__(self, kind: type) -> bool:
        return (module_name(kind), qualname(kind)) in self._names and importable(kind) is not None


def label(key: Any) -> str:
    """The key of a table in words, the same in every process."""
    kind = type(key)
    if kind in _SHOWN:
        return str(key)
    if is_a(key, enum.Enum):
        return f"{type_name(key)}.{label(held(key, '_name_'))}"
    if kind is tuple:
        return f"({', '.join(label(part) for part in key)})"
    return qualname(key) or type_name(key)
