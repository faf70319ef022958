"""`jupyter durable deploy`: the applications of a file, sent to a server.

Rules of this file
- A script executes without what it does only `if __name__ == "__main__"`. Of a notebook only what defines executes:
  imports, functions, classes and plain values, as `%%durable` would decorate them. Nothing that a cell computes is run.
- They execute in the empty `__main__` that every command has, so that what is deployed is what a notebook would hold.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from jupyter_durable.cli.said import Said
from jupyter_durable.cli.verb import Asked
from jupyter_durable.client import deploying
from jupyter_durable.code.texts import remember_source, tree_of
from jupyter_durable.durable_cell.definitions import DECORATOR, is_durable_cell, with_decorators
from jupyter_durable.durable_cell.line import parsed_options
from jupyter_durable.errors import SDKUsageError

_DEFINING: Final = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def deploy(
    asked: Asked,
    source: Annotated[str, typer.Argument(metavar="FILE", help="A script, a notebook, or the name of a module.")],
    application: Annotated[
        str | None, typer.Argument(metavar="[APP]", help="Only this application; all that are defined if unsaid.")
    ] = None,
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="The server; JUPYTER_DURABLE_SERVER if unsaid.")
    ] = None,
) -> Said:
    """Send applications to a server, where their requests run from then on."""
    if server is not None:
        asked.engine.configure({"server": server})
    path = _file(source)
    sys.path.insert(0, str(path.parent))
    _define(path)
    wanted = [application] if application is not None else []
    sent = [deploying.deploy(asked.engine, spec) for spec in deploying.applications_here(wanted)]
    lines = [f"{each.application} is deployed on {each.server}, version {each.version}" for each in sent]
    return Said([each._asdict() for each in sent], [*lines])


def _file(source: str) -> Path:
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


def _define(path: Path) -> None:
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
