"""What stands in the way of an export, in words: all of it in one error, numbered.

Rules of this file
- A message names the cell, shows the line, says who needs it, and gives the ways out as they are typed.
- Text of the notebook is shortened, and its control characters are escaped: it is somebody else's.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from jupyter_durable.code.credentials import masked
from jupyter_durable.core.escaping import escaped
from jupyter_durable.errors import ExportError

INCLUDE: Final = "tag the cell `durable-include`, or write `# durable: include` behind the statement"
EXCLUDE: Final = "tag the cell `durable-exclude`, or write `# durable: exclude` behind the statement"
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


def shown(text: str) -> str:
    """The first line of a statement, as a message shows it."""
    first, _, more = text.strip().partition("\n")
    line = escaped(masked(first))
    return f"{line[: SHOWN - 1]}…" if len(line) > SHOWN or more else line


def listed(names: Iterable[str], most: int = 3) -> str:
    """`a`, `a and b`, `a, b and 4 more`."""
    all_names = [escaped(name) for name in dict.fromkeys(names)]
    if len(all_names) > most:
        return f"{', '.join(all_names[: most - 1])} and {len(all_names) - most + 1} more"
    return " and ".join([", ".join(all_names[:-1]), all_names[-1]] if len(all_names) > 1 else all_names)


def raise_for(problems: Sequence[str]) -> None:
    """Raises `ExportError` that holds them all; nothing where there are none."""
    found = list(dict.fromkeys(problems))
    if not found:
        return
    if len(found) == 1:
        raise ExportError(f"the notebook cannot be exported as it is: {found[0]}")
    lines = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(found, 1))
    raise ExportError(f"the notebook cannot be exported as it is, for {len(found)} reasons:\n{lines}")


def unresolved(name: str, cell: int, reader: str, known: Collection[str]) -> str:
    """A name that nothing binds."""
    name = escaped(name)
    said = f"cell {cell}: {escaped(reader)} reads {name}, "
    if name in ONLY_IN_NOTEBOOKS:
        return f"{said}which only a notebook has: {ONLY_IN_NOTEBOOKS[name]}."
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {escaped(near[0])}?" if near else "bind it in a cell, or import it."
    return f"{said}which no cell binds; {hint}"


def bound_where_left_out(name: str, cell: int, reader: str, left: int, why: str) -> str:
    """A name that is bound only where nothing can go in."""
    return (
        f"cell {cell}: {escaped(reader)} reads {escaped(name)}, which only cell {left} binds, and that is left out: "
        f"{why}. Bind it in an ordinary cell."
    )


def excluded(name: str, cell: int, reader: str, left: int) -> str:
    """A name that is bound only by what was excluded."""
    return (
        f"cell {cell}: {escaped(reader)} reads {escaped(name)}, which only cell {left} binds, and that is excluded "
        f"(`durable-exclude`). Take the mark away, or do without {escaped(name)}."
    )


def deleted(name: str, cell: int, reader: str, by: int) -> str:
    """A name that a `del` took away."""
    return (
        f"cell {cell}: {escaped(reader)} reads {escaped(name)}, which cell {by} deletes. "
        f"Leave the `del` out ({EXCLUDE}), or bind {escaped(name)} again."
    )


def not_python(name: str, cell: int, reader: str, statement: str, why: str) -> str:
    """A name that is bound to what only a notebook can give."""
    return f"cell {cell}: `{shown(statement)}` binds {escaped(name)}, which {escaped(reader)} needs, and {why}."


def computed(name: str, cell: int, reader: str, statement: str, by: str) -> str:
    """A global whose value is computed when the module is imported."""
    name = escaped(name)
    return (
        f"cell {cell}: `{shown(statement)}` is needed by {escaped(reader)}, and would run {escaped(by)} whenever the "
        f"application is imported. Three ways out: let it ({INCLUDE}); bundle its value as a file (--bundle {name}); "
        f"or make it a durable function that returns it, which {escaped(reader)} calls."
    )


def awaited(name: str, cell: int, reader: str, statement: str) -> str:
    """A global that a cell awaits."""
    return (
        f"cell {cell}: `{shown(statement)}` is needed by {escaped(reader)}, and awaits, which no module can when it is "
        f"imported. Make it an `async def` that {escaped(reader)} awaits, or bundle its value as a file "
        f"(--bundle {escaped(name)})."
    )


def changed(name: str, cell: int, readers: Iterable[str], statement: str, how: str) -> str:
    """State that a statement makes which would be left out."""
    name, who = escaped(name), listed(readers)
    return (
        f"cell {cell}: `{shown(statement)}` {how}, and {who} needs {name}: without this statement the application "
        f"would start, and be wrong. Include it ({INCLUDE}); bundle the value (--bundle {name}); or make it a function "
        f"that builds {name}. If it does not matter: {EXCLUDE}."
    )


def circle(cells: Iterable[int]) -> str:
    """Statements of which each must run before the other."""
    where = listed([str(cell) for cell in cells])
    return (
        f"cells {where} need each other when they are imported: no order of them works. Put what both need above both."
    )
