"""What code keeps between calls and changes itself: its memory, which is not code.

Rules of this file
- A global that code binds anew or changes in place is memory, also where a function beside it changes it for it.
- So is a variable that a function closes over, or a default, but only where the source alone says what it began as
  (`{}`, `0`, `Counter()`): that counts instead. What was given to the function that made it goes on counting.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import TypeAlias

from jupyter_durable import static
from jupyter_durable.code import scopes
from jupyter_durable.code.canonical import render_tree
from jupyter_durable.code.changes import names_in
from jupyter_durable.code.modules import is_local
from jupyter_durable.code.names import CONTAINERS, defaults, globals_bound
from jupyter_durable.code.plain import ATOMS
from jupyter_durable.code.scopes import beginning, changes_outside, parameters_changed, passed_on
from jupyter_durable.code.sources import Found, find_function
from jupyter_durable.code.texts import parsed
from jupyter_durable.static import is_a

Place: TypeAlias = tuple[int, str]
"""Where a value is held: the id of the globals, of the cell or of the function with the default, and the name there."""


def globals_changed(fn: FunctionType, found: Found | None) -> frozenset[str]:
    """Names of the globals that a function changes."""
    if found is None:
        return globals_bound(fn.__code__)
    changed = changes_outside(found.node)
    for passed in passed_on(found.node):
        if type(fn.__globals__.get(passed.name)) in CONTAINERS and passed.name not in changed:
            called = fn.__globals__.get(passed.function)
            if type(called) is FunctionType and called.__globals__ is fn.__globals__:
                changed |= {passed.name} if _changes_parameter(called, passed.position) else set()
    return changed.difference(fn.__code__.co_freevars)


def _changes_parameter(fn: FunctionType, position: int) -> bool:
    found = find_function(fn) if position < fn.__code__.co_argcount else None
    if found is None:
        return False
    return fn.__code__.co_varnames[position] in parameters_changed(found.node, augmented=False)


def places(fn: FunctionType) -> Iterator[tuple[str, Place]]:
    """The variables that a function closes over and its defaults, as `closure` and `attached` call them."""
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=False):
        yield name, (id(cell), "")
    positional = len(fn.__defaults__ or ())
    for index, (parameter, _) in enumerate(defaults(fn)):
        yield f"default {index}" if index < positional else parameter, (id(fn), parameter)


def kept(fn: FunctionType, found: Found) -> dict[Place, bytes | None]:
    """Those of `places` that are memory, with what they began as, None where the function itself says that."""
    changed = changes_outside(found.node)
    memory: dict[Place, bytes | None] = {}
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=False):
        tree = parsed(found.text) if name in changed else None
        begun = beginning(tree, found.node, name) if tree is not None else None
        if begun and all(_says_all(value, fn.__globals__) for value in begun):
            memory[id(cell), ""] = b",".join(render_tree(value, fn.__globals__) for value in begun)
    given = dict(defaults(fn))
    for name in parameters_changed(found.node) & given.keys() if given else ():
        default = _default(found.node, name)
        if type(given[name]) not in ATOMS and default is not None and _says_all(default, fn.__globals__):
            memory[id(fn), name] = None
    return memory


def variables_around(found: Found) -> set[str]:
    """Names of the variables of the functions in which a definition stands."""
    tree = parsed(found.text)
    return scopes.variables_around(tree, found.node) if tree is not None else set()


def _default(node: ast.AST, name: str) -> ast.expr | None:
    """The expression of a parameter's default."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return None
    positional = [*node.args.posonlyargs, *node.args.args]
    rows = [*zip(reversed(positional), reversed(node.args.defaults)), *zip(node.args.kwonlyargs, node.args.kw_defaults)]  # noqa: B905
    return next((default for parameter, default in rows if parameter.arg == name), None)


def _says_all(value: ast.expr, names: Mapping[str, object]) -> bool:
    """Whether an expression depends on nothing but itself: all its names are types of installed libraries."""
    types = set[str]()
    for node in ast.walk(value):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = names.get(node.value.id)
            if is_a(module, ModuleType) and _is_installed(static.attributes(module).get(node.attr)):
                types.add(node.value.id)
        elif isinstance(node, ast.Name) and _is_installed(names.get(node.id, vars(builtins).get(node.id))):
            types.add(node.id)
    return types.issuperset(names_in(value))


def _is_installed(value: object) -> bool:
    home = static.module_name(value) if is_a(value, type) else None
    return home is not None and home != "__main__" and not is_local(home)
