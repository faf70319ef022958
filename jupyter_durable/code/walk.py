"""One walk over the code that a function or a class uses.

Rules of this file
- Counted: the function, the notebook's functions and classes it uses (through globals, closures, defaults, bases),
  those of local modules, and the plain-data globals they read (64 KiB each; credentials never).
- Not counted: durable functions that are called (their name stands in the source), installed libraries, and globals
  that the code itself changes (a cache, a list of results): they are its memory, not its code.
- Every function and class is visited once, so a walk ends; nothing of what it looks at runs.
- A walk notes what it has looked at (`seen_alike` asks again), so that its answer can be kept as long as that holds.
"""

from __future__ import annotations

import ast
import sys
from abc import ABCMeta
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from types import CellType, FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from jupyter_durable import static
from jupyter_durable.code.canonical import render_code, render_data, render_tree, without_durable
from jupyter_durable.code.changes import attributes_changed, names_changed, names_in
from jupyter_durable.code.classify import durable_spec, home_module, is_code, undecorated
from jupyter_durable.code.contents import (
    MAIN,
    code_in,
    counts_by_name,
    declared,
    holds_data,
    is_descriptor,
    is_own,
    named,
)
from jupyter_durable.code.credentials import is_credential
from jupyter_durable.code.modules import is_local
from jupyter_durable.code.names import (
    CONTAINERS,
    attached,
    callables_in,
    cell_value,
    closure,
    globals_of,
    globals_read,
    names_used,
    uses,
)
from jupyter_durable.code.plain import ATOMS
from jupyter_durable.code.sources import Found, find_class, find_function, methods
from jupyter_durable.static import is_a

DATA_LIMIT: Final = 64 * 1024
"""Plain-data globals up to this many bytes belong to the code that reads them."""
WATCHED_BYTES: Final = 1024
"""Data up to this many bytes is looked into at each call; of larger data only that it is the same object."""
_PLAIN_META: Final = static.Kinds(type, ABCMeta)
"""Other metaclasses keep what they like in their classes."""
_ABSENT: Final = object()


class Seen(NamedTuple):
    """What a walk has looked at."""

    bound: list[tuple[Mapping[str, object], str, object]]
    """Names and what they were bound to."""
    cells: list[tuple[CellType, object]]
    codes: list[tuple[FunctionType, object]]
    contents: list[tuple[object, bytes | None]]
    """Data that can change in place, and its bytes."""
    tables: list[tuple[object, list[tuple[str, object]]]]
    """Containers, and the callables in them."""


def seen_alike(seen: Seen) -> bool:
    """Whether a walk would see the same again."""
    return (
        all(names.get(name, _ABSENT) is value for names, name, value in seen.bound)
        and all(fn.__code__ is code for fn, code in seen.codes)
        and all(cell_value(cell) is value for cell, value in seen.cells)
        and all(render_data(value, DATA_LIMIT) == data for value, data in seen.contents)
        and all(_same_rows(list(code_in(value)), rows) for value, rows in seen.tables)
    )


def _same_rows(one: list[tuple[str, object]], other: list[tuple[str, object]]) -> bool:
    return len(one) == len(other) and all(a[0] == b[0] and a[1] is b[1] for a, b in zip(one, other, strict=True))


class Watched(NamedTuple):
    """A name under which code reads plain data."""

    names: Mapping[str, object]
    name: str
    value: object
    rendered: bytes | None
    """Its bytes, where it is small and can change in place."""


def holds(watched: Sequence[Watched]) -> bool:
    """Whether the data is as it was: bound to the same objects, which have not changed."""
    for names, name, value, rendered in watched:
        if names.get(name, _ABSENT) is not value:
            return False
        if rendered is not None and render_data(value, WATCHED_BYTES) != rendered:
            return False
    return True


