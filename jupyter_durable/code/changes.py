"""What a piece of source reads and changes in place: pure functions over its tree."""

from __future__ import annotations

import ast
from typing import Final

_CHANGING: Final = frozenset(
    name
    for kind in (list, dict, set, bytearray)
    for name in dir(kind)
    if not hasattr(tuple, name) and not hasattr(frozenset, name) and not hasattr(bytes, name)
) - {"get", "items", "keys", "values", "fromkeys"}
"""Methods by which builtin containers are changed in place."""
_FIRST: Final = frozenset(
    {"heappush", "heappop", "heapify", "heapreplace", "heappushpop", "insort", "insort_left", "insort_right"}
)
"""Functions of `heapq` and `bisect` that change their first argument."""


def names_in(tree: ast.AST) -> list[str]:
    """Every name that is read anywhere in a piece of source, in order."""
    found = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return list(dict.fromkeys(found))


def attributes_in(tree: ast.AST) -> set[str]:
    """Names of all attributes in a piece of source."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def attributes_changed(tree: ast.AST) -> set[str]:
    """Names of attributes that a piece of source assigns or changes in place."""
    assigned = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    }
    held = (changed_in_place(node) for node in ast.walk(tree))
    return assigned | {node.attr for node in held if isinstance(node, ast.Attribute)}


def changed_in_place(node: ast.AST) -> ast.expr | None:
    """What a node changes in place: `held[…] = …`, `held.x = …`, `held.append(…)`, `heappush(held, …)`."""
    if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
        return node.func.value
    if (
        isinstance(node, ast.Call)
        and node.args
        and {getattr(node.func, "id", ""), getattr(node.func, "attr", "")} & _FIRST
    ):
        return node.args[0]
    return None
