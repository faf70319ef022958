"""What a piece of source reads and changes in place: pure functions over its tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

_CHANGING: Final = frozenset(
    name
    for kind in (list, dict, set, bytearray)
    for name in dir(kind)
    if not hasattr(tuple, name) and not hasattr(frozenset, name) and not hasattr(bytes, name)
) - {"get", "items", "keys", "values", "fromkeys"}
"""Methods by which builtin containers are changed in place."""


def names_in(tree: ast.AST) -> list[str]:
    """Every name that is read anywhere in a piece of source, in order."""
    found = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return list(dict.fromkeys(found))


def names_changed(tree: ast.AST) -> set[str]:
    """Names whose value a piece of source changes in place: `name[…] = …`, `name.x = …`, `name.append(…)`."""
    return {held.id for held in _changed(tree) if isinstance(held, ast.Name)}


def attributes_changed(tree: ast.AST) -> set[str]:
    """Names of attributes that a piece of source assigns or changes in place."""
    assigned = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    }
    return assigned | {held.attr for held in _changed(tree) if isinstance(held, ast.Attribute)}


def _changed(tree: ast.AST) -> Iterator[ast.expr]:
    """What a piece of source changes in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            yield node.func.value
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield node.value
        elif isinstance(node, ast.AugAssign):
            yield node.target
