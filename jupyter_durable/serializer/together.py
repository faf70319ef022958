"""Digests of several values in one go: an object that more than one of them holds is looked at once.

Rules of this file
- Nothing is remembered from one go to the next: between two calls the user's code runs, and any object may be another
  one afterwards. In one go nothing of the user's runs. Where an object has to be asked what it is (`canonical`: weak),
  its code does run, and from then on each value is looked at by itself.
- The digests are those that each value has by itself. The work of a shared object is counted in each value that holds
  it, so what is over the budget by itself is so here; what seems to be is looked at again by itself.
- Objects that hold each other, and those of classes whose look depends on what is left of the budget, are not shared.
- Only what a value holds itself, or in a container or record in it, is looked for.
"""

from __future__ import annotations

import copy
import functools
import types
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from jupyter_durable.records import NamedTuple
from jupyter_durable.serializer.canonical import OverBudgetError, Walk
from jupyter_durable.serializer.digest import value_digest
from jupyter_durable.serializer.digesting import Digesting
from jupyter_durable.serializer.encoders import record_shape
from jupyter_durable.serializer.instances import Shape, state_of
from jupyter_durable.serializer.parts import FLAT

__all__ = ["Shared", "value_digests"]

MOST_PARTS: Final = 64
"""What holds more is not looked into for shared objects."""
DEPTH: Final = 2
"""Parts of parts."""
MOST_SHARED: Final = 4096
"""So many shared objects are known at a time; each takes some 4 KiB at most."""
_SEQUENCES: Final = frozenset({list, tuple})
_BY_NAME: Final = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)
"""These are known by what they are called, or are looked at once for all walks."""


def value_digests(values: Sequence[Any], how: Digesting) -> list[tuple[bytes, int]]:
    """`value_digest` of each."""
    if len(values) < 2:
        return [value_digest(value, how) for value in values]
    own = copy.copy(how)
    own.together = Shared(how, values)
    found = []
    for value in values:
        digest, flags = value_digest(value, own)
        found.append((digest, flags))
        if flags:
            own.together = None
    return found


class _Seen(NamedTuple):
    """A shared object that was looked at."""

    value: Any
    """The object, which keeps its `id` from being another one's."""
    encoding: bytes
    work: float


class Shared:
    """What several values hold; `how` they are looked at."""

    def __init__(self, how: Digesting, values: Sequence[Any]) -> None:
        self._how = how
        self._values = values
        self._several: frozenset[int] | None = None
        """By `id`; None before the first value that is walked."""
        self._seen: dict[int, _Seen | None] = {}
        self._shapes: dict[type, Shape | None] = {}

    def bytes_of(self, parts: tuple[Any, ...]) -> bytes | None:
        """The canonical bytes of `parts`, made with what is known of shared objects; None where it says nothing."""
        if self._several is None:
            self._several = self._held_by_several()
        if not self._several:
            return None
        walk = Walk(self._how)
        known = [seen for value in parts for seen in self._known_in(value)]
        if not known or not self._several:
            return None
        for seen in known:
            walk.know(*seen)
        try:
            data = walk.bytes_of(parts)
        except OverBudgetError:
            return None
        return None if walk.weak or walk.reads else data

    def _held_by_several(self) -> frozenset[int]:
        counts: Counter[int] = Counter()
        for value in self._values:
            counts.update({id(part) for part in self._held(value)})
        return frozenset(key for key, count in counts.items() if count > 1)

    def _known_in(self, value: Any) -> Iterator[_Seen]:
        """What is known of the shared objects in `value`."""
        for part in self._held(value, self._several or frozenset()):
            if self._several and id(part) in self._several:
                seen = self._look(part)
                if seen is not None:
                    yield seen

    def _look(self, part: Any) -> _Seen | None:
        key = id(part)
        if key not in self._seen:
            if len(self._seen) >= MOST_SHARED:
                del self._seen[next(iter(self._seen))]
            self._seen[key] = self._looked_at(part)
        return self._seen[key]

    def _looked_at(self, part: Any) -> _Seen | None:
        walk = Walk(self._how)
        try:
            walk.bytes_of((part,))
        except OverBudgetError:
            return None
        finally:
            if walk.weak:  # it was asked, which may have changed any other one
                self._several = frozenset()
        if walk.weak or walk.cyclic or walk.reads:
            return None
        return _Seen(part, walk.known(part), walk.spent)

    # what a value holds

    def _held(self, value: Any, whole: frozenset[int] = frozenset()) -> Iterator[Any]:
        """The value, its parts, and theirs; not those of what is in `whole`, by `id`."""
        pending = [(value, DEPTH)]
        for part, depth in pending:  # grows while it is read
            if type(part) in FLAT or isinstance(part, _BY_NAME):
                continue
            yield part
            if depth and id(part) not in whole:
                pending += [(inner, depth - 1) for inner in self._parts(part)]

    def _parts(self, value: Any) -> Iterable[Any]:
        """What a short container, a partial or a record holds."""
        kind = type(value)
        if kind in _SEQUENCES:
            return value if len(value) <= MOST_PARTS else ()
        if kind is dict:
            return [*value.values()] if len(value) <= MOST_PARTS else ()
        if kind is functools.partial:
            return (*value.args, *value.keywords.values())
        if kind not in self._shapes:
            self._shapes[kind] = record_shape(kind)
        shape = self._shapes[kind]
        return () if shape is None else state_of(value, shape).values()
