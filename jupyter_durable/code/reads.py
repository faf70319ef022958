"""What a cell's source needs to be there when it starts.

Rules of this file
- Source is walked in the order of execution; a binding in a branch counts as one.
- What a function reads counts at the end of the cell: it runs when it is called.
"""

# ruff: noqa: N815 - ast.NodeVisitor gives the names

from __future__ import annotations

import ast
from collections.abc import Iterable

from jupyter_durable.code.statements import binds
from jupyter_durable.code.texts import parsed


def names_needed(body_source: str) -> frozenset[str]:
    """Names the source reads before it has bound them itself: what must be there when it starts."""
    tree = parsed(body_source)
    if tree is None:
        return frozenset()
    scan = _Scan()
    scan.visit(tree)
    return frozenset(scan.needed | (scan.deferred - scan.bound))


class _Scan(ast.NodeVisitor):
    """One scope. `deferred` is what functions defined in it read."""

    def __init__(self) -> None:
        self.bound: set[str] = set()
        self.needed: set[str] = set()
        self.deferred: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.bound.add(node.id)
        elif node.id not in self.bound:
            self.needed.add(node.id)

    def visit_Assign(self, node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> None:
        if node.value is not None:
            self.visit(node.value)
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                self.visit(target)
        if isinstance(node, ast.AnnAssign):
            self.visit(node.annotation)

    visit_AnnAssign = visit_NamedExpr = visit_Assign

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and node.target.id not in self.bound:
            self.needed.add(node.target.id)
        self.visit(node.value)
        self.visit(node.target)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        for part in [node.iter, node.target, *node.body, *node.orelse]:
            self.visit(part)

    visit_AsyncFor = visit_For

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.bound |= binds(node)

    visit_ImportFrom = visit_Import

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.bound |= {node.name} if node.name else set()
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(part)
        self._defer(node.args, node.body)
        self.bound.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._defer(node.args, [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(part)
        self._inner(node.body)
        self.bound.add(node.name)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        parts: list[ast.AST] = []
        for generator in node.generators:
            parts += [generator.iter, generator.target, *generator.ifs]
        self._inner([*parts, *([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])])

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _inner(self, parts: Iterable[ast.AST]) -> None:
        """A scope that runs now: what it binds is its own."""
        outside = set(self.bound)
        for part in parts:
            self.visit(part)
        self.bound = outside

    def _defer(self, arguments: ast.arguments, body: Iterable[ast.AST]) -> None:
        """A scope that runs later."""
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        inner = _Scan()
        inner.bound = {argument.arg for argument in given if argument is not None}
        for part in body:
            inner.visit(part)
        self.deferred |= inner.needed | (inner.deferred - inner.bound)
