"""What it costs to begin to look at a value, in units of work. It is paid before: what has begun cannot be given up.

Rules of this file
- Counted, not timed: equal values cost the same everywhere, or a digest would be another one on a busy machine.
- A unit is about three microseconds of a machine of 2024. What costs a unit or two has no weight: the walk counts it.
- Lengths are read by the methods of the builtin type, as content is.
"""

from __future__ import annotations

import decimal
import gc
import types
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

__all__ = ["Weigh", "weight_of"]

Weigh: TypeAlias = Callable[[Any], int]

_ITEMS: Final[dict[type, int]] = {list: 96, tuple: 96, deque: 96, set: 16, frozenset: 16, dict: 8}
"""So many items cost a unit before any of them is looked at: their types, or, in a dict, their order."""
_OBJECTS: Final = 48
"""So many items of an array of objects cost a unit, and of texts a third of them."""
_FIELD: Final = 3
_COPIED: Final = 512
"""So many bytes of a view with gaps cost a unit."""
_DIGITS: Final = 64
"""So many digits of a decimal number cost a unit."""
_SQUARE: Final = 1 << 22
"""The square of the bits of an integer whose text costs a unit, up to the digits that Python turns into text."""
_MOST_BITS: Final = 1 << 14
_EACH: Final = {"pandas": 6, "polars": 30, "pyarrow": 12, "torch": 3}
"""What libraries take for one value, or for one column of a frame."""
_EXCEPTION: Final = 2
_INSTANCE: Final = 1
_MADE_IN_PYTHON: Final = 1 << 9
"""The flag of a class that was made while the program ran."""


def weight_of(kind: type) -> Weigh | None:
    """What the values of a type cost to begin with; None for next to nothing."""
    exact = _CONTENT.get(kind)
    if exact is not None:
        return exact
    for owner in kind.__mro__:
        if owner.__module__ == "numpy" and owner.__name__ == "ndarray":
            return _by_dtype(owner)
        per = _ITEMS.get(owner)
        if per is not None:
            return _by_length(owner, per)
        each = _EACH.get(owner.__module__.partition(".")[0])
        if each is not None:
            return _by_columns(each) if hasattr(kind, "columns") and hasattr(kind, "shape") else _always(each)
        if owner in _CONTENT:
            content = _CONTENT[owner]
            return lambda value: _INSTANCE + content(value)
    if issubclass(kind, BaseException):
        return _by_members(kind, _EXCEPTION)
    if issubclass(kind, types.SimpleNamespace):
        return _by_members(kind, 0)
    return _by_members(kind, _INSTANCE) if kind.__flags__ & _MADE_IN_PYTHON else None


def _by_members(kind: type, cost: int) -> Weigh:
    """By attributes, which are copied, and the arguments of an exception."""
    found = [vars(owner).get("__dict__") for owner in kind.__mro__]
    members = next((each for each in found if isinstance(each, _READERS)), None)
    arguments = vars(BaseException)["args"] if issubclass(kind, BaseException) else None
    if members is None:
        return _always(cost)

    def weigh(value: Any) -> int:
        held = 0 if arguments is None else len(arguments.__get__(value)) // _ITEMS[tuple]
        state = members.__get__(value)  # that of a class is a proxy, and is not copied
        copied = dict.__len__(state) // _ITEMS[dict] if dict in type(state).__mro__ else 0
        return cost + held + copied

    return weigh


def _of_bits(bits: int) -> int:
    return min(bits, _MOST_BITS) ** 2 // _SQUARE


def _by_dtype(base: type) -> Weigh:
    """An array whose items become Python objects is read whole, one of structures field by field."""
    read_type, size = vars(base)["dtype"], vars(base)["size"]

    def weigh(value: Any) -> int:
        dtype = read_type.__get__(value)
        if dtype.hasobject:
            return int(size.__get__(value)) // _OBJECTS
        if dtype.kind == "T":
            return int(size.__get__(value)) * 3 // _OBJECTS
        return 1 if dtype.names is None else len(dtype.names) * _FIELD

    return weigh


def _always(cost: int) -> Weigh:
    return lambda _: cost


def _by_length(base: type, per: int) -> Weigh:
    length: Callable[[Any], int] = vars(base)["__len__"]
    return lambda value: length(value) // per


def _by_columns(each: int) -> Weigh:
    def weigh(value: Any) -> int:
        try:
            return each * (1 + int(value.shape[1]))
        # A user's subclass may have a shape of its own.
        except Exception:  # noqa: BLE001
            return each

    return weigh


_READERS: Final = (types.GetSetDescriptorType, types.MemberDescriptorType)
_CONTENT: Final[dict[type, Weigh]] = {
    range: lambda value: _of_bits(max(each.bit_length() for each in (value.start, value.stop, value.step))),
    decimal.Decimal: lambda value: len(decimal.Decimal.__str__(value)) // _DIGITS,
    memoryview: lambda value: 0 if value.c_contiguous else value.nbytes // _COPIED,
    # A pickler copies the dict underneath; to ask the proxy may be to ask the user's.
    types.MappingProxyType: lambda value: (
        sum([len(held) for held in gc.get_referents(value) if type(held) is dict]) // 8
    ),
}
"""What the content of these costs, where its length does not say it or is not that of the type."""
