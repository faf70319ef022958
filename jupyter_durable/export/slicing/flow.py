"""Which statements give a name its value at a place: reaching definitions over the statements of a notebook.

Rules of this file
- The order is that of the cells. A statement that may bind a name adds to what was there, one that surely binds it
  replaces it.
- What a cell below binds is seen by a statement above only where nothing above does: then the cells were run in another
  order than they stand in, and the definition is moved up.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence

from jupyter_durable.export.slicing.cells import Statement
from jupyter_durable.export.slicing.reading import globals_bound


class Flow:
    """The bindings of all statements that may go in."""

    def __init__(self, statements: Sequence[Statement], stars: Mapping[int, Collection[str] | None]) -> None:
        """`stars`: by its place what a `from module import *` binds; None where that is not known."""
        by_calls = _bound_by_calls(statements)
        self._binders: dict[str, list[Statement]] = {}
        self._places: dict[str, list[int]] = {}
        self._unknown: list[Statement] = []
        for statement in statements:
            names = statement.reading.binds | statement.reading.deletes | by_calls.get(statement.place, frozenset())
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

        The last one first; none where it was deleted.
        """
        found: list[Statement] = []
        for statement in self._above(name, place):
            if name in statement.reading.deletes:
                break
            found.append(statement)
            if name in statement.reading.surely or _is_star(statement, name):
                break
        return found

    def deleted(self, name: str, place: int | None) -> Statement | None:
        """The `del` after which nothing binds a name before `place`."""
        last = next(iter(self._above(name, place)), None)
        return last if last is not None and name in last.reading.deletes else None

    def _above(self, name: str, place: int | None) -> Iterator[Statement]:
        """All that binds or deletes a name before `place`, the last one first."""
        binders = self._binders.get(name, [])
        end = len(binders) if place is None else bisect_left(self._places[name], place) if binders else 0
        return (binders[at] for at in range(end - 1, -1, -1))

    def after(self, name: str, place: int) -> list[Statement]:
        """The definition of a name below `place`, as it is at the end: for one that has none above."""
        if self.deleted(name, place) is not None:
            return []
        return [each for each in self.before(name, None) if each.place > place]


def _bound_by_calls(statements: Sequence[Statement]) -> dict[int, frozenset[str]]:
    """Names that only a function binds (`global model`), by the places of the statements that call it."""
    bound = frozenset(name for each in statements for name in each.reading.binds)
    made = {
        name: frozenset(globals_bound(each.node)) - bound
        for each in statements
        if isinstance(each.node, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in each.reading.binds
    }
    found: dict[int, frozenset[str]] = {}
    for each in statements:
        names = frozenset(name for called in each.reading.called for name in made.get(called, ()))
        if names and not isinstance(each.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[each.place] = names
    return found


def _is_star(statement: Statement, name: str) -> bool:
    return statement.reading.star is not None and name not in statement.reading.binds
