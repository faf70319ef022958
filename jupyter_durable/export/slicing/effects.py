"""What calling a function of the notebook changes: globals, and what it is given; through the functions it calls, too.

Rules of this file
- The text decides. Durable functions change nothing here: their calls are explored, and a replay would not repeat it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from jupyter_durable.code.scopes import changes_outside, parameters, parameters_changed
from jupyter_durable.code.statements import binds
from jupyter_durable.export.slicing.cells import Statement
from jupyter_durable.export.slicing.flow import Flow
from jupyter_durable.export.slicing.imports import Imports
from jupyter_durable.export.slicing.methods import CHANGING
from jupyter_durable.export.slicing.reading import root_name

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Effect:
    """What one function changes when it is called."""

    outside: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()


class Effects:
    """The functions of one notebook."""

    def __init__(self, imports: Imports, flow: Flow) -> None:
        self._imports = imports
        self._flow = flow
        self._known: dict[int, Effect] = {}

    def of(self, statement: Statement) -> Effect:
        """What calling the function that a statement binds changes; nothing where it binds none."""
        if statement.place not in self._known:
            self._known[statement.place] = Effect()  # a function that calls itself adds nothing
            self._known[statement.place] = self._found(statement)
        return self._known[statement.place]

    def _found(self, statement: Statement) -> Effect:
        node = function_of(statement.node)
        if node is None or self._imports.decorated(statement.node, "function", "application"):
            return Effect()
        own = {each.arg for each in parameters(node)}
        outside, changed = set(changes_outside(node)), set(parameters_changed(node))
        body = node.body if isinstance(node.body, list) else [node.body]
        local = {name for each in body for name in binds(each)} - changes_outside(node)
        for call in (part for each in body for part in ast.walk(each) if isinstance(part, ast.Call)):
            for name in self._by_call(call):
                if name in own:
                    changed.add(name)
                elif name not in local and name not in self._imports.names:
                    outside.add(name)
            if isinstance(call.func, ast.Name) and call.func.id not in own | local:
                for called in self._flow.binders(call.func.id):
                    outside |= self.of(called).outside
        return Effect(frozenset(outside), frozenset(changed))

    def _by_call(self, call: ast.Call) -> Iterator[str]:
        """Names whose value a call changes, whosever they are."""
        if isinstance(call.func, ast.Attribute) and CHANGING.fullmatch(call.func.attr):
            name = root_name(call.func.value)
            if name is not None:
                yield name
        elif isinstance(call.func, ast.Name):
            for called in self._flow.binders(call.func.id):
                yield from self.given(called, call)

    def given(self, called: Statement, call: ast.Call) -> Iterator[str]:
        """Names whose value a call hands to a function that changes it."""
        node = function_of(called.node)
        if node is None:
            return
        changed = self.of(called).parameters
        for parameter, value in _arguments(node, call):
            name = root_name(value) if isinstance(value, ast.Name | ast.Attribute) else None
            if parameter in changed and name is not None:
                yield name


def function_of(node: ast.stmt) -> Function | None:
    """The function that a statement binds to a name: a `def`, or a lambda."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return value if isinstance(value, ast.Lambda) else None


def _arguments(node: Function, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """(parameter, value) of a call, as far as they can be told apart."""
    names = [each.arg for each in [*node.args.posonlyargs, *node.args.args]]
    known = {each.arg for each in parameters(node)}
    for name, value in zip(names, call.args, strict=False):
        if isinstance(value, ast.Starred):
            return
        yield name, value
    yield from ((word.arg, word.value) for word in call.keywords if word.arg in known and word.arg is not None)
