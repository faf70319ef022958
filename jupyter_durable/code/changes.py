"""What a piece of source reads and changes in place: pure functions over its tree."""

from __future__ import annotations

import ast
import functools
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


CHANGING: Final = frozenset({ast.Subscript, ast.Attribute, ast.Call})
"""The nodes of which `changed_in_place` tells anything."""


def names_in(tree: ast.AST) -> list[str]:
    """Every name that is read anywhere in a piece of source, in order."""
    found = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return list(dict.fromkeys(found))


@functools.lru_cache(maxsize=2048)
def attributes_in(tree: ast.AST) -> frozenset[str]:
    """Names of all attributes in a piece of source."""
    return frozenset(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))


@functools.lru_cache(maxsize=2048)
def attributes_changed(tree: ast.AST) -> frozenset[str]:
    """Names of attributes that a piece of source assigns or changes in place."""
    changing = [node for node in ast.walk(tree) if type(node) in CHANGING]
    assigned = {
        node.attr for node in changing if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    }
    return frozenset(
        assigned.union(held.attr for held in map(changed_in_place, changing) if isinstance(held, ast.Attribute))
    )


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
