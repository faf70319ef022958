"""Code cells as statements, with the comments above them, and with what tags and comments say of them.

Rules of this file
- A statement's text is what stands in the cell, from the first comment above it to the comment behind it.
- `%%durable` becomes the decorator that it means, by the same rules by which the kernel adds it.
- A tag holds for its cell. `# durable: include` or `exclude` holds for the statement it stands behind or directly
  above, and for the whole cell when it stands above the first statement.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from jupyter_durable.code.texts import first_line, tree_of
from jupyter_durable.durable_cell.definitions import verdicts
from jupyter_durable.durable_cell.line import CellOptions, parsed_options
from jupyter_durable.errors import ExportError, SDKUsageError
from jupyter_durable.export.selection import Cell
from jupyter_durable.export.slicing.lines import Note, Translated, translated, would_bind
from jupyter_durable.export.slicing.reading import Reading, is_main_guard, reading_of
from jupyter_durable.options import FunctionOptions

Ruling = Literal["include", "exclude"]
TAGS: Final[dict[str, Ruling]] = {"durable-include": "include", "durable-exclude": "exclude"}
_RULING: Final = re.compile(r"#\s*durable:\s*(include|exclude)\b[^\n]*")
DECORATOR: Final = "function"


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One top-level statement of a notebook, or a cell that is left out as a whole."""

    place: int
    """Its place among all statements of the notebook."""
    cell: Cell
    node: ast.stmt
    text: str
    """What goes in."""
    code: str
    """The same without the comments round it."""
    reading: Reading
    ruling: Ruling | None = None
    refusal: str = ""
    """Why it cannot go in, whoever needs it: `%run`, a shell command."""
    notes: tuple[Note, ...] = ()

    @property
    def number(self) -> int:
        """Of its cell."""
        return self.cell.number

    @property
    def shown(self) -> str:
        """As messages show it: a line that only a notebook has as it stands there, a definition without decorators."""
        if self.refusal and self.notes:
            return self.cell.source.split("\n")[self.notes[0].line - 1]
        return "\n".join(self.code.split("\n")[self.node.lineno - 1 :])


@dataclass(frozen=True, slots=True)
class Left:
    """A cell of which nothing can go in."""

    cell: Cell
    why: str
    binds: frozenset[str]
    """What it would have bound, for those who miss it."""


@dataclass(frozen=True, slots=True)
class Split:
    """All code cells of a notebook."""

    statements: Sequence[Statement]
    left: Sequence[Left]
    notes: Sequence[tuple[Cell, Note]]
    hidden: Sequence[Left] = ()
    """What lines such as `%run` bind, which no statement does."""
    durable: Sequence[Cell] = ()
    """`%%durable` cells in which a function becomes durable by it."""


@dataclass(slots=True)
class _Splitter:
    decorator: str
    statements: list[Statement] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    notes: list[tuple[Cell, Note]] = field(default_factory=list)
    durable: list[Cell] = field(default_factory=list)
    hints_later: bool = False

    def add(self, cell: Cell) -> None:
        made = translated(cell.source)
        self.notes.extend((cell, note) for note in made.notes)
        if made.foreign or made.broken:
            self.left.append(_left(cell, made))
            return
        tree = tree_of(made.source)
        decorations = self._decorations(cell, tree) if made.durable else {}
        whole = _ruling_of_cell(cell, made.source, tree)
        before = 0
        for at, node in enumerate(tree.body):
            end = tree.body[at + 1] if at + 1 < len(tree.body) else None
            self._add(cell, made, _Placed(node, before, end, whole), decorations.get(id(node), ""))
            before = node.end_lineno or node.lineno

    def _add(self, cell: Cell, made: Translated, placed: _Placed, decoration: str) -> None:
        node = placed.node
        self.hints_later |= isinstance(node, ast.ImportFrom) and _is_future(node)
        lines = made.source.split("\n")
        code = _segment(lines, node)
        above, behind = _comments(lines, placed)
        first, last = first_line(node), node.end_lineno or node.lineno
        ruling = next((found for found in map(_ruling, [behind, *above[-1:]]) if found), placed.whole)
        notes = tuple(note for note in made.notes if first <= note.line <= last)
        kept = [line for line in above if not _RULING.fullmatch(line.strip())]
        if decoration:
            code = f"{decoration}\n{code}"
        tail = f"  {said}" if (said := _RULING.sub("", behind).strip()) else ""
        self.statements.append(
            Statement(
                len(self.statements),
                cell,
                tree_of(code).body[0],
                "\n".join([*kept, code + tail]),
                code,
                reading_of(tree_of(code).body[0], code, hints_later=self.hints_later),
                "exclude" if ruling is None and is_main_guard(node) else ruling,
                _refusal(notes),
                notes,
            )
        )

    def _decorations(self, cell: Cell, tree: ast.Module) -> dict[int, str]:
        """The decorator of each function that `%%durable` makes durable."""
        try:
            options = parsed_options(cell.source)
        except SDKUsageError as error:
            raise ExportError(f"cell {cell.number}: {error.message}") from None
        chosen = {verdict.name for verdict in verdicts(tree, options.plain) if verdict.durable}
        line = f"@{self.decorator}({_written(options)})"
        found = {
            id(node): line
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in chosen
        }
        if found:
            self.durable.append(cell)
        return found


