"""Lines that only a notebook has (`%…`, `!…`, `…?`) as Python, with a note of what each of them meant.

Rules of this file
- Line numbers stay: a line of the notebook's becomes one line, `pass` or what it stands for.
- A cell that is Python as it stands is left alone, so that nothing inside of a text is taken for a magic.
- What cannot be said in Python binds its names to `None` and is marked: whoever needs it is told.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from jupyter_durable.code.texts import tree_of
from jupyter_durable.durable_cell.definitions import commented, is_durable_cell

UNWRAPPED: Final = frozenset(
    {"time", "capture", "prun", "memit", "snakeviz", "scalene", "pyinstrument", "heat", "notify"}
)
"""Cell magics whose body runs in the notebook as if they were not there."""
_SHELLS: Final = frozenset({"bash", "sh", "script", "cmd", "system", "sx", "!"})
_ASSIGNED: Final = re.compile(r"(?P<target>[A-Za-z_][\w.\[\]'\", ]*?)\s*=\s*(?P<mark>[!%])(?P<said>.*)")
_HELP: Final = re.compile(r"\?{1,2}[\w.*%]+|%{0,2}[A-Za-z_][\w.*\[\]'\"]*\?{1,2}")
_BARE_INSTALL: Final = re.compile(r"(?:pip3?|conda|mamba|uv pip)\s+install\s")


@dataclass(frozen=True, slots=True)
class Note:
    """A line that only the notebook has."""

    line: int
    """Counted from 1 in its cell."""
    magic: str
    """`%env`, `!`, `?`, `%%bash`: what it begins with."""
    said: str
    """What follows it."""
    binds: bool = False
    """Whether a name is bound to what it gives, so that the statement cannot go in."""


@dataclass(frozen=True, slots=True)
class Translated:
    """A cell as Python."""

    source: str
    notes: tuple[Note, ...] = ()
    foreign: str = ""
    """`%%bash`, or what else the first line says, of a cell whose body is no Python of the notebook; then no source."""
    broken: str = ""
    """Why the cell is no Python."""
    durable: bool = False
    unwrapped: tuple[str, ...] = field(default=())
    """Cell magics that were taken off."""


def translated(source: str) -> Translated:
    """The cell as Python."""
    durable = is_durable_cell(source)
    if durable:
        return _python(commented(source), (), durable=True)
    return _without_cell_magics(source)


def _without_cell_magics(source: str) -> Translated:
    """`%%time` and the like above a body are taken off, one under the other."""
    lines = source.split("\n")
    unwrapped: list[str] = []
    notes: list[Note] = []
    at = _first(lines, 0)
    while at is not None and lines[at].lstrip().startswith("%%"):
        name, _, said = lines[at].lstrip()[2:].partition(" ")
        if name == "durable":
            return Translated("", foreign="%%durable", broken="%%durable must be the first line of its cell")
        if name not in UNWRAPPED:
            inside = tuple(_installs("\n".join(lines[at + 1 :]))) if name in _SHELLS else ()
            note = Note(at + 1, f"%%{name}", said.strip())
            return Translated("", (*notes, note, *inside), foreign=f"%%{name}", unwrapped=tuple(unwrapped))
        binds = name == "capture" and any(not word.startswith("-") for word in said.split())
        notes.append(Note(at + 1, f"%%{name}", said.strip()))
        lines[at] = f"{said.split()[0]} = None" if binds and said.split()[0].isidentifier() else "#" + lines[at]
        if not lines[at].startswith("#"):
            notes[-1] = Note(at + 1, f"%%{name}", said.strip(), binds=True)
        unwrapped.append(f"%%{name}")
        at = _first(lines, at + 1)
    found = _python("\n".join(lines), tuple(notes))
    return Translated(found.source, found.notes, broken=found.broken, unwrapped=tuple(unwrapped))


def _first(lines: list[str], at: int) -> int | None:
    """Where the first line from `at` on stands that is not empty."""
    return next((place for place in range(at, len(lines)) if lines[place].strip()), None)


def _installs(body: str) -> Iterator[Note]:
    """Lines of a shell's cell."""
    for number, line in enumerate(body.split("\n"), 2):
        if line.strip():
            yield Note(number, "!", line.strip())


