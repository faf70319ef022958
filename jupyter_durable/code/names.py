"""Which globals code reads.

Rules of this file
- Functions are judged by their bytecode, nested functions included, so that attributes and locals never count.
- Classes are judged by their methods: what the body of the `class` statement read is in the class already.
- What objects hold is read by `static`: looking at a global never runs anything of its.
"""

from __future__ import annotations

import dis
import functools
import opcode
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import CellType, CodeType, FunctionType
from typing import Any, Final

from jupyter_durable import static
from jupyter_durable.code.changes import names_in
from jupyter_durable.code.classify import alias_parts, partial_parts
from jupyter_durable.code.plain import ATOMS
from jupyter_durable.code.sources import methods
from jupyter_durable.code.texts import parsed

CONTAINERS: Final = static.Kinds(dict, list, tuple, set, frozenset)
_NESTED: Final = 4
"""How deep in containers functions are looked for."""
_ITEMS: Final = 100_000
"""How many items of containers are looked at."""
_OBJECT: Final = 8
"""What an object holds costs so much more."""
_ORDERED: Final = static.Kinds(list, tuple)
_READS: Final = frozenset(
    opcode.opmap[name] for name in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS") if name in opcode.opmap
)
_BINDS: Final = frozenset({opcode.opmap["STORE_GLOBAL"], opcode.opmap["DELETE_GLOBAL"]})
_STORES_NAME: Final = opcode.opmap["STORE_NAME"]
_JUMPS: Final = frozenset(opcode.hasjrel) | frozenset(opcode.hasjabs)


@functools.lru_cache(maxsize=4096)
def globals_read(code: CodeType) -> tuple[str, ...]:
    """Names of globals and builtins a code object reads, in order of first use."""
    names: dict[str, None] = {}
    own: set[str] = set()  # what the body of a class has bound before it reads it
    straight = not code.co_exceptiontable
    for item in dis.get_instructions(code):
        straight = straight and item.opcode not in _JUMPS
        if item.opcode == _STORES_NAME and straight:
            own.add(item.argval)
        elif item.opcode in _READS and item.argval not in own:
            names[item.argval] = None
    for const in code.co_consts:
        if isinstance(const, CodeType):
            names.update(dict.fromkeys(globals_read(const)))
    return tuple(names)


@functools.lru_cache(maxsize=4096)
def globals_bound(code: CodeType) -> frozenset[str]:
    """Names of globals a code object binds or deletes."""
    inner = [globals_bound(const) for const in code.co_consts if isinstance(const, CodeType)]
    binds = not _BINDS.isdisjoint(code.co_code[::2])
    own = {item.argval for item in dis.get_instructions(code) if item.opcode in _BINDS} if binds else ()
    return frozenset(own).union(*inner)


def uses(value: FunctionType | type) -> list[str]:
    """Names of the globals a function or class reads when it is used, those of annotations written as text included."""
    names: dict[str, None] = {}
    for function in [value] if type(value) is FunctionType else methods(value):
        names.update(dict.fromkeys(globals_read(function.__code__)))
    for annotation in annotations_of(value).values():
        tree = parsed(annotation) if type(annotation) is str else None
        names.update(dict.fromkeys(names_in(tree) if tree is not None else ()))
    return list(names)


def annotations_of(value: FunctionType | type) -> dict[str, object]:
    """Annotations as they stand: nothing is evaluated that was not."""
    found = value.__annotations__ if type(value) is FunctionType else static.members(value).get("__annotations__")
    return dict(found) if type(found) is dict else {}


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
    wrapped = static.wrapped(fn)
    if wrapped is not None:
        yield "wrapped", wrapped


def defaults(fn: FunctionType) -> Iterator[tuple[str, object]]:
    """(parameter, value) of the defaults of a function."""
    given = fn.__defaults__ or ()
    positional = fn.__code__.co_varnames[: fn.__code__.co_argcount]
    yield from zip(positional[max(0, len(positional) - len(given)) :], given, strict=False)
    yield from (fn.__kwdefaults__ or {}).items()


def rows_of(value: Any) -> Iterable[tuple[str, object]]:
    """What a container, a partial or a type alias holds, by index or key; nothing for plain numbers and texts."""
    parts = partial_parts(value)
    if parts is not None:
        return _numbered([parts[0], *parts[1], parts[2]])
    alias = alias_parts(value)
    if alias is not None:
        return _numbered(alias)
    return static.copied(lambda: _held_in(value)) if type(value) in CONTAINERS else ()


def _held_in(value: Any) -> Sequence[tuple[str, object]]:
    if type(value) is dict:
        return () if ATOMS.hold(value.values()) else [(static.label(key), item) for key, item in value.items()]
    if ATOMS.hold(value):
        return ()
    if type(value) in _ORDERED:
        return [*_numbered(value)]
    return [(static.qualname(item) or "", item) for item in value]


def callables_in(
    value: object, rows: Callable[[Any], Iterable[tuple[str, object]]] = rows_of, nested: int = _NESTED
) -> Iterator[tuple[str, object]]:
    """(index or key, value) of functions, classes and other callables in containers, partials and type aliases.

    Each container is looked into once, and so many items at most. `rows`: what a value holds.
    """
    pending = deque([("", value, 0)])
    seen: set[int] = set()
    looked = 0
    while pending and looked < _ITEMS:
        prefix, part, depth = pending.popleft()
        if id(part) in seen:
            continue
        seen.add(id(part))
        for key, item in rows(part):
            looked += 1 if type(part) in CONTAINERS else _OBJECT
            if callable(item):
                yield f"{prefix}{key}", item
            elif depth < nested:
                pending.append((f"{prefix}{key}.", item, depth + 1))


def _numbered(items: Iterable[object]) -> Iterator[tuple[str, object]]:
    return ((str(index), item) for index, item in enumerate(items))


def globals_of(value: object, namespace: Mapping[str, object] | None) -> Mapping[str, object]:
    """The globals a function or class's names are looked up in: of a class those of the module that it is of."""
    if static.is_a(value, FunctionType):
        return value.__globals__
    module = static.module_name(value)
    for method in methods(value) if static.is_a(value, type) else ():
        if method.__globals__.get("__name__") == module:  # not what a decorator or a metaclass of a library made
            return method.__globals__
    loaded = static.attributes(sys.modules.get(module or ""))
    known = namespace if namespace is not None else {}
    return loaded if loaded and module not in {"__main__", "__mp_main__", known.get("__name__")} else known


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
