"""What a notebook's imports bind, by dotted name, so that `@jd.application()` is known for what it is."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Final

import jupyter_durable
from jupyter_durable.export.slicing.cells import Statement

OURS: Final = "jupyter_durable"


class Imports:
    """The names that are bound by imports anywhere in a notebook; the last import of a name counts."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._dotted: dict[str, str] = {}
        for statement in statements:
            self._add(statement.node)

    @classmethod
    def of(cls, tree: ast.AST) -> Imports:
        """The same of a module's tree."""
        found = cls(())
        found._add(tree)
        return found

    def _add(self, node: ast.AST) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.Import):
                self._dotted.update(
                    (alias.asname or alias.name.partition(".")[0], alias.name if alias.asname else _top(alias.name))
                    for alias in part.names
                )
            elif isinstance(part, ast.ImportFrom):
                self._dotted.update(_from(part))

    @property
    def names(self) -> Mapping[str, str]:
        """Dotted names by the names that they are bound to."""
        return self._dotted

    def dotted(self, node: ast.expr) -> str | None:
        """`numpy.random.seed` of `np.random.seed`; None for what does not begin at an import."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._dotted:
            return None
        return ".".join([self._dotted[node.id], *reversed(attributes)])

    def ours(self, node: ast.expr) -> str | None:
        """`application` of `@jd.application()`; None for what is not ours."""
        found = self.dotted(node.func if isinstance(node, ast.Call) else node)
        module, _, name = (found or "").rpartition(".")
        return name if module == OURS or module.startswith(f"{OURS}.") else None

    def decorated(self, node: ast.stmt, *names: str) -> bool:
        """Whether a definition stands under one of our decorators of that name."""
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        return any(self.ours(decorator) in names for decorator in decorators)


def _from(node: ast.ImportFrom) -> dict[str, str]:
    module = "." * node.level + (node.module or "")
    names = [alias for alias in node.names if alias.name != "*"]
    found = {alias.asname or alias.name: f"{module}.{alias.name}" for alias in names}
    if len(names) < len(node.names) and module == OURS:
        found.update({name: f"{OURS}.{name}" for name in jupyter_durable.__all__})
    return found


def _top(module: str) -> str:
    return module.partition(".")[0]
