"""One walk over the code that a function or a class uses.

Rules of this file
- Counted: the function, the notebook's functions and classes it uses (through globals, closures, defaults, bases),
  those of local modules (of what it imports itself the text: `imports`), and the plain-data globals they read
  (64 KiB each; credentials never).
- Not counted: durable functions that are called (their name stands in the source), installed libraries, and globals
  that the code itself changes (a cache, a list of results): they are its memory, not its code.
- Every function and class is visited once, so a walk ends; nothing of what it looks at runs.
- A walk notes what it has looked at (`seen_alike` asks again), so that its answer can be kept as long as that holds.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from jupyter_durable import static
from jupyter_durable.code import memory
from jupyter_durable.code.canonical import render_code, render_data, render_tree, without_durable
from jupyter_durable.code.changes import attributes_changed, attributes_in
from jupyter_durable.code.classes import assigned_later, code_in_class, library_of, owner_of, said_by, shape
from jupyter_durable.code.classify import durable_spec, home_module, is_code, undecorated
from jupyter_durable.code.constants import render_constant
from jupyter_durable.code.contents import (
    code_in,
    counts_by_name,
    declared,
    holds_data,
    is_alias,
    is_descriptor,
    is_own,
    named,
)
from jupyter_durable.code.credentials import is_credential
from jupyter_durable.code.imports import imported_parts
from jupyter_durable.code.modules import is_local, name_beside
from jupyter_durable.code.names import (
    attached,
    callables_in,
    cell_value,
    closure,
    globals_bound,
    globals_of,
    globals_read,
    names_used,
    uses,
)
from jupyter_durable.code.parts import Parts
from jupyter_durable.code.plain import ATOMS
from jupyter_durable.code.scopes import changes_outside, reads_outside
from jupyter_durable.code.seen import ABSENT, DATA_LIMIT, Seen, Watched
from jupyter_durable.code.sources import Found, find_class, find_function, methods
from jupyter_durable.hashes import blake2b
from jupyter_durable.static import is_a


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
        self._parts = Parts()
        self._visited: dict[int, object] = {}
        self._taken: set[tuple[int, str]] = set()
        self._read: dict[str, object] = {}
        self._bare: set[int] = set()
        self._named: set[str] = set()
        """Attributes that the code names."""
        self._later: list[tuple[str, type, str, object]] = []
        """What was put into classes after their statements; it counts where the code names it."""

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
        for name, cls, key, held in self._later:
            if key in self._named:
                self._parts.read_as(f"{name}.{key}", static.members(cls), key, held, self._parts.places.get(name))
                self._plain(f"{name}.{key}", held)
        self._parts.leave_out_memory()
        own = [*closure(target), *attached(target)] if is_a(target, FunctionType) else []
        self._bare = {id(value) for _, value in own}
        return self._parts.named

    def read(self) -> dict[str, object]:
        """What the code of `parts` reads of an argument's globals and is no plain data, but for what it changes itself.

        What the function itself closes over, and its defaults, are left out: they are looked at with it.
        """
        return {
            name: value
            for name, value in self._read.items()
            if not self._parts.is_memory(name) and id(value) not in self._bare
        }

    def watched(self) -> tuple[Watched, ...]:
        """The plain data that the code of `parts` reads by a name, but for what it changes itself."""
        return self._parts.watched()

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
        alias = (
            not self._for_argument and name in self._parts.places and is_alias(value)
        )  # in a table it counts with that
        kept = self._for_argument or not is_own(type(value))
        if callable(value) and kept and not holds_data(value) and not alias:
            self._beside(name, value)
        elif name not in self._parts.named:
            self._plain(name, value)
        if is_own(type(value)):
            yield from self._used(static.type_name(value), type(value))

    def _plain(self, name: str, value: object) -> None:
        rendered = (render_data if self._for_argument else render_constant)(value, DATA_LIMIT)
        if type(value) not in ATOMS:
            self.seen.contents.append((value, rendered))
        if rendered is not None and not is_credential(name.rpartition(".")[2], value):
            self._parts.add(name, rendered)
            self._parts.data[name] = rendered
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
        library = library_of(fn)
        self.seen.codes.append((fn, fn.__code__))
        if library is None:
            found = find_function(fn)
            self._parts.add(
                name, render_tree(found.node, fn.__globals__) if found is not None else render_code(fn.__code__)
            )
            self._parts.changes(memory.globals_changed(fn, found), fn.__globals__)
            if found is not None and not self._for_argument:
                self._parts.changed |= memory.kept(fn, found)
            self._imports(found.node if found is not None else None, fn.__globals__)
            attributes = names_used(fn.__code__)
            self._named |= attributes
            for used in uses(fn):
                yield from self._global(used, fn.__globals__, attributes)
            for owner, cls in owner_of(fn, self.seen):
                yield from self._used(owner, cls)
            if self._for_argument:
                self._assigned(
                    name, static.attributes(fn), attributes_changed(found.node) if found is not None else (), ()
                )
        else:
            self._parts.add(name, f"{library}.{fn.__code__.co_qualname}".encode())
        self.seen.cells.extend((cell, cell_value(cell)) for cell in fn.__closure__ or ())
        self._parts.places |= {f"{name}.{kind}": place for kind, place in memory.places(fn)}
        for kind, held in [*closure(fn), *attached(fn)]:
            yield from self._used(f"{name}.{kind}", held)

    def _imports(self, node: ast.AST | None, names: Mapping[str, object]) -> None:
        if node is not None and not self._for_class:
            for name, data in imported_parts(node, names).items():
                if self._parts.named.get(f"import {name}") != blake2b(data, digest_size=16).digest():
                    self._parts.add(f"import {name}", data)

    def _class(self, name: str, cls: type) -> Iterator[tuple[str, object]]:
        found = find_class(cls)
        names = globals_of(cls, self._namespace)
        if found is not None:
            self._parts.add(name, render_tree(self._statement(found, names), names))
        else:
            self._parts.add(name, shape(cls, durable=self._for_class))
            if self._for_argument and static.module_name(cls) != "builtins":
                for key, held in declared(cls, DATA_LIMIT).items():
                    self._beside(f"{name}.{key}", held)
        content = static.members(cls)
        self.seen.bound.extend((content, key, held) for key, held in content.items())
        if self._for_argument:
            own_memory = attributes_changed(found.node) if found is not None else ()
            self._assigned(name, content, own_memory, said_by(cls, found))
        for held_as, held in code_in_class(name, cls, found, self.seen) if not self._for_class else ():
            yield from self._used(held_as, held)
        for base in static.bases(cls):
            yield from self._used(static.qualname(base) or "", base)
        own = [method for method in methods(cls, durable=self._for_class) if library_of(method) is None]
        attributes = frozenset[str]().union(*(names_used(method.__code__) for method in own))
        statement = self._statement(found, names) if found is not None else None
        if statement is not None:
            attributes |= attributes_in(statement)
        self._named |= attributes
        if found is not None and not self._for_class and not self._for_argument:
            self._later += [(name, cls, key, held) for key, held in assigned_later(cls, found)]
        for method in own:
            self._parts.changes(globals_bound(method.__code__), method.__globals__)
            for used in globals_read(method.__code__):
                yield from self._global(used, method.__globals__, attributes)
        if found is not None and statement is not None:
            around = memory.variables_around(found)
            self._parts.changes(changes_outside(statement) - around, names)
            self._imports(statement, names)
            for used in reads_outside(statement):
                if used not in around:
                    yield from self._global(used, names, attributes)

    def _assigned(
        self, name: str, content: Mapping[str, object], memory: Collection[str], said: Collection[str]
    ) -> None:
        """The data that a function or class holds now, but for what its own code changes, or says and is not plain."""
        for key, held in content.items():
            if key[:2] == "__" or key in memory or is_code(held):
                continue
            rendered = render_data(held, DATA_LIMIT)
            if rendered is None and key not in said and not is_descriptor(held):
                self._beside(f"{name}.{key}", held)
            elif rendered is not None and not callable(held) and not is_credential(key, held):
                self._parts.add(f"{name}.{key}", rendered)
                self.seen.contents.append((held, rendered))

    def _statement(self, found: Found, names: Mapping[str, object]) -> ast.AST:
        node = found.node
        return without_durable(node, names) if isinstance(node, ast.ClassDef) and not self._for_class else node

    def _global(
        self, name: str, names: Mapping[str, object], attributes: frozenset[str]
    ) -> Iterator[tuple[str, object]]:
        value = names.get(name, ABSENT)
        self.seen.bound.append((names, name, value))
        if is_a(value, ModuleType):
            yield from self._module(name, value, attributes)
        elif value is not ABSENT:
            home = names.get("__name__")
            prefix = f"{name_beside(str(home))}." if home != "__main__" and names is not self._namespace else ""
            self._parts.read_as(prefix + name, names, name, value, (id(names), name))
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
                self._parts.read_as(f"{name}.{attribute}", content, attribute, held, (id(content), attribute))
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
