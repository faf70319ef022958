"""Which functions and classes a value holds.

Rules of this file
- Looked into are containers with their subclasses, methods, partials, type aliases, namespaces, and instances of the
  notebook's and local modules' classes, which count as well. What a library's object holds is its own business.
- What objects hold is read by `static`: nothing of theirs runs.
"""

from __future__ import annotations

import enum
import functools
import sys
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, GetSetDescriptorType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, Final

from jupyter_durable import static
from jupyter_durable.code.canonical import GETTERS, render_data
from jupyter_durable.code.classify import alias_parts, is_code, partial_parts
from jupyter_durable.code.modules import is_local
from jupyter_durable.code.names import CONTAINERS, callables_in, rows_of
from jupyter_durable.code.plain import ATOMS, METHODS, NAMESPACES, factory_of, fields_of, items_of, mapping_of

_DECLARED: Final = (
    "__annotations__",
    "__dataclass_fields__",
    "__attrs_attrs__",
    "__pydantic_fields__",
    "__struct_fields__",
    "__struct_defaults__",
    "__total__",
)
"""Where classes keep what was said of their fields."""
_STORED: Final = static.Kinds(MemberDescriptorType, GetSetDescriptorType)
TYPE: Final = "()"
"""Ends the key of the class of an instance."""
MAIN: Final = frozenset({"__main__", "__mp_main__"})
_NESTED: Final = 50


def code_in(value: object) -> Iterator[tuple[str, object]]:
    """As `callables_in`, with the classes of instances, and through the fields of objects."""
    return callables_in(value, _rows, _NESTED)


def is_own(kind: type) -> bool:
    """Whether a class is the notebook's or a local module's."""
    home = static.module_name(kind) or ""
    return home in MAIN or is_local(home)


def _rows(value: Any) -> Iterable[tuple[str, object]]:
    kind = type(value)
    if kind in CONTAINERS:
        return rows_of(value)
    if kind in ATOMS or is_code(value) or static.is_a(value, ModuleType):
        return ()
    if kind is MethodType:
        return [("__func__", value.__func__), ("__self__", value.__self__)]
    rows = [*rows_of(value), *_items(value)]
    for each in static.attributes(value).get("__metadata__", ()) if is_alias(value) else ():
        rows += (fields_of(each) or {}).items()  # `Annotated[int, AfterValidator(check)]`
    if kind in NAMESPACES or is_own(kind):
        rows += held_fields(value).items()
    if is_own(kind):
        rows.append((TYPE, kind))
    return rows


def _items(value: object) -> Iterator[tuple[str, object]]:
    mapping = mapping_of(value)
    if mapping is not None:
        yield from ((static.label(key), item) for key, item in mapping.items() if type(item) not in ATOMS)
        yield from (("default", made) for made in factory_of(value))
    yield from ((str(at), item) for at, item in enumerate(items_of(value) or ()) if type(item) not in ATOMS)


def held_fields(value: object) -> dict[str, object]:
    """What an object keeps in its dictionary and its slots; of a member of an enum its value."""
    if static.is_a(value, enum.Enum):
        return {"value": static.held(value, "_value_")}
    found = dict(static.attributes(value))
    for base in static.mro(type(value)):
        slots = [name for name, held in static.members(base).items() if type(held) is MemberDescriptorType]
        found.update((name, static.held(value, name)) for name in slots)
    return found


def named(name: str, key: str, held: object) -> str:
    """The name of a part that a value holds; a class that its instances brought stands under its own."""
    return static.qualname(held) or "" if key.endswith(TYPE) else f"{name}.{key}"


def holds_data(value: object) -> bool:
    """Whether a callable is a function with data: `partial(scaled, 2)`, `itemgetter("name")`."""
    if type(value) in GETTERS:
        return True
    parts = partial_parts(value)
    return parts is not None and not all(map(is_code, [*parts[1], *parts[2].values()]))


def is_alias(value: object) -> bool:
    """Whether a value is a type that is no class: `Literal["a", "b"]`, `list[int]`, a new type."""
    return alias_parts(value) is not None


def counts_by_name(name: str, value: Any) -> bool:
    """Whether this is a function in C, or what an installed module holds under this name or its own.

    Such as `random.randint`, a method, and `numpy.exp`.
    """
    if type(value) in METHODS:
        return True
    if type(value) is BuiltinFunctionType and (
        value.__self__ is None or static.is_a(value.__self__, (type, ModuleType))
    ):
        return True
    function = value.__func__ if type(value) is MethodType else value
    names = {name.rpartition(".")[2], static.qualname(function) or ""}
    modules = [(home, vars(module)) for home, module in list(sys.modules.items()) if type(module) is ModuleType]
    holders = [home for home, content in modules for each in names if content.get(each) is value]
    return any(home not in MAIN and not is_local(home) for home in holders)


def declared(cls: type, limit: int) -> dict[str, object]:
    """The bases of a class, what was said of its fields, in order, and members that are no plain data up to `limit`.

    Nothing of an enum, whose members say it all.
    """
    if issubclass(type(cls), enum.EnumMeta):
        return {}
    found: dict[str, object] = {}
    bases = [f"{static.module_name(base)}.{static.qualname(base)}" for base in static.bases(cls)]
    if bases != ["builtins.object"] and "_fields" not in static.members(cls):
        found["bases"] = bases
    for name in _DECLARED:
        held = static.members(cls).get(name)
        stored = static.inherited(type(cls), name)
        if held is None and type(stored) in _STORED and stored is not static.members(type).get(name):
            held = stored.__get__(cls)  # a metaclass in C keeps it
        if held is not None:
            found[name] = [*held.items()] if type(held) is dict else held
    for name, held in static.members(cls).items():
        if name[:2] != "__" and not is_code(held) and not is_descriptor(held) and render_data(held, limit) is None:
            found[name] = held
    return found


def is_descriptor(value: object) -> bool:
    """Whether a member of a class is part of how it works, such as a property."""
    kind = type(value)
    if kind is functools.partialmethod or is_own(kind):
        return False
    return static.inherited(kind, "__get__") is not None or static.module_name(kind) == "_abc"
