"""What it costs to begin to look at a value, in units of work. It is paid before: what has begun cannot be given up.

Rules of this file
- Counted, not timed: equal values cost the same everywhere, or a digest would be another one on a busy machine.
- A unit is about three microseconds of a machine of 2024. What costs a unit or two has no weight: the walk counts it.
- Lengths are read by the methods of the builtin type, as content is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

__all__ = ["Weigh", "weight_of"]

Weigh: TypeAlias = Callable[[Any], int]

_ITEMS: Final[dict[type, int]] = {list: 96, tuple: 96, deque: 96, set: 16, frozenset: 16, dict: 8}
"""So many items cost a unit before any of them is looked at: their types, or, in a dict, their order."""
_EACH: Final = {"pandas": 6, "polars": 30, "pyarrow": 12, "torch": 3}
"""What libraries take for one value, or for one column of a frame."""
_EXCEPTION: Final = 2
_INSTANCE: Final = 1
_MADE_IN_PYTHON: Final = 1 << 9
"""The flag of a class that was made while the program ran."""


def weight_of(kind: type) -> Weigh | None:
    """What the values of a type cost to begin with; None for next to nothing."""
    for owner in kind.__mro__:
        per = _ITEMS.get(owner)
        if per is not None:
            return _by_length(owner, per)
        each = _EACH.get(owner.__module__.partition(".")[0])
        if each is not None:
            return _by_columns(each) if hasattr(kind, "columns") and hasattr(kind, "shape") else _always(each)
    if issubclass(kind, BaseException):
        return _always(_EXCEPTION)
    return _always(_INSTANCE) if kind.__flags__ & _MADE_IN_PYTHON else None


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
