"""What `%%durable` makes of a cell: which definitions become durable, and how.

Rules of this file
- Every top-level `def` and `async def` becomes durable, except names that begin with `_`, generators, functions under a
  decorator that is not ours, and those named as plain. Classes are untouched.
- The tree is changed, the text is not: line numbers, `getsource` and tracebacks stay what they were.
- The first line of a `%%durable` cell is a magic, so it reads as a comment here.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Final

from jupyter_durable.code.texts import tree_of
from jupyter_durable.records import NamedTuple

OURS: Final = frozenset({"function", "application", "cls"})
DECORATOR: Final = "__jupyter_durable_function__"
"""Name under which the decorator stands in the namespace, so that no user's name is taken."""


class Verdict(NamedTuple):
    """What becomes of one definition of a cell."""

    name: str
    durable: bool
    why: str
    """Why not; empty for a durable one."""


def commented(source: str) -> str:
    """The source with a leading cell magic as a comment: Python, with the same line numbers."""
    lines = source.split("\n")
    for at, line in enumerate(lines):
        if line.strip():
            if line.lstrip().startswith("%%"):
                lines[at] = "#" + line
            break
    return "\n".join(lines)


def is_durable_cell(source: str) -> bool:
    """Whether the cell begins with `%%durable`."""
    first = next((line for line in source.split("\n") if line.strip()), "")
    words = first.split()
    return bool(words) and words[0] == "%%durable"


def verdicts(tree: ast.Module, plain: Collection[str] = ()) -> list[Verdict]:
    """What `%%durable` does with each top-level function of a cell."""
    return [
        Verdict(node.name, not why, why)
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for why in [_why_not(node, plain)]
    ]


def _why_not(node: ast.FunctionDef | ast.AsyncFunctionDef, plain: Collection[str]) -> str:
    if node.name in plain:
        return "named by --plain"
    if node.name.startswith("_"):
        return "its name begins with _"
    if _yields(node):
        return "a generator has no single result"
    for decorator in node.decorator_list:
        name = _decorator_name(decorator)
        if name not in OURS:
            return f"it stands under @{name or ast.unparse(decorator)}"
    if any(is_ours(decorator) for decorator in node.decorator_list):
        return "it has a decorator of ours already"
    return ""


def is_ours(decorator: ast.expr) -> bool:
    """Whether a decorator is one of ours, by its name."""
    return _decorator_name(decorator) in OURS


def _decorator_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _yields(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the function itself yields, not one defined in it."""
    pending: list[ast.AST] = list(node.body)
    while pending:
        part = pending.pop()
        if isinstance(part, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(part))
    return False


def decorate(tree: ast.Module, plain: Collection[str] = ()) -> ast.Module:
    """Put the decorator on every function that becomes durable."""
    chosen = {verdict.name for verdict in verdicts(tree, plain) if verdict.durable}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in chosen:
            made = ast.Name(id=DECORATOR, ctx=ast.Load())
            node.decorator_list.append(ast.copy_location(made, node))
    return ast.fix_missing_locations(tree)


def with_decorators(source: str, plain: Collection[str] = ()) -> ast.Module:
    """The tree of a cell as it executes: decorated where it is a `%%durable` cell."""
    tree = tree_of(commented(source))
    return decorate(tree, plain) if is_durable_cell(source) else tree
