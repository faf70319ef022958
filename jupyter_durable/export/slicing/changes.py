"""State that is made by mutation: statements that change the value of a name without binding it.

Rules of this file
- What counts is decided by looks, since nothing is run: assignments to items and attributes, `del` of them, methods
  that are known to change (`append`, `fit`, `add_node`), unknown methods whose value nobody takes, and calls of
  functions of the notebook that change a global or what they are given. Calls of durable functions do not count.
- Passing a value to a function of a library does not count, but for those of `heapq`, `bisect` and `random.shuffle`.
- A second name for the same value is the same value: `b = a`, `for b in (a, c)`, `with a as b`, `b = a["part"]`.
- A module is no state, but for assignments to its attributes and items.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_durable.code.changes import changed_in_place
from jupyter_durable.export.slicing.aliases import aliases_after, aliases_within
from jupyter_durable.export.slicing.cells import Statement
from jupyter_durable.export.slicing.effects import Effects
from jupyter_durable.export.slicing.flow import Flow
from jupyter_durable.export.slicing.imports import Imports
from jupyter_durable.export.slicing.methods import CHANGING, LOOKING
from jupyter_durable.export.slicing.own import OwnClasses
from jupyter_durable.export.slicing.reading import at_once, root_name

_SETTINGS: Final = re.compile(
    r"(?:pandas\.(?:options|set_option)|matplotlib|seaborn|plotly|bokeh|altair|IPython|warnings)\b"
)
"""What only decides how something looks in the notebook."""
_PROCESS: Final = frozenset({"os.environ", "sys.path", "sys.modules", "sys.argv"})
"""What belongs to the process: the export has its own."""
_FUNCTIONS: Final = frozenset({"random.shuffle", "numpy.random.shuffle"})


@dataclass(frozen=True, slots=True)
class Change:
    """One name whose value a statement changes."""

    name: str
    how: str
    """`changes model`, as it goes on behind the statement: "…, which app needs"."""


def changes_in(statements: Sequence[Statement], imports: Imports, flow: Flow) -> dict[int, list[Change]]:
    """What each statement changes, by its place; those that were excluded are not asked."""
    reader = ChangeReader(imports, flow)
    aliases: dict[str, frozenset[str]] = {}
    found: dict[int, list[Change]] = {}
    for statement in statements:
        if statement.ruling != "exclude":
            found[statement.place] = reader.of(statement, aliases)
            aliases = aliases_after(statement.node, aliases)
    return found


class ChangeReader:
    """What the statements of one notebook change."""

    def __init__(self, imports: Imports, flow: Flow) -> None:
        self._imports = imports
        self._flow = flow
        self._own = OwnClasses(flow)
        self._effects = Effects(imports, flow)

    def of(self, statement: Statement, aliases: Mapping[str, frozenset[str]]) -> list[Change]:
        """What a statement changes when it runs. `aliases`: names whose value another name may have, too."""
        node = statement.node
        known = {**aliases, **aliases_within(node, aliases)}
        found: dict[str, Change] = {}
        for changed, how in self._changed(node, statement):
            for name in sorted(known.get(changed, frozenset()) | {changed}):
                same = how if name == changed else f"{how}, and with it {name}"
                found.setdefault(name, Change(name, same))
        return list(found.values())

    def _changed(self, node: ast.stmt, statement: Statement) -> Iterator[tuple[str, str]]:
        for decorator in getattr(node, "decorator_list", []):
            if isinstance(decorator, ast.Name):  # it is called with what it decorates
                yield from self._by_own(ast.Call(decorator, [], []), statement)
        discarded = {id(part.value) for part in at_once(node) if isinstance(part, ast.Expr)}
        for part in at_once(node):
            if isinstance(part, ast.Subscript | ast.Attribute) and not isinstance(part.ctx, ast.Load):
                name = root_name(part.value)
                if name is not None and not self._is_setting(part):
                    yield name, f"changes {name}"
            elif isinstance(part, ast.Call):
                yield from self._by_call(part, statement, discarded=id(part) in discarded)

    def _by_call(self, call: ast.Call, statement: Statement, *, discarded: bool) -> Iterator[tuple[str, str]]:
        held = changed_in_place(call)
        dotted = self._imports.dotted(call.func)
        if held is None and dotted in _FUNCTIONS and call.args:
            held = call.args[0]
        name = root_name(held) if held is not None else None
        if name is not None and held is not None and not self._is_module(held):
            yield name, f"changes {name}"
        elif dotted is None and isinstance(call.func, ast.Attribute):
            name, method = root_name(call.func.value), call.func.attr
            direct = isinstance(call.func.value, ast.Name)
            own = self._own.changes(self._values(name, statement), method) if name is not None and direct else None
            if name is not None and own:
                yield name, f"changes {name} (by .{method}())"
            elif name is not None and own is None and self._may_change(name, method, statement, discarded=discarded):
                yield name, f"may change {name} (by .{method}())"
        if isinstance(call.func, ast.Name):
            yield from self._by_own(call, statement)

    def _may_change(self, name: str, method: str, statement: Statement, *, discarded: bool) -> bool:
        kinds = self._values(name, statement)
        if any(isinstance(kind, ast.FunctionDef | ast.AsyncFunctionDef) for kind in kinds) or self._are_loggers(kinds):
            return False
        if CHANGING.fullmatch(method):
            return True
        is_class = any(isinstance(kind, ast.ClassDef | ast.Import | ast.ImportFrom) for kind in kinds)
        return discarded and not is_class and not LOOKING.fullmatch(method)

    def _are_loggers(self, kinds: list[ast.stmt]) -> bool:
        """How much is logged is a setting, and no state."""
        made = [kind.value.func for kind in kinds if isinstance(kind, ast.Assign) and isinstance(kind.value, ast.Call)]
        return bool(made) and all(self._imports.dotted(each) == "logging.getLogger" for each in made)

    def _values(self, name: str, statement: Statement) -> list[ast.stmt]:
        """The statements that bind what a name is at a place."""
        return [each.node for each in self._flow.before(name, statement.place) or self._flow.binders(name)]

    def _by_own(self, call: ast.Call, statement: Statement) -> Iterator[tuple[str, str]]:
        """A function of the notebook that changes a global, or what it is given."""
        assert isinstance(call.func, ast.Name)
        called = call.func.id
        for each in self._flow.before(called, statement.place) or self._flow.binders(called):
            for name in [*sorted(self._effects.of(each).outside), *self._effects.given(each, call)]:
                yield name, f"changes {name} (in {called})"

    def _is_module(self, node: ast.expr) -> bool:
        imported = isinstance(node, ast.Name) and self._imports.names.get(node.id) is not None
        return imported or self._is_setting(node)

    def _is_setting(self, node: ast.expr) -> bool:
        inner: ast.expr = node
        while isinstance(inner, ast.Subscript):
            inner = inner.value
        dotted = self._imports.dotted(inner) or ""
        return bool(_SETTINGS.match(dotted)) or dotted in _PROCESS
