"""What a script or a notebook defines, executed in the empty `__main__` that every command has.

Rules of this file
- A script executes without what it does only `if __name__ == "__main__"`. Of a notebook only what defines executes:
  imports, functions, classes and plain values, as `%%durable` would decorate them. Nothing that a cell computes is run.
- What is defined is what a notebook would hold: it is deployed, or a request is replayed with it.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from jupyter_durable.client import trusted, versions
from jupyter_durable.client.process import Process
from jupyter_durable.code.texts import remember_source, tree_of
from jupyter_durable.core.model import RequestRow
from jupyter_durable.durable_cell.definitions import DECORATOR, is_durable_cell, with_decorators
from jupyter_durable.durable_cell.line import parsed_options
from jupyter_durable.errors import SDKUsageError

Code = Annotated[
    str | None,
    typer.Option("--code", metavar="FILE", help="With the functions as this script or notebook defines them now."),
]
_DEFINING: Final = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def define_for(process: Process, row: RequestRow, source: str) -> None:
    """Define what a file does, and beside it what only the recorded code of a request has: values that cells computed.

    Raises `SDKUsageError`, `DeserializationError`, and what the code of the file raises.
    """
    define(file_of(source))
    here = versions.live_namespace()
    for name, value in versions.restored_version(trusted.code_of(process, row), process.signer).namespace.items():
        here.setdefault(name, value)


def file_of(source: str) -> Path:
    """A script or a notebook by its path, or a module by its name. Raises `SDKUsageError`."""
    path = Path(source)
    if path.is_file():
        return path.absolute()
    if path.suffix not in (".py", ".ipynb"):
        sys.path.insert(0, str(Path.cwd()))
        try:
            found = importlib.util.find_spec(source)
        except (ImportError, ValueError):
            found = None
        if found is not None and found.origin is not None and found.origin.endswith(".py"):
            return Path(found.origin).absolute()
    raise SDKUsageError(f"there is no script, notebook or module {source}")


def define(path: Path) -> None:
    """Execute what a file defines, in `__main__`. Raises `SDKUsageError`, and what its code raises."""
    sys.path.insert(0, str(path.parent))
    namespace = vars(sys.modules["__main__"])
    if path.suffix == ".ipynb":
        for number, cell in enumerate(_cells(path)):
            _define_cell(cell, f"<{path.name}, cell {number + 1}>", namespace)
        return
    namespace["__file__"] = str(path)
    tree = _tree(path.read_text("utf-8"), path.name)
    tree.body = [statement for statement in tree.body if not _is_guard(statement)]
    exec(compile(tree, str(path), "exec"), namespace)


def _cells(path: Path) -> list[str]:
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise SDKUsageError(f"{path} is no notebook: {error}") from None


def _define_cell(cell: str, name: str, namespace: dict[str, Any]) -> None:
    lines = cell.split("\n")
    text = "\n".join("#" + line if line.startswith(("%", "!")) and at else line for at, line in enumerate(lines))
    if text.lstrip().startswith(("%", "!")) and not is_durable_cell(text):
        text = "#" + text.lstrip()
    remember_source(name, text)
    if is_durable_cell(text):
        namespace[DECORATOR] = parsed_options(text).make_durable
        tree = with_decorators(text, parsed_options(text).plain)
    else:
        tree = _tree(text, name)
    tree.body = [statement for statement in tree.body if _defines(statement)]
    exec(compile(tree, name, "exec"), namespace)


def _tree(text: str, name: str) -> ast.Module:
    try:
        return tree_of(text)
    except SyntaxError as error:
        raise SDKUsageError(f"{name} is not Python: {error}") from None


def _defines(statement: ast.stmt) -> bool:
    """Whether a statement of a notebook defines something and computes nothing."""
    if isinstance(statement, _DEFINING):
        return True
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
        return False
    try:
        ast.literal_eval(statement.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _is_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) in (
        "__name__ == '__main__'",
        "'__main__' == __name__",
    )