@dataclass(frozen=True, slots=True)
class _Placed:
    node: ast.stmt
    before: int
    """The last line of the statement before it."""
    following: ast.stmt | None
    whole: Ruling | None
    """What is said of the whole cell."""


def split(cells: Iterable[Cell], decorator: str = DECORATOR) -> Split:
    """The statements of all code cells. Raises `ExportError` for a `%%durable` line that cannot be understood.

    `decorator`: how the decorator `function` is written where `%%durable` stands for it.
    """
    splitter = _Splitter(decorator)
    for cell in cells:
        if cell.kind == "code" and cell.source.strip():
            splitter.add(cell)
    return Split(splitter.statements, splitter.left, splitter.notes, durable=splitter.durable)


def _left(cell: Cell, made: Translated) -> Left:
    if made.foreign and not made.broken:
        return Left(
            cell, f"it begins with {made.foreign}, whose body is no Python of the notebook", would_bind(cell.source)
        )
    return Left(cell, f"it is no Python ({made.broken})", would_bind(cell.source))


def _ruling_of_cell(cell: Cell, source: str, tree: ast.Module) -> Ruling | None:
    tagged = [TAGS[tag] for tag in cell.tags if tag in TAGS]
    if tagged:
        if len(set(tagged)) > 1:
            raise ExportError(f"cell {cell.number} is tagged durable-include and durable-exclude; choose one.")
        return tagged[0]
    first = first_line(tree.body[0]) - 1 if tree.body else 0
    for line in source.split("\n")[:first]:
        if (found := _ruling(line)) is not None:
            return found
    return None


def _ruling(comment: str) -> Ruling | None:
    found = _RULING.match(comment.strip())
    return None if found is None else "include" if found[1] == "include" else "exclude"


def _segment(lines: Sequence[str], node: ast.stmt) -> str:
    """The statement as it is written, decorators included."""
    first, last = first_line(node), node.end_lineno or node.lineno
    chosen = [line.encode() for line in lines[first - 1 : last]]
    chosen[-1] = chosen[-1][: node.end_col_offset]
    if first == node.lineno:
        chosen[0] = chosen[0][node.col_offset :]
    return b"\n".join(chosen).decode()


def _comments(lines: Sequence[str], placed: _Placed) -> tuple[list[str], str]:
    """The comments above a statement, and the one behind it."""
    node = placed.node
    first, last = first_line(node), node.end_lineno or node.lineno
    above: list[str] = []
    for line in lines[placed.before : first - 1]:
        if line.strip().startswith("#") and not line.strip().startswith("#%%"):
            above.append(line.strip())
    tail = lines[last - 1].encode()[node.end_col_offset :].decode().strip()
    return above, tail if tail.startswith("#") else ""


def _is_future(node: ast.ImportFrom) -> bool:
    return node.module == "__future__" and any(alias.name == "annotations" for alias in node.names)


def _written(options: CellOptions) -> str:
    """The options of a `%%durable` line as those of the decorator."""
    given, unwritten = options.function, FunctionOptions()
    parts: list[str] = []
    if given.retries is not None:
        parts.append(f"retries={given.retries.max_retries}")
    if given.timeout != unwritten.timeout:
        parts.append(f"timeout={given.timeout:g}" if isinstance(given.timeout, float) else f"timeout={given.timeout}")
    if given.executor != unwritten.executor:
        parts.append(f'executor="{given.executor}"')
    return ", ".join(parts)


def _refusal(notes: Iterable[Note]) -> str:
    for note in notes:
        if note.binds:
            return _why_not(note)
    return ""


def _why_not(note: Note) -> str:
    if note.magic == "!":
        return "takes what a shell command prints, which only a notebook can. Write it with `subprocess.run`"
    if note.magic == "%%capture":
        return "takes what a cell printed, which only a notebook can"
    return "takes what a magic gives, which only a notebook can. Write it in Python"


def notes_of_nothing(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Statements that are nothing but a line of the notebook's."""
    return (each for each in statements if isinstance(each.node, ast.Pass) and each.notes)
