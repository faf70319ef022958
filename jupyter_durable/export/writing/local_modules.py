"""Imports of modules that stood beside the notebook, and of files that it opens, as they are in the package.

Rules of this file
- Only the words that say where something comes from are replaced, in place: all else of the text stays as it is.
- A literal path of a file that comes along becomes `data_file(…)`, which knows where the package is.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from jupyter_durable.export.writing.naming import FILES
from jupyter_durable.records import NamedTuple

FINDER: Final = "data_file"
READER: Final = "data_value"


class _Edit(NamedTuple):
    first: tuple[int, int]
    last: tuple[int, int]
    """Line from 1, and byte in it."""
    text: str


def in_package(text: str, package: str, local: Collection[str], files: Mapping[str, str]) -> str:
    """The text of a module, or of a statement, as it is in the package.

    `local` are the top-level names of the modules that come along, `files` the paths that code opens, and where each
    stands below the folder of files.
    """
    tree = ast.parse(text)
    return _edited(text, [*_imports(tree, package, local), *_paths(tree, files)])


def opens(text: str, files: Mapping[str, str]) -> bool:
    """Whether a text names one of these files."""
    return any(True for _ in _paths(ast.parse(text), files))


def _imports(tree: ast.AST, package: str, local: Collection[str]) -> Iterator[_Edit]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _top(node.module or "") in local:
            yield _edit(node, _from(f"{package}.{node.module}", node.names))
        elif isinstance(node, ast.Import) and any(_top(each.name) in local for each in node.names):
            lines = [_import(each, package, local) for each in node.names]
            yield _edit(node, f"\n{' ' * node.col_offset}".join(lines))


def _from(module: str, names: list[ast.alias]) -> str:
    said = ", ".join(f"{each.name} as {each.asname}" if each.asname else each.name for each in names)
    line = f"from {module} import {said}"
    return line if len(line) <= 88 else f"from {module} import ({said})"


def _import(name: ast.alias, package: str, local: Collection[str]) -> str:
    if _top(name.name) not in local:
        return f"import {name.name} as {name.asname}" if name.asname else f"import {name.name}"
    above, _, last = f"{package}.{name.name}".rpartition(".")
    if name.asname or above == package:
        bound = name.asname or last
        return f"from {above} import {last}" + (f" as {bound}" if bound != last else "")
    # `import helpers.text` binds `helpers`, with the module in it.
    return f"import {package}.{name.name}  # noqa: F401\nfrom {package} import {_top(name.name)}"


def _paths(tree: ast.AST, files: Mapping[str, str]) -> Iterator[_Edit]:
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            place = files.get(node.value)
            if place is not None:
                yield _edit(node, f'{FINDER}("{place}")')


def _top(dotted: str) -> str:
    return dotted.partition(".")[0]


def _edit(node: ast.stmt | ast.expr, text: str) -> _Edit:
    last = (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
    return _Edit((node.lineno, node.col_offset), last, text)


def _edited(text: str, edits: list[_Edit]) -> str:
    if not edits:
        return text
    lines = [line.encode() for line in text.split("\n")]
    for edit in sorted(edits, reverse=True):
        (first, start), (last, end) = edit.first, edit.last
        joined = lines[first - 1][:start] + edit.text.encode() + lines[last - 1][end:]
        lines[first - 1 : last] = joined.split(b"\n")
    return b"\n".join(lines).decode()


def finder_text() -> str:
    """The module that finds the files of the package."""
    return f'''"""The files that come along with the application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def {FINDER}(name: str) -> str:
    """Path of a file that the application reads."""
    return str(_FOLDER / name)


def {READER}(name: str) -> Any:
    """A value that was kept as `NAME.json`."""
    return json.loads((_FOLDER / f"{{name}}.json").read_text("utf-8"))
'''


def imported_finder(package: str, names: Collection[str]) -> str:
    """The line that imports `names` of it."""
    return f"from {package}.{FILES} import {', '.join(sorted(names))}"
