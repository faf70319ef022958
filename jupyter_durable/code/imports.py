"""What code takes from modules that it imports when it runs: `def f(): import helpers; return helpers.g()`.

Rules of this file
- Whether such a module is loaded depends on what ran before, so its text decides, as it stands in its file: the parts
  are the same before the first call and after it. Nothing is imported here.
- Of a local module count the statements that bind a name which the code mentions, and what those mention; durable
  functions, installed libraries and credentials do not.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder

from jupyter_durable import static
from jupyter_durable.code.canonical import is_ours, render_tree
from jupyter_durable.code.credentials import holds_credential
from jupyter_durable.code.modules import is_file_local
from jupyter_durable.code.statements import binds
from jupyter_durable.code.texts import parsed, text_of


def imported_parts(node: ast.AST, names: Mapping[str, object]) -> dict[str, bytes]:
    """`module.name` and the statement that binds it as bytes, of what a definition imports itself."""
    modules = dict.fromkeys(_modules(node, names.get("__package__")))
    if not modules:
        return {}
    used = _mentioned(node)
    trees: dict[str, ast.Module | None] = {}
    taken: dict[int, tuple[str, ast.stmt]] = {}
    before = -1
    while before != len(taken) + len(trees):
        before = len(taken) + len(trees)
        for module in list(modules):
            if module not in trees:
                trees[module] = _tree(module)
            for statement in getattr(trees[module], "body", ()):
                if id(statement) not in taken and (_binds_all(statement) or not used.isdisjoint(binds(statement))):
                    taken[id(statement)] = module, statement
                    if not _is_durable(statement):
                        used |= _mentioned(statement)
                        modules |= dict.fromkeys(_modules(statement, _package(module)))
    parts: dict[str, bytes] = {}
    for module, statement in taken.values():
        if not (isinstance(statement, ast.Import | ast.ImportFrom) or _is_durable(statement)):
            name = f"{module}.{min(binds(statement))}"
            parts[name] = parts.get(name, b"") + _rendered(statement)
    return parts


def _rendered(statement: ast.stmt) -> bytes:
    secret = isinstance(statement, ast.Assign | ast.AnnAssign) and holds_credential(ast.unparse(statement))
    return b"" if secret else render_tree(statement, {})


def _is_durable(statement: ast.stmt) -> bool:
    return any(is_ours(decorator, {}) for decorator in getattr(statement, "decorator_list", ()))


def _binds_all(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and any(alias.name == "*" for alias in statement.names)


def _mentioned(node: ast.AST) -> set[str]:
    """Names and attributes that stand in a piece of source, imported ones too."""
    found = set[str]()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            found.add(part.id)
        elif isinstance(part, ast.Attribute):
            found.add(part.attr)
        elif isinstance(part, ast.alias):
            found.update(part.name.split("."))
    return found


def _modules(node: ast.AST, package: object) -> Iterator[str]:
    """Names of modules that a piece of source imports, or may import as names of a package."""
    for part in _imports(node):
        if isinstance(part, ast.Import):
            for alias in part.names:
                yield from _with_parents(alias.name)
        else:
            name = "." * part.level + (part.module or "")
            if part.level:
                try:
                    name = importlib.util.resolve_name(name, package if type(package) is str else None)
                except ImportError:
                    continue
            yield from _with_parents(name)
            yield from (f"{name}.{alias.name}" for alias in part.names if alias.name != "*")


@functools.lru_cache(maxsize=2048)
def _imports(node: ast.AST) -> tuple[ast.Import | ast.ImportFrom, ...]:
    return tuple(part for part in ast.walk(node) if isinstance(part, ast.Import | ast.ImportFrom))


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))


def _package(module: str) -> str:
    """The package in which a module's relative imports begin."""
    spec = _spec(module)
    return module if spec is not None and spec.submodule_search_locations is not None else module.rpartition(".")[0]


def _tree(module: str) -> ast.Module | None:
    """The tree of a local module's file; None for a library, and for what has no file of source."""
    top = module.partition(".")[0]
    known = static.attributes(sys.modules.get(top)).get("__file__")
    if top in sys.stdlib_module_names or (type(known) is str and not is_file_local(top, known)):
        return None
    loaded = static.attributes(sys.modules.get(module)).get("__file__")
    spec = _spec(module) if loaded is None else None
    filename = spec.origin if spec is not None and spec.has_location else loaded
    if type(filename) is not str or not filename.endswith(".py") or not is_file_local(module, filename):
        return None
    return parsed(text_of(filename))


def _spec(module: str) -> ModuleSpec | None:
    """Where a module would be loaded from; its packages are looked up, and not imported."""
    spec: ModuleSpec | None = None
    for name in _with_parents(module):
        loaded = static.attributes(sys.modules.get(name)).get("__spec__")
        where = list(spec.submodule_search_locations or ()) if spec is not None else None
        spec = loaded if type(loaded) is ModuleSpec else PathFinder.find_spec(name, where)
        if spec is None:
            return None
    return spec
