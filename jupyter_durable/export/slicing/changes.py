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
from jupyter_durable.code.scopes import changes_outside, parameters, parameters_changed
from jupyter_durable.code.statements import binds
from jupyter_durable.export.slicing.cells import Statement
from jupyter_durable.export.slicing.flow import Flow
from jupyter_durable.export.slicing.imports import Imports
from jupyter_durable.export.slicing.own import OwnClasses
from jupyter_durable.export.slicing.reading import at_once, root_name

_CHANGING: Final = re.compile(
    r"(?:add|append|attach|clear|delete|discard|extend|fit|freeze|ingest|insert|optimi[sz]e|partial_fit|pop|populate|push|put"
    r"|register|remove|reset|reverse|set|setdefault|shuffle|train|unfreeze|update|upsert)(?:_\w+)?|\w+_"
)
"""Methods that change what they are called on, wherever they stand. `weights.zero_()` is torch's way to say so."""
_LOOKING: Final = re.compile(
    r"(?:agg|all|any|apply|as|ask|astype|batch|call|chat|close|complete|completion|compute|copy|corr|count|create|describe"
    r"|display|draw|dropna|drop|dump|encode|decode|evaluate|explain|export|fillna|filter|find|flush|format|from|generate|get"
    r"|group|groupby|has|head|hist|index|info|invoke|is|isna|item|iter|join|json|key|list|local|lookup|map|max|mean|median"
    r"|merge|min|next|nlargest|nunique|parse|plot|predict|preview|print|profile|query|rank|raw|read|reduce|render|replay"
    r"|report|request|result|round|run|sample|save|savefig|score|search|select|send|shape|show|size|sort|split|start|stat"
    r"|stop|stream|str|sum|summary|tail|test|transform|translate|tree|unique|validate|value|view|visuali[sz]e|wait|where"
    r"|ainvoke|astream|abatch)s?|(?:to|is|as|has|get|with|from|value|sort|plot|print|run|describe|list|find|show|save)_\w+"
)
"""Methods that look, ask or make something new, where nothing else is said."""
_KEEPS: Final = frozenset({"get", "setdefault", "values", "items", "pop"})
"""Methods that give a part of what they are called on."""
_PASSES: Final = frozenset({"zip", "enumerate", "reversed", "sorted", "list", "tuple", "iter", "next", "filter"})
"""Builtins whose result holds what they are given."""
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

    def of(self, statement: Statement, aliases: Mapping[str, frozenset[str]]) -> list[Change]:
        """What a statement changes when it runs. `aliases`: names whose value another name may have, too."""
        node = statement.node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            return []
        known = {**aliases, **_inner_aliases(node, aliases)}
        found: dict[str, Change] = {}
        for changed, how in self._changed(node, statement):
            for name in sorted(known.get(changed, frozenset()) | {changed}):
                same = how if name == changed else f"{how}, and with it {name}"
                found.setdefault(name, Change(name, same))
        return list(found.values())

    def _changed(self, node: ast.stmt, statement: Statement) -> Iterator[tuple[str, str]]:
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
        if any(isinstance(kind, ast.FunctionDef | ast.AsyncFunctionDef) for kind in kinds):
            return False
        if _CHANGING.fullmatch(method):
            return True
        is_class = any(isinstance(kind, ast.ClassDef | ast.Import | ast.ImportFrom) for kind in kinds)
        return discarded and not is_class and not _LOOKING.fullmatch(method)

    def _values(self, name: str, statement: Statement) -> list[ast.stmt]:
        """The statements that bind what a name is at a place."""
        return [each.node for each in self._flow.before(name, statement.place) or self._flow.binders(name)]

    def _by_own(self, call: ast.Call, statement: Statement) -> Iterator[tuple[str, str]]:
        """A function of the notebook that changes a global, or what it is given."""
        assert isinstance(call.func, ast.Name)
        called = call.func.id
        for each in self._flow.before(called, statement.place) or self._flow.binders(called):
            node = each.node
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if self._imports.decorated(node, "function", "application"):
                continue
            for name in sorted(changes_outside(node)):
                yield name, f"changes {name} (in {called})"
            changed = parameters_changed(node)
            for parameter, value in _arguments(node, call):
                given = root_name(value) if isinstance(value, ast.Name | ast.Attribute) else None
                if parameter in changed and given is not None:
                    yield given, f"changes {given} (in {called})"

    def _is_module(self, node: ast.expr) -> bool:
        imported = isinstance(node, ast.Name) and self._imports.names.get(node.id) is not None
        return imported or self._is_setting(node)

    def _is_setting(self, node: ast.expr) -> bool:
        inner: ast.expr = node
        while isinstance(inner, ast.Subscript):
            inner = inner.value
        dotted = self._imports.dotted(inner) or ""
        return bool(_SETTINGS.match(dotted)) or dotted in _PROCESS


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """(parameter, value) of a call, as far as they can be told apart."""
    names = [each.arg for each in [*node.args.posonlyargs, *node.args.args]]
    known = {each.arg for each in parameters(node)}
    for name, value in zip(names, call.args, strict=False):
        if isinstance(value, ast.Starred):
            return
        yield name, value
    yield from ((word.arg, word.value) for word in call.keywords if word.arg in known and word.arg is not None)


