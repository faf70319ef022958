"""Which globals code reads.

Rules of this file
- Functions are judged by their bytecode, nested functions included, so that attributes and locals never count.
- Classes are judged by their methods: what the body of the `class` statement read is in the class already.
"""

from __future__ import annotations

import ast
import dis
import functools
import opcode
from collections.abc import Iterable, Iterator, Mapping
from types import CellType, CodeType, FunctionType
from typing import Final

from jupyter_durable.code.classify import ATOMS
from jupyter_durable.code.sources import methods, parsed

CONTAINERS: Final = frozenset({dict, list, tuple, set, frozenset})
_CHANGING: Final = frozenset(
    name
    for kind in (list, dict, set, bytearray)
    for name in dir(kind)
    if name in dir(kind) and not hasattr(tuple, name) and not hasattr(frozenset, name) and not hasattr(bytes, name)
) - {"get", "items", "keys", "values", "fromkeys"}
"""Methods by which builtin containers are changed in place."""
_NESTED: Final = 4
"""How deep in containers functions are looked for."""
_READS: Final = frozenset({opcode.opmap["LOAD_GLOBAL"], opcode.opmap["LOAD_NAME"]})


@functools.lru_cache(maxsize=4096)
def globals_read(code: CodeType) -> tuple[str, ...]:
    """Names of globals and builtins a code object reads, in order of first use."""
    names = {item.argval: None for item in dis.get_instructions(code) if item.opcode in _READS}
    for const in code.co_consts:
        if isinstance(const, CodeType):
            names.update(dict.fromkeys(globals_read(const)))
    return tuple(names)


def names_in(tree: ast.AST) -> list[str]:
    """Every name that is read anywhere in a piece of source, in order."""
    found = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return list(dict.fromkeys(found))


def names_changed(tree: ast.AST) -> set[str]:
    """Names whose value a piece of source changes in place: `name[…] = …`, `name.append(…)` and the like."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) and isinstance(node.value, ast.Name):
            found.add(node.value.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            held = node.func.value
            found |= {held.id} if isinstance(held, ast.Name) else set()
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def uses(value: FunctionType | type) -> list[str]:
    """Names of the globals a function or class reads when it is used, those of annotations written as text included."""
    names: dict[str, None] = {}
    if isinstance(value, FunctionType):
        names.update(dict.fromkeys(globals_read(value.__code__)))
    else:
        names.update({name: None for method in methods(value) for name in globals_read(method.__code__)})
    for annotation in annotations_of(value).values():
        tree = parsed(annotation) if isinstance(annotation, str) else None
        names.update(dict.fromkeys(names_in(tree) if tree is not None else ()))
    return list(names)


def annotations_of(value: FunctionType | type) -> dict[str, object]:
    """Annotations as they stand: nothing is evaluated that was not."""
    found = vars(value).get("__annotations__", {}) if isinstance(value, type) else value.__annotations__
    return dict(found)


def names_used(code: CodeType) -> frozenset[str]:
    """Names of globals, builtins and attributes a code object uses, nested functions included."""
    inner = [names_used(const) for const in code.co_consts if isinstance(const, CodeType)]
    return frozenset(code.co_names).union(*inner)


def closure(fn: FunctionType) -> Iterator[tuple[str, object]]:
    """(name, value) of the variables a function closes over; variables without a value are left out."""
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=False):
        value = cell_value(cell)
        if value is not _EMPTY:
            yield name, value


def attached(fn: FunctionType) -> Iterator[tuple[str, object]]:
    """(name, value) of defaults and of what the function wraps."""
    for index, value in enumerate(fn.__defaults__ or ()):
        yield f"default {index}", value
    yield from (fn.__kwdefaults__ or {}).items()
    wrapped = getattr(fn, "__wrapped__", None)
    if wrapped is not None:
        yield "wrapped", wrapped


def callables_in(value: object, depth: int = 0) -> Iterator[tuple[str, object]]:
    """(index or key, value) of functions, classes and other callables in containers and partials."""
    if isinstance(value, functools.partial):
        value = [value.func, *value.args, value.keywords]
    rows: Iterable[tuple[object, object]] = ()
    held = value.values() if type(value) is dict else value
    if type(value) not in CONTAINERS or set(map(type, held)) <= ATOMS:  # type: ignore[call-overload]
        return
    if type(value) is dict:
        rows = value.items()
    elif type(value) in {list, tuple}:
        rows = enumerate(value)  # type: ignore[arg-type]
    else:
        rows = ((getattr(item, "__qualname__", ""), item) for item in value)  # type: ignore[attr-defined]
    for key, item in rows:
        if callable(item):
            yield str(key), item
        elif depth < _NESTED:
            yield from ((f"{key}.{inner}", found) for inner, found in callables_in(item, depth + 1))


def globals_of(value: object, namespace: Mapping[str, object] | None) -> Mapping[str, object]:
    """The globals a function or class's names are looked up in."""
    if isinstance(value, FunctionType):
        return value.__globals__
    for method in methods(value) if isinstance(value, type) else ():
        return method.__globals__
    return namespace if namespace is not None else {}


class _Empty:
    pass


_EMPTY = _Empty()


def cell_value(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


def is_empty(value: object) -> bool:
    """Whether `cell_value` found no value."""
    return value is _EMPTY
