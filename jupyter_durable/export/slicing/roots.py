"""Where the slice begins: the applications of a notebook, or the durable functions and classes that were named."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Sequence

from jupyter_durable.core.escaping import escaped
from jupyter_durable.errors import ExportError
from jupyter_durable.export.selection import Root
from jupyter_durable.export.slicing.cells import Split, Statement
from jupyter_durable.export.slicing.imports import Imports


def roots_of(split: Split, imports: Imports, names: Sequence[str]) -> list[Root]:
    """The roots, in order. Raises `ExportError` when there are none, or a named one is not there."""
    durable = _durable(split.statements, imports)
    if not names:
        found = [root for root in durable.values() if root.is_application]
        if not found:
            raise ExportError(_no_application(split, durable))
        return found
    missing = [name for name in names if name not in _named(durable)]
    if missing:
        raise ExportError(" ".join(_not_there(name, split, durable) for name in missing))
    return [root for root in durable.values() if not {root.name, root.function}.isdisjoint(names)]


def durable_of(split: Split, imports: Imports) -> list[Root]:
    """All durable functions of a notebook, in order."""
    return list(_durable(split.statements, imports).values())


def _named(durable: dict[str, Root]) -> list[str]:
    return list(dict.fromkeys(name for root in durable.values() for name in (root.name, root.function)))


def _durable(statements: Sequence[Statement], imports: Imports) -> dict[str, Root]:
    """All durable functions of a notebook by the names of requests; the last definition of a name counts."""
    found: dict[str, Root] = {}
    for statement in statements:
        if statement.ruling == "exclude":
            continue
        for name in statement.reading.binds:
            for function in [key for key, root in found.items() if root.name == name]:
                del found[function]
        found.update((root.function, root) for root in _roots_in(statement.node, imports))
    return found


def _roots_in(node: ast.stmt, imports: Imports) -> Iterator[Root]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if imports.decorated(node, "application", "function"):
            yield _root(node, node.name, node.name, imports)
    elif isinstance(node, ast.ClassDef) and imports.decorated(node, "cls"):
        for member in node.body:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and imports.decorated(
                member, "application", "function"
            ):
                yield _root(member, node.name, f"{node.name}.{member.name}", imports)


def _root(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str, function: str, imports: Imports) -> Root:
    return Root(
        name,
        function,
        imports.decorated(node, "application"),
        isinstance(node, ast.AsyncFunctionDef),
        _description(node, imports) or ast.get_docstring(node) or "",
    )


def _description(node: ast.FunctionDef | ast.AsyncFunctionDef, imports: Imports) -> str:
    """What `@function(description="…")` says."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and imports.ours(decorator) == "function":
            given = [*decorator.args[:1], *(word.value for word in decorator.keywords if word.arg == "description")]
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    return value.value
    return ""


def _no_application(split: Split, durable: dict[str, Root]) -> str:
    broken = [left for left in split.left if "no Python (" in left.why]
    more = f" Cell {broken[0].cell.number} could not be read: {broken[0].why}." if broken else ""
    if durable:
        names = ", ".join(durable)
        return (
            f"no function of the notebook is an application. Put @application() above the one that is called from "
            f"outside, or name durable functions to export (--app NAME): {escaped(names)}.{more}"
        )
    return (
        "the notebook has no application and no durable function. Put @application() and @function() above the "
        f"function that is called from outside.{more}"
    )


def _not_there(name: str, split: Split, durable: dict[str, Root]) -> str:
    for statement in reversed(split.statements):
        if name in statement.reading.binds and statement.ruling != "exclude":
            return (
                f"{escaped(name)} (cell {statement.number}) is not durable, so no request can be made of it. "
                f"Put @application() and @function() above it, and export again."
            )
    known = _named(durable)
    near = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean {escaped(near[0])}?" if near else ""
    said = f" There are: {escaped(', '.join(known))}." if known else " The notebook has no durable function."
    return f"the notebook defines no {escaped(name)}.{hint}{said}"
