"""What is kept as the records of an export: its text, what it binds and reads, and of which kind it is."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence

from jupyter_durable.export.selection import Cell, Notebook, Piece, PieceKind, Section
from jupyter_durable.export.slicing.modules import resolved
from jupyter_durable.export.slicing.slicer import Kept

_LITERALS = (
    ast.Constant, ast.Name, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp, ast.JoinedStr,
    ast.FormattedValue, ast.Starred, ast.expr_context, ast.operator, ast.unaryop, ast.Attribute, ast.Subscript,
)  # fmt: skip


def pieces_of(notebook: Notebook, order: Sequence[Kept]) -> list[Piece | Section]:
    """Pieces in their order, each cell's markdown above the first of them that it stands above."""
    names = frozenset(name for kept in order for name in kept.statement.reading.binds)
    sections = _sections(notebook.cells, {kept.statement.number for kept in order})
    made: list[Piece | Section] = []
    for kept in sorted(order, key=lambda kept: not is_future(kept.statement.node)):
        while sections and sections[0].cell < kept.statement.number:
            made.append(sections.pop(0))
        made.append(_piece(kept, names))
    return [*made, *sections]


def _sections(cells: Iterable[Cell], kept: Collection[int]) -> list[Section]:
    """Markdown that stands above something that goes in, and the one with which the notebook begins."""
    found: list[Section] = []
    above: list[Cell] = []
    begun = False
    for cell in cells:
        if cell.kind == "markdown" and cell.source.strip():
            if begun:
                above = []
            above.append(cell)
            begun = False
        elif cell.kind == "code" and cell.source.strip():
            if cell.number in kept or not found:
                found += [Section(each.number, each.source.strip()) for each in above]
                above = []
            begun = True
    return found


def is_future(node: ast.stmt) -> bool:
    """Whether this must stand first in a module."""
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _piece(kept: Kept, names: frozenset[str]) -> Piece:
    statement, reading = kept.statement, kept.statement.reading
    node = statement.node
    needed = kept.names or reading.binds
    binds = needed if isinstance(node, ast.Import | ast.ImportFrom) else reading.binds | kept.names
    reads = (reading.now | reading.guarded | reading.later | reading.hints) & names
    return Piece(statement.number, kind_of(node), _text(kept), tuple(sorted(binds)), tuple(sorted(reads)))


def kind_of(node: ast.stmt) -> PieceKind:
    """The kind of a piece."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return "import"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return "definition"
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        return "constant" if all(isinstance(part, _LITERALS) for part in ast.walk(node.value)) else "statement"
    return "statement"


def _text(kept: Kept) -> str:
    """An import takes what is needed of it, absolutely; everything else is as it was written."""
    statement = kept.statement
    node = statement.node
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return statement.text
    chosen = [alias for alias in node.names if _bound_by(alias, node) in kept.names or alias.name == "*"]
    relative = isinstance(node, ast.ImportFrom) and node.level > 0
    if (len(chosen) == len(node.names) and not relative) or is_future(node) or not chosen:
        return statement.text
    return statement.text.replace(statement.code, _written(node, chosen))


def _bound_by(alias: ast.alias, node: ast.stmt) -> str:
    return alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)


def _written(node: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> str:
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import(names=names))
    module = resolved(node.level, node.module, "")
    if module:
        return ast.unparse(ast.ImportFrom(module=module, names=names, level=0))
    return ast.unparse(ast.Import(names=names))