def aliases_after(node: ast.stmt, aliases: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """For each name, the other names that may have the same value, after a statement."""
    gone = binds(node)
    made = {name: left for name, same in aliases.items() if name not in gone and (left := same - gone)}
    made.update(_inner_aliases(node, aliases))
    return made


def _inner_aliases(node: ast.stmt, aliases: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    made: dict[str, frozenset[str]] = {}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return made
    for target, value in _bindings(node):
        same = frozenset(_shared(value))
        known = {**aliases, **made}
        same = same.union(*(known.get(name, frozenset()) for name in same))
        for part in ast.walk(target):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store) and same - {part.id}:
                made[part.id] = made.get(part.id, frozenset()) | (same - {part.id})
    return made


def _bindings(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    """(target, value) of all that binds in a statement, in order."""
    for part in sorted(at_once(node), key=lambda part: (getattr(part, "lineno", 0), getattr(part, "col_offset", 0))):
        if isinstance(part, ast.Assign):
            for target in part.targets:
                yield from _pairs(target, part.value)
            names = [target for target in part.targets if isinstance(target, ast.Name)]
            yield from ((target, ast.Name(names[0].id, ast.Load())) for target in names[1:])
        elif isinstance(part, ast.AnnAssign | ast.NamedExpr) and part.value is not None:
            yield part.target, part.value
        elif isinstance(part, ast.For | ast.AsyncFor | ast.comprehension):
            yield part.target, part.iter
        elif isinstance(part, ast.withitem) and part.optional_vars is not None:
            yield part.optional_vars, part.context_expr


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    inner = target.elts if isinstance(target, ast.Tuple | ast.List) else []
    given = value.elts if isinstance(value, ast.Tuple | ast.List) else []
    if inner and len(inner) == len(given):
        for part, its in zip(inner, given, strict=True):
            yield from _pairs(part, its)
    else:
        yield target, value


def _shared(value: ast.expr) -> Iterator[str]:
    """Names of which an expression gives the value, or a part of it."""
    if isinstance(value, ast.Name):
        yield value.id
    elif isinstance(value, ast.Attribute | ast.Subscript | ast.Starred | ast.Await | ast.NamedExpr):
        yield from _shared(value.value)
    elif isinstance(value, ast.IfExp):
        yield from (*_shared(value.body), *_shared(value.orelse))
    elif isinstance(value, ast.BoolOp):
        yield from (name for part in value.values for name in _shared(part))
    elif isinstance(value, ast.List | ast.Tuple | ast.Set):
        yield from (name for part in value.elts for name in _shared(part))
    elif isinstance(value, ast.Dict):
        yield from (name for part in value.values for name in _shared(part))
    elif isinstance(value, ast.Call):
        if isinstance(value.func, ast.Name) and value.func.id in _PASSES:
            yield from (name for part in value.args for name in _shared(part))
        elif isinstance(value.func, ast.Attribute) and value.func.attr in _KEEPS:
            yield from _shared(value.func.value)
