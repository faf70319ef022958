"""The module of the notebook: its docstring, its imports, and then all else in the order in which it stood.

Rules of this file
- The first markdown cell is the docstring, the others are comments above what follows them.
- An import goes to the head unless that would change what it does: what a statement sets before it (an environment
  variable, a path) goes there with it, and one that binds a name anew stays where it is.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Final

from jupyter_durable.export.selection import Piece, Section, Selection
from jupyter_durable.export.writing.local_modules import FINDER, READER, imported_finder, in_package, opens
from jupyter_durable.records import NamedTuple

COLUMNS: Final = 88
_SETS: Final = re.compile(r"environ|putenv|sys\.path|set_start_method|matplotlib\.use|filterwarnings|chdir")
"""What a later import may depend on."""
_NOT_PROSE: Final = re.compile(r"\s|\||[-*+>] |\d+[.)] |```|#")
"""What begins a line that stays as it is."""
_HEADING: Final = re.compile(r"#{1,6}\s+(.*?)\s*#*\s*\Z")


class Names(NamedTuple):
    """How the package calls things."""

    package: str
    local: frozenset[str]
    """Top-level names of the modules that come along."""
    files: Mapping[str, str]
    """Paths that code opens, and where they stand below the folder of files."""


def module_text(selection: Selection, names: Names) -> str:
    """The module, which compiles as it stands."""
    title, rest = _titled(selection)
    head, body = _divided(rest)
    bound = [f'{name} = {READER}("{name}")' for name in selection.bundled]
    needed = {READER} if bound else set()
    if any(opens(piece.text, names.files) for piece in rest if isinstance(piece, Piece)):
        needed.add(FINDER)
    imports = _import_lines(head, names)
    if needed:
        imports.append(imported_finder(names.package, needed))
    future = [line for line in imports if line.startswith("from __future__")]
    lines = [*future, *(line for line in imports if line not in future)]
    parts = [docstring(title), "\n".join(lines), "\n".join(bound), _body(body, names)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _titled(selection: Selection) -> tuple[str, list[Piece | Section]]:
    """The text of the docstring, and what is left."""
    rest = list(selection.pieces)
    for at, part in enumerate(rest):
        if isinstance(part, Section):
            return part.text, rest[:at] + rest[at + 1 :]
    return f"The application of the notebook {selection.notebook}.", rest


def docstring(markdown: str) -> str:
    """Markdown as the docstring of a module: its first heading, or line, is the summary."""
    lines = _lines(markdown)
    summary = lines[0] if lines[0].endswith((".", "!", "?", ":")) or not lines[0] else f"{lines[0]}."
    text = "\n".join([summary, *([""] if len(lines) > 1 and lines[1] else []), *_wrapped(lines[1:])]).strip()
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith('"'):
        text += " "
    return f'"""{text}\n"""' if "\n" in text else f'"""{text}"""'


def comment(markdown: str) -> str:
    """Markdown as a comment."""
    lines = _wrapped(_lines(markdown), COLUMNS - 2)
    return "\n".join(f"# {line}".rstrip() for line in lines)


def _lines(markdown: str) -> list[str]:
    """Lines without the marks of headings, an empty line below each."""
    done: list[str] = []
    below_heading = False
    for line in markdown.strip().split("\n"):
        heading = _HEADING.match(line)
        if below_heading and line.strip():
            done.append("")
        done.append(heading[1] if heading is not None else line.rstrip())
        below_heading = heading is not None
    return done


def _wrapped(lines: Sequence[str], columns: int = COLUMNS) -> list[str]:
    """Prose no wider than a line; tables, lists and code keep theirs."""
    done: list[str] = []
    paragraph: list[str] = []
    in_code = False
    for line in [*lines, ""]:
        in_code ^= line.startswith("```")
        if line and not in_code and _NOT_PROSE.match(line) is None:
            paragraph.append(line)
            continue
        if paragraph:
            done += _filled(paragraph, columns)
            paragraph = []
        done.append(line)
    return done[:-1]


def _filled(paragraph: list[str], columns: int) -> list[str]:
    """The lines of a paragraph, filled anew where one of them is too wide."""
    if max(map(len, paragraph)) <= columns:
        return paragraph
    return textwrap.wrap(" ".join(paragraph), columns, break_long_words=False)


def _divided(parts: list[Piece | Section]) -> tuple[list[Piece], list[Piece | Section]]:
    """What goes to the head of the module, and what stays in its order."""
    last = max((at for at, part in enumerate(parts) if _is_import(part)), default=-1)
    head: list[Piece] = []
    body: list[Piece | Section] = []
    bound: set[str] = set()
    known: set[str] = set()
    for at, part in enumerate(parts):
        if isinstance(part, Section):
            body.append(part)
            continue
        sets = part.kind == "statement" and at < last and _SETS.search(part.text) is not None
        if (_is_import(part) and bound.isdisjoint(part.binds)) or (sets and known.issuperset(part.reads)):
            head.append(part)
            known.update(part.binds)
        else:
            body.append(part)
            bound.update(part.binds)
    return head, _without_empty_sections(body)


def _is_import(part: Piece | Section) -> bool:
    return isinstance(part, Piece) and part.kind == "import"


def _without_empty_sections(parts: list[Piece | Section]) -> list[Piece | Section]:
    """Headings under which nothing is left say nothing; what else was written stays."""
    kept = []
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        heads_nothing = following is None or isinstance(following, Section)
        if not (isinstance(part, Section) and heads_nothing and "\n" not in part.text.strip()):
            kept.append(part)
    return kept


def _import_lines(head: list[Piece], names: Names) -> list[str]:
    """Each import once, with the comments above it."""
    lines: list[str] = []
    seen: set[str] = set()
    for piece in head:
        text = in_package(piece.text.strip("\n"), names.package, names.local, names.files)
        if piece.kind != "import" or "#" in text:
            if text not in seen:
                lines.append(text)
            seen.add(text)
            continue
        for statement in ast.parse(text).body:
            line = ast.get_source_segment(text, statement) or ast.unparse(statement)
            if line not in seen:
                lines.append(line)
            seen.add(line)
    return lines


def _body(parts: list[Piece | Section], names: Names) -> str:
    text = ""
    before: Piece | Section | None = None
    for part in parts:
        if isinstance(part, Section):
            own = comment(part.text)
        else:
            own = in_package(part.text.strip("\n"), names.package, names.local, names.files)
        text += "\n" * _gap(before, part) + own + "\n"
        before = part
    return text.strip("\n")


def _gap(before: Piece | Section | None, part: Piece | Section) -> int:
    """Empty lines between two parts."""
    if before is None:
        return 0
    if isinstance(before, Section):
        return 1
    if isinstance(part, Section):
        return 2 if before.kind == "definition" else 1
    if "definition" in (before.kind, part.kind):
        return 2
    return 0 if before.cell == part.cell else 1
