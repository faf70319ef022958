"""From the roots backwards: which statements are needed, by whom, and in which order they must stand.

Rules of this file
- A name that a function reads has the value that it has at the end of the notebook; one that is read when a statement
  runs has the value of that place. What a call at import reaches counts there, too.
- What cannot go in is noted as a problem, and not followed: one cause is told once.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from jupyter_durable.export.slicing import problems
from jupyter_durable.export.slicing.cells import Split, Statement
from jupyter_durable.export.slicing.changes import Change
from jupyter_durable.export.slicing.flow import Flow
from jupyter_durable.export.slicing.problems import Problem

_ALWAYS: Final = frozenset({*dir(builtins), "__name__", "__file__", "__doc__", "__builtins__", "__annotations__"})
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(slots=True)
class Kept:
    """A statement that goes in."""

    statement: Statement
    why: str = ""
    names: set[str] = field(default_factory=set)
    """Those of its names that are needed."""
    readers: dict[str, None] = field(default_factory=dict)
    after: set[int] = field(default_factory=set)
    """Places of statements that must run before it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user decided beyond tags and comments."""

    include: Collection[str] = ()
    bundled: Collection[str] = ()


class Slicer:
    """One slice."""

    def __init__(
        self,
        split: Split,
        flow: Flow,
        asked: Asked,
        cost: Callable[[Statement], str | None],
        changes: Mapping[int, Sequence[Change]],
    ) -> None:
        """`cost`: what a statement runs that is not cheap; `changes`: what each changes in place, by its place."""
        self._split = split
        self._flow = flow
        self._asked = asked
        self._cost = cost
        self._changes = changes
        self._pending: list[Kept] = []
        self._called: set[tuple[int, int]] = set()
        self.kept: dict[int, Kept] = {}
        self.problems: list[Problem] = []
        self.bundled: dict[str, None] = {}
        """Names that are needed, and bundled."""

    def walk(self, roots: Iterable[str]) -> None:
        """Keep the roots, what was marked, and all that these need."""
        for name in dict.fromkeys(roots):
            for statement in self._flow.before(name, None):
                self._keep(statement, name, None, "it is exported")
        for statement in self._split.statements:
            if isinstance(statement.node, ast.ImportFrom) and statement.node.module == "__future__":
                self._keep(statement, None, None, "it decides how the module is read")
            if self.is_included(statement):
                names = statement.reading.binds
                self._keep(statement, None, None, "it is marked to be included")
                if statement.place in self.kept:
                    self.kept[statement.place].names |= names
        while self._pending:
            self._follow(self._pending.pop())

    def is_included(self, statement: Statement) -> bool:
        """Whether the user said that a statement goes in."""
        changed = {change.name for change in self._changes.get(statement.place, ())}
        named = not (statement.reading.binds | changed).isdisjoint(self._asked.include)
        return statement.ruling == "include" or (named and statement.ruling is None)

    def _keep(self, statement: Statement, name: str | None, reader: Kept | None, why: str = "") -> None:
        kept = self.kept.get(statement.place)
        if kept is None:
            if self._stopped(statement, name, reader):
                return
            kept = self.kept[statement.place] = Kept(statement, why)
            self._pending.append(kept)
        if name is not None:
            kept.names.add(name)
        if reader is not None:
            kept.readers[label(reader.statement)] = None

    def _follow(self, kept: Kept) -> None:
        reading, place = kept.statement.reading, kept.statement.place
        for name in sorted(reading.now):
            self._need(name, place, kept)
        for name in sorted(reading.later):
            self._need(name, None, kept)
        for name in sorted(reading.guarded):
            self._need(name, place, kept, soft=True)
        for name in sorted(reading.hints):
            self._need(name, None, kept, soft=True)
        for name in [*sorted(reading.called), *sorted(reading.given - reading.called)]:
            for statement in self._flow.before(name, place) or self._flow.after(name, place):
                self._reach(statement, kept, sure=name in reading.called)

    def _reach(self, called: Statement, kept: Kept, *, sure: bool) -> None:
        """What a statement calls reads its names at the place of the call."""
        place = kept.statement.place
        if (called.place, place) in self._called or called.place == place:
            return
        self._called.add((called.place, place))
        for name in sorted(called.reading.later):
            found = self._flow.before(name, place) or (self._flow.after(name, place) if sure else [])
            for statement in found if name not in self._asked.bundled else ():
                self._keep(statement, name, self.kept.get(called.place))
                if statement.place != place:
                    kept.after.add(statement.place)
                self._reach(statement, kept, sure=sure)

    def _need(self, name: str, place: int | None, reader: Kept, *, soft: bool = False) -> None:
        if name in self._asked.bundled:
            self.bundled[name] = None
            return
        found = self._flow.before(name, place)
        if not found and place is not None and not soft and name not in _ALWAYS:
            found = self._flow.after(name, place)
        if not found and not soft and (gone := self._flow.deleted(name, place)) is not None:
            cell, who = reader.statement.number, label(reader.statement)
            self.problems.append(problems.deleted(name, cell, who, gone.number))
            return
        for statement in found:
            self._keep(statement, name, reader)
            if place is not None and statement.place != place:
                reader.after.add(statement.place)
        if not found and name not in _ALWAYS and not soft:
            self._missing(name, place, reader)

    def _missing(self, name: str, place: int | None, reader: Kept) -> None:
        if self._flow.unknown_stars:
            for statement in self._flow.unknown_stars:
                self._keep(statement, name, reader)
                if place is not None:
                    reader.after.add(statement.place)
            return
        cell, who = reader.statement.number, label(reader.statement)
        for left in [*self._split.left, *self._split.hidden]:
            if name in left.binds:
                self.problems.append(problems.bound_where_left_out(name, cell, who, left.cell.number, left.why))
                return
        for statement in self._split.statements:
            if statement.ruling == "exclude" and name in statement.reading.binds:
                self.problems.append(problems.excluded(name, cell, who, statement.number))
                return
        self.problems.append(problems.unresolved(name, cell, who, [*self._flow.names, *dir(builtins)]))

    def _stopped(self, statement: Statement, name: str | None, reader: Kept | None) -> bool:
        """Whether a statement cannot go in; the problem is noted."""
        who = label(reader.statement) if reader is not None else "the export"
        what = name or min(statement.reading.binds, default="its value")
        if statement.refusal:
            self.problems.append(problems.not_python(what, statement.number, who, statement.shown, statement.refusal))
            return True
        if statement.reading.awaits and not isinstance(statement.node, _DEFINITIONS):
            self.problems.append(problems.awaited(what, statement.number, who, statement.shown))
            return True
        by = None if self.is_included(statement) else self._cost(statement)
        if by is not None:
            self.problems.append(problems.computed(what, statement.number, who, statement.shown, by))
        return by is not None

    def lost_changes(self) -> list[Problem]:
        """Problems: statements that are left out, and change what goes in."""
        found: list[Problem] = []
        for statement in self._split.statements:
            if statement.place in self.kept:
                continue
            for change in self._changes.get(statement.place, ()):
                kept = self._kept_values(change.name, statement.place)
                if kept and change.name not in self._asked.bundled:
                    found.append(_lost(change, statement, kept))
        return found

    def _kept_values(self, name: str, place: int) -> list[Kept]:
        """What goes in of the definitions that a name has at a place; of those below it where none is above."""
        values = self._flow.before(name, place) or self._flow.after(name, place)
        return [self.kept[each.place] for each in values if each.place in self.kept]

    def moved(self, order: Sequence[Kept]) -> list[int]:
        """Places of statements that stand above what is above them in the notebook."""
        places = [kept.statement.place for kept in order]
        return [place for at, place in enumerate(places) if any(later < place for later in places[at + 1 :])]

    def order(self) -> list[Kept]:
        """What is kept, in the order of the notebook, but for what must stand above its reader."""
        made: dict[int, Kept] = {}
        for place in sorted(self.kept):
            self._emit(place, made, [])
        return list(made.values())

    def _emit(self, place: int, made: dict[int, Kept], path: list[int]) -> None:
        kept = self.kept.get(place)
        if place in made or kept is None:
            return
        if place in path:
            cells = [self.kept[each].statement.number for each in path[path.index(place) :]]
            self.problems.append(problems.circle(sorted(set(cells))))
            return
        for before in sorted(kept.after):
            self._emit(before, made, [*path, place])
        made.setdefault(place, kept)


def _lost(change: Change, statement: Statement, kept: Sequence[Kept]) -> Problem:
    readers = list(dict.fromkeys(reader for each in kept for reader in each.readers)) or [change.name]
    if all(isinstance(each.statement.node, ast.Import | ast.ImportFrom) for each in kept):
        return problems.module_changed(change.name, statement.number, readers, statement.shown)
    return problems.changed(change.name, statement.number, readers, statement.shown, change.how)


def label(statement: Statement) -> str:
    """How a statement is named to others: by what it binds, else by its first line."""
    names = sorted(statement.reading.binds)
    return problems.listed(names) if names else f"`{problems.shown(statement.code)}`"
