"""Modules and packages beside the notebook that it imports: copied as they are. Nothing is imported here.

Rules of this file
- A module is local when its file lies in the notebook's folder, or in one that the notebook adds to `sys.path`.
- What local modules import is followed, absolute and relative alike; a package brings its `__init__`, always.
- The text in the file counts; a `%%writefile` cell whose file is not there yet gives its own.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from jupyter_durable.code.statements import binds
from jupyter_durable.code.texts import parsed
from jupyter_durable.errors import ExportError
from jupyter_durable.export.selection import LocalModule
from jupyter_durable.export.slicing.problems import Problem


class LocalModules:
    """The local modules that were asked for so far."""

    def __init__(self, folders: Sequence[Path], written: dict[str, tuple[int, str]]) -> None:
        """`folders`: where they are looked for; `written`: by file name (cell, text) of `%%writefile` cells."""
        self._folders = folders
        self._written = written
        self.problems: list[Problem] = []
        self._known: dict[str, LocalModule | None] = {}
        self.taken: dict[str, LocalModule] = {}
        self.outside: dict[str, None] = {}
        """Top-level names of modules that are neither local nor of the standard library."""

    def is_local(self, dotted: str) -> bool:
        """Whether a module is local."""
        return self.find(dotted) is not None

    def find(self, dotted: str) -> LocalModule | None:
        """The local module of that name, without taking it."""
        if dotted not in self._known:
            self._known[dotted] = self._found(dotted)
        return self._known[dotted]

    def _found(self, dotted: str) -> LocalModule | None:
        parts = dotted.split(".")
        if not all(part.isidentifier() for part in parts) or parts[0] in sys.builtin_module_names:
            return None
        for folder in self._folders:
            base = folder.joinpath(*parts)
            for file, is_package in ((base / "__init__.py", True), (base.with_name(f"{base.name}.py"), False)):
                if file.is_file():
                    return LocalModule(dotted, is_package, _text(file))
            if base.is_dir() and any(base.glob("*.py")) and not _is_installed(parts[0], folder):
                return LocalModule(dotted, True, "")
        _, text = self._written.get(_file_name(dotted), (0, None))
        return LocalModule(dotted, False, text) if text is not None else None

    def take(self, node: ast.AST, package: str = "") -> None:
        """Take what a piece of source imports. `package`: of the local module in which it stands."""
        for name, attributes in imported(node, package):
            self._take(name)
            for attribute in attributes:
                if self.find(name) is not None and self.is_local(f"{name}.{attribute}" if name else attribute):
                    self._take(f"{name}.{attribute}")

    def _take(self, dotted: str) -> None:
        top = dotted.partition(".")[0]
        if not self.is_local(top):
            if top and top not in sys.stdlib_module_names:
                self.outside[top] = None
            return
        parts = dotted.split(".")
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            module = self.find(name)
            if module is None or name in self.taken:
                continue
            self.taken[name] = module
            self._compare(module)
            tree = parsed(module.source)
            if tree is None:
                raise ExportError(f"the local module {name} is no Python of this version, so it cannot be exported.")
            self.take(tree, name if module.is_package else name.rpartition(".")[0])

    def _compare(self, module: LocalModule) -> None:
        """A file that a cell would write with another text is not what the notebook shows."""
        cell, text = self._written.get(_file_name(module.dotted), (0, module.source))
        if text.strip() != module.source.strip():
            said = f"cell {cell} writes {_file_name(module.dotted)}, and the file has another text."
            self.problems.append(
                Problem(f"{said} Run the cell, or take it out, so that it is clear what goes in.", (), cell)
            )

    def star(self, dotted: str) -> frozenset[str] | None:
        """What `from module import *` binds; None where it is not local."""
        module = self.find(dotted)
        if module is None:
            return None
        tree = parsed(module.source)
        body = tree.body if tree is not None else []
        listed = [_listed(node.value) for node in body if isinstance(node, ast.Assign) and "__all__" in binds(node)]
        if listed and listed[-1] is not None:
            return frozenset(listed[-1])
        names: set[str] = set()
        for node in body:
            names |= binds(node)
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                package = dotted if module.is_package else dotted.rpartition(".")[0]
                names |= self.star(resolved(node.level, node.module, package)) or set()
        return frozenset(name for name in names if not name.startswith("_") and name != "*")


def _file_name(dotted: str) -> str:
    return dotted.replace(".", "/") + ".py"


def imported(node: ast.AST, package: str = "") -> Iterator[tuple[str, list[str]]]:
    """(module, names taken from it) of each import in a piece of source, functions included."""
    for part in ast.walk(node):
        if isinstance(part, ast.Import):
            yield from ((alias.name, []) for alias in part.names)
        elif isinstance(part, ast.ImportFrom):
            module = resolved(part.level, part.module, package)
            names = [alias.name for alias in part.names if alias.name != "*"]
            if module:
                yield module, names
            else:  # `from . import helpers` beside the notebook
                yield from ((name, []) for name in names)
        elif (
            isinstance(part, ast.Call)
            and getattr(part.func, "attr", getattr(part.func, "id", "")) == "import_module"
            and part.args
            and isinstance(part.args[0], ast.Constant)
            and isinstance(part.args[0].value, str)
            and not part.args[0].value.startswith(".")
        ):
            yield part.args[0].value, []


def resolved(level: int, module: str | None, package: str) -> str:
    """The absolute name of a module that is imported in a package, or beside the notebook where there is none."""
    if not level:
        return module or ""
    parts = package.split(".") if package else []
    base = parts[: max(0, len(parts) - level + 1)]
    return ".".join([*base, *([module] if module else [])])


def _listed(node: ast.expr) -> list[str] | None:
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    texts = [part.value for part in node.elts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return texts if len(texts) == len(node.elts) else None


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ExportError(f"the local module {file.name} is not in UTF-8, so it cannot be exported.") from None
    except OSError as error:
        raise ExportError(f"the local module {file.name} cannot be read: {error.strerror or error}.") from error


def _is_installed(name: str, folder: Path) -> bool:
    """Whether a folder without `__init__.py` is hidden by an installed package of its name."""
    spec = PathFinder.find_spec(name)
    return spec is not None and spec.origin is not None and not Path(spec.origin).is_relative_to(folder)


def folders(directory: Path, statements: Iterable[ast.stmt]) -> list[Path]:
    """The notebook's folder, and those that it adds to `sys.path` by a relative path."""
    found = [directory]
    for node in statements:
        for part in ast.walk(node):
            if (
                isinstance(part, ast.Call)
                and isinstance(part.func, ast.Attribute)
                and part.func.attr in ("append", "insert")
                and ast.unparse(part.func.value) == "sys.path"
            ):
                for each in ast.walk(part.args[-1]) if part.args else ():
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        found.append((directory / each.value).resolve())
    return list(dict.fromkeys(folder for folder in found if folder.is_dir()))
