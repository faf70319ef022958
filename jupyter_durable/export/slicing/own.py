"""Classes of a notebook: which of their methods change the object they are called on.

Rules of this file
- The text of a method decides: it assigns to `self.x` or `self[…]`, changes what `self` holds in place, or calls
  another of its methods that does.
- Of a method that is not in the notebook nothing is known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jupyter_durable.code.changes import changed_in_place
from jupyter_durable.export.slicing.cells import Statement
from jupyter_durable.export.slicing.flow import Flow
from jupyter_durable.export.slicing.reading import root_name

_Method = ast.FunctionDef | ast.AsyncFunctionDef


class OwnClasses:
    """The classes of one notebook."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def changes(self, values: list[ast.stmt], method: str) -> bool | None:
        """Whether a method changes the object that was bound by one of these statements; None where it is not known."""
        found: list[bool] = []
        for value in values:
            made = value.value if isinstance(value, ast.Assign | ast.AnnAssign) else None
            name = made.func.id if isinstance(made, ast.Call) and isinstance(made.func, ast.Name) else None
            classes = [each for each in self._flow.before(name, None) if _class(each)] if name is not None else []
            if not classes:
                return None
            for each in classes:
                known = self._by_class(each.node, method, frozenset())
                if known is None:
                    return None
                found.append(known)
        return any(found) if found else None

    def _by_class(self, node: ast.stmt, method: str, seen: frozenset[str]) -> bool | None:
        assert isinstance(node, ast.ClassDef)
        own = _method(node, method)
        if own is not None:
            return self._by_method(node, own, seen | {method})
        for base in node.bases:
            for each in self._flow.before(base.id, None) if isinstance(base, ast.Name) else ():
                if _class(each) and each.node is not node:
                    known = self._by_class(each.node, method, seen)
                    if known is not None:
                        return known
        return None

    def _by_method(self, node: ast.ClassDef, method: _Method, seen: frozenset[str]) -> bool:
        given = [*method.args.posonlyargs, *method.args.args]
        if not given or any(root_name(each) == "staticmethod" for each in method.decorator_list):
            return False
        its = {given[0].arg}
        for part in ast.walk(method):
            held = changed_in_place(part)  # an item, an attribute, or what a method is called on
            if held is not None and root_name(held) in its:
                return True
        return any(
            self._by_class(node, called, seen | {called}) for called in _called(method, its) if called not in seen
        )


def _class(statement: Statement) -> bool:
    return isinstance(statement.node, ast.ClassDef)


def _method(node: ast.ClassDef, name: str) -> _Method | None:
    return next((each for each in node.body if isinstance(each, _Method) and each.name == name), None)


def _called(method: _Method, its: set[str]) -> Iterator[str]:
    """Methods that a method calls on its own object."""
    for part in ast.walk(method):
        called = part.func if isinstance(part, ast.Call) else None
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id in its:
            yield called.attr
