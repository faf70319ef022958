"""Which statements give a name its value at a place: reaching definitions over the statements of a notebook.

Rules of this file
- The order is that of the cells. A statement that may bind a name adds to what was there, one that surely binds it
  replaces it.
- What a cell below binds is seen by a statement above only where nothing above does: then the cells were run in another
  order than they stand in, and the definition is moved up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence

from jupyter_durable.export.slicing.cells import Statement


class Flow:
    """The bindings of all statements that may go in."""

    def __init__(self, statements: Iterable[Statement], stars: Mapping[int, Collection[str] | None]) -> None:
        """`stars`: by its place what a `from module import *` binds; None where that is not known."""
        self._binders: dict[str, list[Statement]] = {}
        self._places: dict[str, list[int]] = {}
        self._unknown: list[Statement] = []
        for statement in statements:
            names = statement.reading.binds | statement.reading.deletes
            if statement.reading.star is not None:
                known = stars.get(statement.place)
                names |= frozenset(known or ())
                if known is None:
                    self._unknown.append(statement)
            for name in names:
                self._binders.setdefault(name, []).append(statement)
                self._places.setdefault(name, []).append(statement.place)

    @property
    def names(self) -> Collection[str]:
        """All names that are bound anywhere."""
        return self._binders.keys()

    @property
    def unknown_stars(self) -> Sequence[Statement]:
        """Star imports that may bind anything."""
        return self._unknown

    def binders(self, name: str) -> Sequence[Statement]:
        """All statements that bind a name, in order."""
        return self._binders.get(name, ())

    def before(self, name: str, place: int | None) -> list[Statement]:
        """The definitions that a name may have before the statement at `place`; None: at the end of the notebook.

        The last one first. A `del` among them means that the name may be gone.
        """
        binders = self._binders.get(name, [])
        end = len(binders) if place is None else bisect_left(self._places[name], place) if binders else 0
        found: list[Statement] = []
        for statement in reversed(binders[:end]):
            found.append(statement)
            if name in statement.reading.surely or name in statement.reading.deletes or _is_star(statement, name):
                break
        return found

    def after(self, name: str, place: int) -> list[Statement]:
        """The definition of a name below `place`, as it is at the end: for one that has none above."""
        return [each for each in self.before(name, None) if each.place > place]


def _is_star(statement: Statement, name: str) -> bool:
    return statement.reading.star is not None and name not in statement.reading.binds