def _python(source: str, notes: tuple[Note, ...], *, durable: bool = False) -> Translated:
    if _fault(source) is None:
        return Translated(source, notes, durable=durable)
    changed, more = _lines_replaced(source)
    fault = _fault(changed)
    if fault is not None:
        return Translated("", (*notes, *more), broken=fault, durable=durable)
    return Translated(changed, (*notes, *more), durable=durable)


def _fault(source: str) -> str | None:
    try:
        tree_of(source)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error)
    return None


def _lines_replaced(source: str) -> tuple[str, tuple[Note, ...]]:
    lines = source.split("\n")
    notes: list[Note] = []
    state = _State()
    at = 0
    while at < len(lines):
        end = at
        line = lines[at]
        if state.at_start:
            while line.rstrip().endswith("\\") and end + 1 < len(lines) and _special(line.strip()):
                end += 1
                line = line.rstrip()[:-1].rstrip() + " " + lines[end].strip()
            made = _special(line.strip())
            if made is not None:
                text, note = made
                indent = line[: len(line) - len(line.lstrip())]
                lines[at : end + 1] = [indent + text, *[""] * (end - at)]
                notes.append(Note(at + 1, note.magic, note.said, note.binds))
                at = end + 1
                continue
        state.read(lines[at])
        at += 1
    return "\n".join(lines), tuple(notes)


def _special(line: str) -> tuple[str, Note] | None:
    """What a line becomes, and what it meant; None for a line of Python."""
    assigned = _ASSIGNED.fullmatch(line)
    if assigned is not None:
        mark, said = assigned["mark"], assigned["said"].strip()
        if mark == "%" and said.startswith("time "):
            return f"{assigned['target']} = {said[5:].strip()}", Note(0, "%time", said[5:].strip())
        magic, rest = _name(said) if mark == "%" else ("", said)
        return f"{assigned['target']} = None", Note(0, f"{mark}{magic}", rest, binds=True)
    if line.startswith("!"):
        return "pass", Note(0, "!", line.lstrip("!").strip())
    if line.startswith("%") and not line.startswith("%%"):
        name, said = _name(line[1:])
        if name in ("time", "prun") and said and not said.startswith("-"):
            return said, Note(0, f"%{name}", said)
        return "pass", Note(0, f"%{name}", said)
    if _HELP.fullmatch(line.rstrip(";")):
        return "pass", Note(0, "?", line)
    if _BARE_INSTALL.match(line):
        return "pass", Note(0, "%pip", line)
    return None


def _name(text: str) -> tuple[str, str]:
    name, _, said = text.partition(" ")
    return name.rstrip(";"), said.strip()


class _State:
    """Whether a line begins a statement: strings of several lines and brackets that are open are followed."""

    _PART: Final = re.compile(r"'''|\"\"\"|'|\"|#|[\[({]|[\])}]")

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._continued = False

    @property
    def at_start(self) -> bool:
        return not self._quote and self._depth == 0 and not self._continued

    def read(self, line: str) -> None:
        """Take notice of a line."""
        at = 0
        while at < len(line):
            at = self._in_text(line, at) if self._quote else self._in_code(line, at)
        self._continued = not self._quote and line.endswith("\\")
        if len(self._quote) == 1 and not line.endswith("\\"):
            self._quote = ""  # was never closed: what follows is no part of it

    def _in_text(self, line: str, at: int) -> int:
        end = re.compile(rf"(?:[^\\]|\\.)*?{self._quote}").match(line, at)
        if end is None:
            return len(line)
        self._quote = ""
        return end.end()

    def _in_code(self, line: str, at: int) -> int:
        found = self._PART.search(line, at)
        if found is None or found[0] == "#":
            return len(line)
        if found[0] in "[({":
            self._depth += 1
        elif found[0] in "])}":
            self._depth = max(0, self._depth - 1)
        else:
            self._quote = found[0]
        return found.end()


def would_bind(source: str) -> frozenset[str]:
    """Names that a cell which is left out as a whole may bind, told by how its lines begin."""
    body = "\n".join(line for line in source.split("\n") if not line.lstrip().startswith(("%", "!")))
    try:
        tree: ast.Module | None = tree_of(body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is not None:
        from jupyter_durable.code.statements import binds  # for cells that are left out

        return frozenset(name for statement in tree.body for name in binds(statement))
    found = re.findall(
        r"^(?:async\s+)?(?:(?:cp?def|def|class)\s+(?:\w+\s+)?)?([A-Za-z_]\w*)\s*(?:=(?!=)|\(|:)", body, re.M
    )
    return frozenset(found)
