"""What a piece of cell source binds, reads and calls: pure functions over its tree.

Rules of this file
- Nothing is executed and nothing is looked up; source that is no Python answers with nothing.
- Only top-level statements count as binding: what a function assigns is its own.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from jupyter_durable.code.texts import first_line, may_name, parsed

VERBS: Final = frozenset({"map", "reduce", "future"})
"""`name.map(...)` and the like are calls of `name`."""
_REPEATS: Final = (
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.Lambda,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Try,
    ast.TryStar,
)


def names_read(body_source: str) -> frozenset[str]:
    """Names that are read or deleted anywhere in the source, builtins included."""
    tree = parsed(body_source)
    nodes = ast.walk(tree) if tree is not None else ()
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store))


def attributes(source: str) -> frozenset[str]:
    """Names of all attributes in the source."""
    tree = parsed(source)
    return frozenset(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)) if tree else frozenset()


def top_level_bindings(source: str) -> frozenset[str]:
    """Names that running the source binds: assignments, imports, definitions, loops, `with`, walrus, `match`."""
    tree = parsed(source)
    return frozenset(name for statement in tree.body for name in binds(statement)) if tree is not None else frozenset()


def binding_statement(name: str, sources: Iterable[str]) -> str | None:
    """The statement that binds a name, as written, decorators included.

    `sources` are cell texts, the newest first; the last binding of the first source that has one is taken.
    """
    for source in sources:
        tree = parsed(source) if may_name(source, name) else None
        for statement in reversed(tree.body if tree is not None else []):
            if name in binds(statement):
                return _segment(source, statement)
    return None


def imported(statement: str, name: str) -> tuple[str, str | None] | None:
    """(module, attribute) when the statement imports `name`, attribute None for a module; else None."""
    tree = parsed(statement)
    node = tree.body[0] if tree is not None and len(tree.body) == 1 else None
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.asname == name:
                return alias.name, None
            if alias.asname is None and alias.name.split(".")[0] == name:
                return name, None
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return next(((node.module, alias.name) for alias in node.names if (alias.asname or alias.name) == name), None)
    return None


def once_called(body_source: str) -> frozenset[str]:
    """Names that the source calls exactly once, where that call can happen only once.

    The call is `name(...)` or `name.map(...)`, `.reduce`, `.future`, outside of loops, comprehensions, lambdas, `def`,
    `class` and `try`, and the name stands nowhere else.
    """
    tree = parsed(body_source)
    if tree is None:
        return frozenset()
    mentions = Counter(_mentioned(tree))
    return frozenset(name for name in _plain_calls(tree) if mentions[name] == 1)


def _mentioned(tree: ast.AST) -> Iterator[str]:
    """Every mention of a name, however it is used."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.ExceptHandler) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest


def _plain_calls(node: ast.AST) -> Iterator[str]:
    """Names called where a call happens at most once per execution of the source."""
    if isinstance(node, _REPEATS):
        return
    if isinstance(node, ast.Call):
        target = node.func
        while isinstance(target, ast.Attribute) and target.attr in VERBS:
            target = target.value
        if isinstance(target, ast.Name):
            yield target.id
    for child in ast.iter_child_nodes(node):
        yield from _plain_calls(child)


def binds(statement: ast.AST) -> set[str]:
    """Names a statement binds in the scope it stands in."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Lambda):
        return set()
    if isinstance(statement, ast.Import):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    if isinstance(statement, ast.ImportFrom):
        return {alias.asname or alias.name for alias in statement.names}
    names = {statement.id} if isinstance(statement, ast.Name) and isinstance(statement.ctx, ast.Store) else set()
    if isinstance(statement, ast.MatchAs | ast.MatchStar) and statement.name:
        names.add(statement.name)
    if isinstance(statement, ast.MatchMapping) and statement.rest:
        names.add(statement.rest)
    comprehension = isinstance(statement, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
    for child in ast.iter_child_nodes(statement):
        if not (comprehension and isinstance(child, ast.comprehension)):
            names |= binds(child)
    return names


def _segment(source: str, statement: ast.stmt) -> str:
    first = first_line(statement)
    if first == statement.lineno:
        return ast.get_source_segment(source, statement) or ""
    return "\n".join(source.splitlines()[first - 1 : statement.end_lineno])
