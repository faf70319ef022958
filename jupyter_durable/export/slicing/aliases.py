"""Names that may have the same value as another, or a part of it: `b = a`, `for b in (a, c)`, `b = a["part"]`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from jupyter_durable.code.statements import binds
from jupyter_durable.export.slicing.reading import at_once

_KEEPS: Final = frozenset({"get", "setdefault", "values", "items", "pop"})
"""Methods that give a part of what they are called on."""
_PASSES: Final = frozenset({"zip", "enumerate", "reversed", "sorted", "list", "tuple", "iter", "next", "filter"})
"""Builtins whose result holds what they are given."""


def aliases_after(node: ast.stmt, aliases: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """For each name, the other names that may have the same value, after a statement."""
    gone = binds(node)
    made = {name: left for name, same in aliases.items() if name not in gone and (left := same - gone)}
    made.update(aliases_within(node, aliases))
    return made


def aliases_within(node: ast.stmt, aliases: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The same, of what a statement binds itself."""
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
