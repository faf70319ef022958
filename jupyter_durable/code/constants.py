"""Constants that are objects: what they hold counts as code where nothing changes it after they were made.

Rules of this file
- An instance of the notebook's own classes is a constant unless a method of theirs changes what an instance holds: then
  that is its memory. Whatever else changes it edits a constant.
- Only what the library itself made of its types is opened, and only where the library is loaded.
- This is of what code reads. What is passed as an argument is compared by `serializer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Final

from jupyter_durable import static
from jupyter_durable.code import arrays
from jupyter_durable.code.canonical import render_data
from jupyter_durable.code.changes import attributes_changed
from jupyter_durable.code.contents import held_fields, is_own
from jupyter_durable.code.plain import overrides_lookup
from jupyter_durable.code.sources import find_function, methods

_MAKING: Final = frozenset({"__init__", "__new__", "__post_init__", "__attrs_post_init__", "__set_name__"})
"""Methods that run while an instance is made."""
_FIXED: Final = static.Named(("string", "Template"))
"""Types of libraries whose instances are what they were made with."""
_BARE: Final = frozenset({("builtins", "object"), ("typing", "Generic"), ("typing", "Protocol"), ("abc", "ABC")})
"""Bases that hold nothing."""


def render_constant(value: object, limit: int = 65536) -> bytes | None:
    """As `render_data`, with objects that are constants, by what they hold."""
    return render_data(value, limit, _held)


def render_again(value: object, limit: int) -> bytes | None:
    """The same of what was a constant when it was looked at first, in a quarter of the time."""
    return render_data(value, limit, _held_by_constant)


def _held_by_constant(value: object) -> Mapping[str, object] | None:
    return held_fields(value) if is_own(type(value)) else _held(value)


def _held(value: object) -> Mapping[str, object] | None:
    kind = type(value)
    if kind in _FIXED:
        return static.attributes(value)
    if static.inherited(type(kind), "__struct_fields__") is not None or _is_constant(kind):  # msgspec has slots
        return held_fields(value)
    return arrays.held(value)


def _is_constant(kind: type) -> bool:
    """Whether instances are the notebook's own and stay as they were made, as far as their methods say."""
    own = [base for base in static.mro(kind) if (static.module_name(base), static.qualname(base)) not in _BARE]
    if not own or not all(map(is_own, own)) or overrides_lookup(kind, ("__setattr__", "__iter__")):
        return False
    return not any(_changes(method) for base in own for method in methods(base) if method.__name__ not in _MAKING)


def _changes(method: FunctionType) -> bool:
    """Whether a method changes an attribute, of whatever it is; what has no source may."""
    found = find_function(method)
    return found is None or bool(attributes_changed(found.node))
