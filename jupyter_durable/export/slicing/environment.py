"""Environment variables that what goes in reads, or that the notebook set. Their values are nobody's business."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from jupyter_durable.code.texts import parsed
from jupyter_durable.export.selection import Cell, EnvironmentKey, LocalModule
from jupyter_durable.export.slicing.cells import Statement
from jupyter_durable.export.slicing.imports import Imports
from jupyter_durable.export.slicing.lines import Note
from jupyter_durable.export.slicing.modules import imported

_NAME: Final = re.compile(r"[A-Za-z_]\w*")


class Environment:
    """What one notebook reads and sets."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports
        self._read: dict[str, list[EnvironmentKey]] = {}
        self._set: dict[str, EnvironmentKey] = {}

    def read_by(self, statement: Statement) -> None:
        """Take notice of what a statement that goes in reads."""
        self._note(environment_keys(statement.node, statement.number, self._imports))

    def read_by_module(self, module: LocalModule, statements: Iterable[Statement]) -> None:
        """The same of a local module; its cell is the one that imports it."""
        tree = parsed(module.source)
        if tree is not None:
            top = module.dotted.partition(".")[0]
            cells = [
                each.number for each in statements if top in {name.partition(".")[0] for name, _ in imported(each.node)}
            ]
            self._note(environment_keys(tree, min(cells, default=0), Imports.of(tree)))

    def _note(self, keys: Iterable[EnvironmentKey]) -> None:
        for key in keys:
            self._read.setdefault(key.name, []).append(key)

    def set_by(self, statement: Statement) -> None:
        """Take notice of what a statement that is left out sets."""
        for name in keys_set(statement.node, self._imports):
            self._set.setdefault(name, EnvironmentKey(name, statement.number))

    def noted(self, notes: Sequence[tuple[Cell, Note]]) -> None:
        """Take notice of lines such as `%env`."""
        for cell, note in notes:
            for name in keys_of_note(note):
                self._set.setdefault(name, EnvironmentKey(name, cell.number))

    def keys(self) -> list[EnvironmentKey]:
        """Each variable once, by name. It has a default where all that read it have one."""
        found = dict(self._set)
        for name, reads in self._read.items():
            cell = min(read.cell for read in reads)
            found[name] = EnvironmentKey(name, cell, all(read.has_default for read in reads))
        return [found[name] for name in sorted(found)]


def environment_keys(node: ast.AST, cell: int, imports: Imports) -> Iterator[EnvironmentKey]:
    """Environment variables that a piece of source reads by a literal name."""
    for part in ast.walk(node):
        name: ast.expr | None = None
        default = False
        if isinstance(part, ast.Subscript) and imports.dotted(part.value) == "os.environ":
            name, default = part.slice, not isinstance(part.ctx, ast.Load)
        elif isinstance(part, ast.Call) and part.args:
            called = imports.dotted(part.func)
            if called in ("os.getenv", "os.environ.get", "os.environ.setdefault", "os.environ.pop"):
                name, default = part.args[0], len(part.args) > 1 or bool(part.keywords)
        if isinstance(name, ast.Constant) and isinstance(name.value, str) and _NAME.fullmatch(name.value):
            yield EnvironmentKey(name.value, cell, default)


def keys_set(node: ast.AST, imports: Imports) -> Iterator[str]:
    """Environment variables that a statement of a notebook sets: `os.environ["X"] = …`, `setdefault`, `update`."""
    for part in ast.walk(node):
        found: list[ast.expr | None] = []
        if isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store):
            found = [part.slice] if imports.dotted(part.value) == "os.environ" else []
        elif isinstance(part, ast.Call):
            called = imports.dotted(part.func)
            if called in ("os.environ.setdefault", "os.putenv"):
                found = list(part.args[:1])
            elif called == "os.environ.update" and part.args and isinstance(part.args[0], ast.Dict):
                found = list(part.args[0].keys)
        for name in found:
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and _NAME.fullmatch(name.value):
                yield name.value


def keys_of_note(note: Note) -> Iterator[str]:
    """Environment variables that a line such as `%env NAME=value` sets."""
    if note.magic in ("%env", "%set_env") and ("=" in note.said or " " in note.said):
        name = re.split(r"[=\s]", note.said.strip(), maxsplit=1)[0]
        if _NAME.fullmatch(name):
            yield name
    elif note.magic == "!" and (found := re.match(r"export\s+([A-Za-z_]\w*)=", note.said)):
        yield found[1]
