"""What in an argument differs, or cannot be compared: the path to it, for a notice.

Rules of this file
- It runs once for a function that ran again, and looks at a bounded number of parts in a bounded time: what is over the
  budget of a digest has any number of parts that are nearly so. When the time is spent, the path so far is told.
- Only paths and types are told, never values: an argument may hold a credential.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from jupyter_durable.records import NamedTuple
from jupyter_durable.serializer.digest import value_digest
from jupyter_durable.serializer.digesting import Digesting
from jupyter_durable.serializer.explain import parts_of
from jupyter_durable.serializer.pickler import describe

__all__ = ["Comparing", "Difference", "difference", "incomparable"]

MAX_STEPS: Final = 50
MAX_PARTS: Final = 1_000
BUDGETS: Final = 4
"""So many times the budget of one digest may an explanation take."""
_NOTHING: Final = object()


class Difference(NamedTuple):
    """A part in which two values differ."""

    path: str
    """From the name of the argument on: `trial._start`, `config['seed']`."""
    kind: str
    """The type of the part, or of both where they are of two."""


class Comparing:
    """Compares parts, as long as there is time for one explanation.

    `clock` gives seconds; that of this thread's processor time does not run while others use the machine.
    """

    __slots__ = ("_clock", "_how", "_until")

    def __init__(self, how: Digesting, clock: Callable[[], float] = time.thread_time) -> None:
        self._how = how
        self._clock = clock
        self._until = clock() + BUDGETS * how.budget

    @property
    def spent(self) -> bool:
        """Whether nothing more is looked at."""
        return self._clock() >= self._until

    def digest(self, value: Any) -> tuple[bytes, int]:
        """As `value_digest`."""
        return value_digest(value, self._how)

    def knows(self, value: Any) -> bool:
        """Whether the value equals itself."""
        return self.digest(value)[0] == self.digest(value)[0]


def difference(name: str, then: Any, now: Any, by: Comparing) -> Difference | None:
    """The first part in which `now` differs from `then`, as deep as it goes; None where nothing differs.

    A part that can be compared comes before one that cannot.
    """
    if by.digest(then) == by.digest(now):
        return None
    path = name
    for _ in range(MAX_STEPS):
        step = None if type(then) is not type(now) else _step(then, now, by)
        if step is None:
            break
        label, then, now = step
        path += label
    return Difference(path, _kinds(then, now))


def incomparable(name: str, value: Any, by: Comparing) -> Difference | None:
    """The first part that equals nothing, not even itself; None where there is none."""
    if by.knows(value):
        return None
    path = name
    seen = {id(value): value}
    for _ in range(MAX_STEPS):
        parts = [(label, part) for label, part in _labelled(value).items() if id(part) not in seen]
        step = next(((label, part) for label, part in parts if not (by.spent or by.knows(part))), None)
        if step is None:
            break
        path, value = path + step[0], step[1]
        seen[id(value)] = value  # a path that comes back to where it was says nothing more
    return Difference(path, describe(value))


def _step(then: Any, now: Any, by: Comparing) -> tuple[str, Any, Any] | None:
    before, after = _labelled(then), _labelled(now)
    unsure = None
    for label in dict.fromkeys((*before, *after)):
        if by.spent:
            break
        one, other = before.get(label, _NOTHING), after.get(label, _NOTHING)
        if one is _NOTHING or other is _NOTHING:
            return label, one, other
        first, second = by.digest(one), by.digest(other)
        if first[0] == second[0]:
            continue
        if not first[1] and not second[1]:
            return label, one, other
        unsure = unsure or (label, one, other)
    return unsure


def _labelled(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for label, part in parts_of("", value):
        if len(found) >= MAX_PARTS:
            break
        found[label] = part
    return found


def _kinds(then: Any, now: Any) -> str:
    if then is _NOTHING or now is _NOTHING:
        return "it is new" if then is _NOTHING else "it is gone"
    before, after = describe(then), describe(now)
    return before if before == after else f"{before}, now {after}"