class Walk:
    """The parts of one function or class, by name; `seen` is filled on the way."""

    def __init__(
        self, namespace: Mapping[str, object] | None, *, for_class: bool = False, for_argument: bool = False
    ) -> None:
        """`for_class`: of a class only what makes it the same; `for_argument`: also what was assigned to it later."""
        self.seen = Seen([], [], [], [], [])
        self._namespace = namespace if namespace is not None else {}
        self._for_class = for_class
        self._for_argument = for_argument
        self._parts: dict[str, bytes] = {}
        self._data: dict[str, bytes] = {}
        self._bound: dict[str, tuple[Mapping[str, object], str, object]] = {}
        self._changed: set[str] = set()
        self._visited: dict[int, object] = {}
        self._taken: set[tuple[int, str]] = set()
        self._read: dict[str, object] = {}
        self._bare: set[int] = set()

    def parts(self, root: object) -> dict[str, bytes]:
        """Named parts with 16 bytes each."""
        target = undecorated(root)
        pending = [(static.qualname(target) or static.type_name(target), target)]
        while pending:
            name, value = pending.pop()
            if callable(value):
                if id(value) in self._visited:
                    continue
                self._visited[id(value)] = value
            pending.extend(self._visit(name, value))
        for name in self._data.keys() & self._changed:
            del self._parts[name]
        own = [*closure(target), *attached(target)] if is_a(target, FunctionType) else []
        self._bare = {id(value) for _, value in own}
        return self._parts

    def read(self) -> dict[str, object]:
        """What the code of `parts` reads of an argument's globals and is no plain data, but for what it changes itself.

        What the function itself closes over, and its defaults, are left out: they are looked at with it.
        """
        return {
            name: value
            for name, value in self._read.items()
            if not self._is_memory(name) and id(value) not in self._bare
        }

    def _is_memory(self, name: str) -> bool:
        """Whether the code changes itself what it reads by this name."""
        return name in self._changed

    def watched(self) -> tuple[Watched, ...]:
        """The plain data that the code of `parts` reads by a name, but for what it changes itself."""
        found = []
        for part, rendered in self._data.items():
            if part in self._bound and part not in self._changed:
                names, name, value = self._bound[part]
                inside = type(value) not in ATOMS and len(rendered) <= WATCHED_BYTES
                found.append(Watched(names, name, value, rendered if inside else None))
        return tuple(found)

    def _add(self, name: str, data: bytes) -> None:
        """Two functions can stand under one name: one that was redefined, and the new one it calls."""
        while name in self._parts:
            name += "'"
        self._parts[name] = blake2b(data, digest_size=16).digest()

    def _visit(self, name: str, value: Any) -> Iterator[tuple[str, object]]:
        if is_a(value, FunctionType):
            yield from self._function(name, value)
        elif is_a(value, type):
            yield from self._class(name, value)
        elif callable(value):
            for key, held in _held_functions(value):
                yield from self._used(f"{name}{key}", held)
        rows = list(callables_in(value) if self._for_class else code_in(value))
        if rows:
            self.seen.tables.append((value, rows))
        for key, held in rows:
            yield from self._used(named(name, key, held), held)
        if self._for_class or is_code(value):
            return
        if callable(value) and not holds_data(value):
            self._beside(name, value)
        elif name not in self._parts:
            self._plain(name, value)
        if is_own(type(value)):
            yield from self._used(static.type_name(value), type(value))

    def _plain(self, name: str, value: object) -> None:
        rendered = render_data(value, DATA_LIMIT)
        if type(value) not in ATOMS:
            self.seen.contents.append((value, rendered))
        if rendered is not None and not is_credential(name.rpartition(".")[2], value):
            self._add(name, rendered)
            self._data[name] = rendered
        elif rendered is None:
            self._beside(name, value)

    def _beside(self, name: str, value: object) -> None:
        """Keep what is read and has no bytes here; a function that is wrapped, and what a library holds, have them."""
        if not self._for_argument or is_credential(name.rpartition(".")[2], value):
            return
        wraps = callable(value) and static.wrapped(value) is not None and not is_own(type(value))
        if not wraps and not counts_by_name(name, value):
            self._read[name] = value

    def _function(self, name: str, fn: FunctionType) -> Iterator[tuple[str, object]]:
        library = _library(fn)
        self.seen.codes.append((fn, fn.__code__))
        if library is None:
            found = find_function(fn)
            self._add(name, render_tree(found.node, fn.__globals__) if found is not None else render_code(fn.__code__))
            if found is not None:
                self._changed |= names_changed(found.node)
            attributes = names_used(fn.__code__)
            for used in uses(fn):
                yield from self._global(used, fn.__globals__, attributes)
            yield from self._owner(fn)
            if self._for_argument:
                self._assigned(
                    name, static.attributes(fn), attributes_changed(found.node) if found is not None else set(), ()
                )
        else:
            self._add(name, f"{library}.{fn.__code__.co_qualname}".encode())
        self.seen.cells.extend((cell, cell_value(cell)) for cell in fn.__closure__ or ())
        for kind, held in [*closure(fn), *attached(fn)]:
            yield from self._used(f"{name}.{kind}", held)

    def _owner(self, fn: FunctionType) -> Iterator[tuple[str, object]]:
        """The class of a method, which gives `self` its other methods."""
        owner, _, method = fn.__qualname__.rpartition(".")
        cls = fn.__globals__.get(owner)
        if is_a(cls, type) and method in static.members(cls):
            self.seen.bound.append((fn.__globals__, owner, cls))
            yield from self._used(owner, cls)

    def _class(self, name: str, cls: type) -> Iterator[tuple[str, object]]:
        found = find_class(cls)
        names = globals_of(cls, self._namespace)
        if found is not None:
            self._add(name, render_tree(self._statement(found, names), names))
        else:
            self._add(name, _shape(cls, durable=self._for_class))
            if self._for_argument and static.module_name(cls) != "builtins":
                self._made(name, cls)
        content = static.members(cls)
        self.seen.bound.extend((content, key, held) for key, held in content.items())
        if self._for_argument:
            memory = attributes_changed(found.node) if found is not None else set()
            self._assigned(name, content, memory, _said_by(cls, found))
        yield from self._members(name, cls, found)
        for base in static.bases(cls):
            yield from self._used(static.qualname(base) or "", base)
        own = list(methods(cls, durable=self._for_class))
        attributes = frozenset[str]().union(*(names_used(method.__code__) for method in own))
        for method in own:
            for used in globals_read(method.__code__):
                yield from self._global(used, method.__globals__, attributes)
        for used in names_in(self._statement(found, names)) if found is not None else ():
            yield from self._global(used, names, attributes)

    def _made(self, name: str, cls: type) -> None:
        """Of a class that no statement made, what it was made of."""
        for key, held in declared(cls, DATA_LIMIT).items():
            self._beside(f"{name}.{key}", held)

    def _members(self, name: str, cls: type, found: Found | None) -> Iterator[tuple[str, object]]:
        """The code in a class that its statement does not say: in tables, put there later, made in a function."""
        if self._for_class:
            return
        qualname = static.qualname(cls) or ""
        for key, held in static.members(cls).items():
            rows = list(code_in(held)) if key[:2] != "__" and type(held) in CONTAINERS else []
            if rows:
                self.seen.tables.append((held, rows))
            for inner, code in rows:
                yield from self._used(named(f"{name}.{key}", inner, code), code)
        made = found is None or "<locals>" in qualname
        for method in methods(cls, durable=False):
            home = method.__globals__.get("__name__")
            if home not in MAIN and not (type(home) is str and is_local(home)):
                continue  # as `namedtuple` makes them
            if not method.__qualname__.startswith(f"{qualname}."):
                yield from self._used(f"{name}.{method.__name__}", method)
            elif made:
                self.seen.cells.extend((cell, cell_value(cell)) for cell in method.__closure__ or ())
                for kind, held in [*closure(method), *attached(method)]:
                    yield from self._used(f"{name}.{method.__name__}.{kind}", held)

    def _assigned(self, name: str, content: Mapping[str, object], memory: set[str], said: Collection[str]) -> None:
        """The data that a function or class holds now, but for what its own code changes, or says and is not plain."""
        for key, held in content.items():
            if key[:2] == "__" or key in memory or is_code(held):
                continue
            rendered = render_data(held, DATA_LIMIT)
            if rendered is None and key not in said and not is_descriptor(held):
                self._beside(f"{name}.{key}", held)
            elif rendered is not None and not callable(held) and not is_credential(key, held):
                self._add(f"{name}.{key}", rendered)
                self.seen.contents.append((held, rendered))

    def _statement(self, found: Found, names: Mapping[str, object]) -> ast.AST:
        node = found.node
        return without_durable(node, names) if isinstance(node, ast.ClassDef) and not self._for_class else node

    def _global(
        self, name: str, names: Mapping[str, object], attributes: frozenset[str]
    ) -> Iterator[tuple[str, object]]:
        value = names.get(name, _ABSENT)
        self.seen.bound.append((names, name, value))
        if is_a(value, ModuleType):
            yield from self._module(name, value, attributes)
        elif value is not _ABSENT:
            home = names.get("__name__")
            prefix = f"{home}." if home != "__main__" and names is not self._namespace else ""
            self._bound[prefix + name] = names, name, value
            yield from self._used(prefix + name, value)

    def _module(self, name: str, module: object, attributes: frozenset[str]) -> Iterator[tuple[str, object]]:
        """What code takes from a local module and the modules in it, as `module.name`."""
        content = static.attributes(module)
        said = str(content.get("__name__"))
        if not is_local(said) and (type(module) is not ModuleType or said in sys.modules):
            return  # one that was made here is found nowhere else
        for attribute in sorted(attributes & content.keys()):
            if (id(module), attribute) in self._taken:
                continue
            self._taken.add((id(module), attribute))
            held = content[attribute]
            self.seen.bound.append((content, attribute, held))
            if is_a(held, ModuleType):
                yield from self._module(f"{name}.{attribute}", held, attributes)
            else:
                self._bound[f"{name}.{attribute}"] = content, attribute, held
                yield from self._used(f"{name}.{attribute}", held)

    def _used(self, name: str, value: object) -> Iterator[tuple[str, object]]:
        """What is used, if it counts: the durable and the installed do not."""
        if durable_spec(value) is not None or is_a(value, ModuleType):
            return
        if is_code(value):
            module = home_module(value, self._namespace)
            if module is not None and not is_local(module):
                return
        yield name, value


