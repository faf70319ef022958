"""What stands in the way of an export, in words: all of it in one error, numbered.

Rules of this file
- A message names the cell, shows the line, says who needs it, and names the ways out. How they are taken stands
  once, at the end of the error.
- Text of the notebook is shortened, and its control characters are escaped: it is somebody else's.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from jupyter_durable.code.credentials import masked, redacted
from jupyter_durable.core.escaping import escaped
from jupyter_durable.errors import ExportError

Way = Literal["include", "bundle", "exclude"]
HOW: Final[dict[Way, str]] = {
    "include": "To include: tag the cell `durable-include`, or write `# durable: include` behind or above a statement.",
    "bundle": "To bundle a value as a file: `--bundle NAME`; it must be one that JSON has.",
    "exclude": "To exclude: tag the cell `durable-exclude`, or write `# durable: exclude` behind or above a statement.",
}
SHOWN: Final = 60
"""Characters of a statement that are shown."""
ONLY_IN_NOTEBOOKS: Final = {
    "display": "import it (`from IPython.display import display`), or leave it out of what is exported",
    "get_ipython": "leave it out of what is exported: an application runs without a notebook",
    "In": "put what it looks up into a variable",
    "Out": "put what it looks up into a variable",
    "_": "put the value into a variable of its own",
    "__": "put the value into a variable of its own",
}
"""Names that a notebook has without binding them, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that stands in the way."""

    text: str
    ways: tuple[Way, ...] = ()
    cell: int = 0
    """By which problems are sorted; 0 for what stands in no cell."""


def shown(text: str) -> str:
    """The first line of a statement, as a message shows it."""
    first, _, more = masked(redacted(text.strip())).partition("\n")
    line = escaped(first)
    return f"{line[: SHOWN - 1]}…" if len(line) > SHOWN else f"{line} …" if more else line


def listed(names: Iterable[str], most: int = 3) -> str:
    """`a`, `a and b`, `a, b and 4 more`."""
    all_names = [escaped(name) for name in dict.fromkeys(names)]
    if len(all_names) > most:
        return f"{', '.join(all_names[: most - 1])} and {len(all_names) - most + 1} more"
    return " and ".join([", ".join(all_names[:-1]), all_names[-1]] if len(all_names) > 1 else all_names)


def raise_for(problems: Sequence[Problem]) -> None:
    """Raises `ExportError` that holds them all; nothing where there are none."""
    found = sorted(dict.fromkeys(problems), key=lambda problem: problem.cell)
    if not found:
        return
    how = [f"  {line}" for way, line in HOW.items() if any(way in problem.ways for problem in found)]
    if len(found) == 1:
        lines = [f"the notebook cannot be exported as it is: {found[0].text}"]
    else:
        lines = [f"the notebook cannot be exported as it is, for {len(found)} reasons:"]
        lines += [f"  {number}. {problem.text}" for number, problem in enumerate(found, 1)]
    raise ExportError("\n".join([*lines, *how]))


def unresolved(name: str, cell: int, reader: str, known: Collection[str]) -> Problem:
    """A name that nothing binds."""
    said = f"cell {cell}: {escaped(reader)} reads {escaped(name)}, "
    if name in ONLY_IN_NOTEBOOKS:
        return Problem(f"{said}which only a notebook has: {ONLY_IN_NOTEBOOKS[name]}.", cell=cell)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {escaped(near[0])}?" if near else "bind it in a cell, or import it."
    return Problem(f"{said}which no cell binds; {hint}", cell=cell)


def bound_where_left_out(name: str, cell: int, reader: str, left: int, why: str) -> Problem:
    """A name that is bound only where nothing can go in."""
    return Problem(
        f"cell {cell}: {escaped(reader)} reads {escaped(name)}, which only cell {left} binds, and that cannot "
        f"go in: {why}.",
        cell=cell,
    )


def excluded(name: str, cell: int, reader: str, left: int) -> Problem:
    """A name that is bound only by what was excluded."""
    return Problem(
        f"cell {cell}: {escaped(reader)} reads {escaped(name)}, which only cell {left} binds, and that is marked to be "
        f"excluded. Take the mark away, or do without {escaped(name)}.",
        cell=cell,
    )


def deleted(name: str, cell: int, reader: str, by: int) -> Problem:
    """A name that a `del` took away."""
    return Problem(
        f"cell {cell}: {escaped(reader)} reads {escaped(name)}, which cell {by} deletes. "
        f"Exclude the `del`, or bind {escaped(name)} again below it.",
        ("exclude",),
        cell=cell,
    )


def not_python(name: str, cell: int, reader: str, statement: str, why: str) -> Problem:
    """A name that is bound to what only a notebook can give."""
    return Problem(f"cell {cell}: {escaped(reader)} needs {escaped(name)}, and `{shown(statement)}` {why}.", cell=cell)


def computed(name: str, cell: int, reader: str, statement: str, by: str) -> Problem:
    """A global whose value is computed when the module is imported."""
    return Problem(
        f"cell {cell}: {escaped(reader)} needs {escaped(name)}, and `{shown(statement)}` would run {escaped(by)} at "
        f"every start of the application. Include it, if that is wanted; bundle its value as a file; or make it a "
        f"durable function that {escaped(reader)} calls.",
        ("include", "bundle"),
        cell=cell,
    )


def awaited(name: str, cell: int, reader: str, statement: str) -> Problem:
    """A global that a cell awaits."""
    return Problem(
        f"cell {cell}: {escaped(reader)} needs {escaped(name)}, and `{shown(statement)}` awaits, which a module cannot "
        f"when it is imported. Make it an async function that {escaped(reader)} awaits, or bundle its value as a file.",
        ("bundle",),
        cell=cell,
    )


def changed(name: str, cell: int, readers: Collection[str], statement: str, how: str) -> Problem:
    """State that a statement makes which would be left out."""
    need = "needs" if len(readers) == 1 else "need"
    return Problem(
        f"cell {cell}: `{shown(statement)}` {how}, which {listed(readers)} {need}: without it the application would "
        f"start, and be wrong. Include it; bundle the value of {escaped(name)}; or make it a function that builds "
        f"{escaped(name)}. Exclude it, if it does not matter.",
        ("include", "bundle", "exclude"),
        cell=cell,
    )


def module_changed(name: str, cell: int, readers: Collection[str], statement: str) -> Problem:
    """A setting of a module that would be left out."""
    need = "needs" if len(readers) == 1 else "need"
    return Problem(
        f"cell {cell}: `{shown(statement)}` sets something of the module {escaped(name)}, which {listed(readers)} "
        f"{need}: left out, it is not set in the application. Include it, or set it in the function that needs it. "
        f"Exclude it, if it does not matter.",
        ("include", "exclude"),
        cell=cell,
    )


def circle(cells: Iterable[int]) -> Problem:
    """Statements of which each must run before the other."""
    where = listed([str(cell) for cell in cells])
    return Problem(f"the statements of cell {where} need each other to be there first. Put what they share above them.")