def _held_functions(value: object) -> list[tuple[str, object]]:
    """The functions that a callable object keeps in itself: what it wraps, vectorises, compiles."""
    wrapped = static.wrapped(value)
    if wrapped is not None:
        return [("", wrapped)]
    return [(f".{name}", held) for name, held in static.attributes(value).items() if is_a(held, FunctionType)]


def _shape(cls: type, *, durable: bool) -> bytes:
    """A class whose statement is not known: its methods' code, and its fields with what plain data they hold."""
    rendered = sorted(render_code(method.__code__) for method in methods(cls, durable=durable))
    fields = sorted(_field(key, held) for key, held in static.members(cls).items() if key[:2] != "__")
    return b",".join([*rendered, *fields])


def _field(name: str, value: object) -> bytes:
    return f"{name}={static.type_name(value)}".encode() + (render_data(value, DATA_LIMIT) or b"")


def _said_by(cls: type, found: Found | None) -> Collection[str]:
    """Names of the members that count by the statement of a class: not of one that is made anew at each call."""
    if found is None or type(cls) not in _PLAIN_META:
        return static.members(cls)
    if "<locals>" in (static.qualname(cls) or ""):
        return ()
    return {node.id for node in ast.walk(found.node) if isinstance(node, ast.Name)}


def _library(fn: FunctionType) -> str | None:
    """The installed module whose globals a function has (a wrapper made by a library's decorator), else None."""
    name = fn.__globals__.get("__name__")
    if type(name) is not str or name == "__main__" or static.attributes(sys.modules.get(name)) is not fn.__globals__:
        return None
    return None if is_local(name) else name
