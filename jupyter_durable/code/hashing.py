"""The code hash: what of the code decides about a function's results.

Rules of this file
- Counted: the function, the notebook's functions and classes it uses (through globals, closures, defaults, bases),
  those of local modules, and the plain-data globals they read (64 KiB each; credentials never).
- Not counted: durable functions that are called (their name stands in the source), installed libraries, and globals
  that the code itself changes (a cache, a list of results): they are its memory, not its code.
- A hash is over named parts, so that "what changed" can name a helper.
- Nothing is remembered here unless asked for: `CodeHashes` remembers, by identity, until told to forget.
"""

from __future__ import annotations

import ast
import os
import site
import sys
import sysconfig
import weakref
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from types import FunctionType, ModuleType
from typing import Any, Final

from jupyter_durable.code.canonical import render_code, render_data, render_tree, without_durable
from jupyter_durable.code.classify import durable_spec, home_module, is_code, undecorated
from jupyter_durable.code.credentials import is_credential
from jupyter_durable.code.names import (
    attached,
    callables_in,
    closure,
    globals_of,
    globals_read,
    names_changed,
    names_in,
    names_used,
    uses,
)
from jupyter_durable.code.sources import Found, find_class, find_function, methods

DATA_LIMIT: Final = 64 * 1024
"""Plain-data globals up to this many bytes belong to the code that reads them."""


def code_hash(fn: Callable[..., Any] | type, namespace: Mapping[str, object] | None = None) -> bytes:
    """16 bytes over a function (or class) and everything of the notebook it uses.

    `namespace` is where names of classes without methods are looked up; functions know their own.
    """
    return _combined(explain(fn, namespace))


def class_hash(cls: type, namespace: Mapping[str, object] | None = None) -> bytes:
    """What makes two definitions the same class: its statement with all methods, its bases, and the code they use.

    Data globals do not count: a class reads the live ones, whichever version it belongs to.
    """
    return _combined(_Walk(namespace, for_class=True).parts(cls))


def explain(fn: Callable[..., Any] | type, namespace: Mapping[str, object] | None = None) -> dict[str, bytes]:
    """The named parts a code hash is made of, each with 16 bytes of its own.

    The function itself stands under its qualified name, helpers and globals under the name they are used by,
    those of local modules as `module.name`.
    """
    return _Walk(namespace).parts(fn)


def changed(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[str]:
    """Names of the parts that differ, were added or are gone, sorted."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


class CodeHashes:
    """Code hashes remembered by function identity, for callers that ask often.

    A helper can change while the function that uses it stays the same object: call `forget` when a cell has run.
    """

    def __init__(self, namespace: Mapping[str, object] | None = None) -> None:
        self._namespace = namespace
        self._known: weakref.WeakKeyDictionary[Any, dict[str, bytes]] = weakref.WeakKeyDictionary()

    def explain(self, fn: Callable[..., Any] | type) -> dict[str, bytes]:
        found = self._known.get(fn)
        if found is None:
            found = self._known[fn] = explain(fn, self._namespace)
        return found

    def of(self, fn: Callable[..., Any] | type) -> bytes:
        return _combined(self.explain(fn))

    def forget(self) -> None:
        self._known.clear()


def _combined(parts: Mapping[str, bytes]) -> bytes:
    whole = blake2b(digest_size=16)
    for name, part in sorted(parts.items()):
        whole.update(b"%d:%s%s" % (len(name.encode()), name.encode(), part))
    return whole.digest()


class _Walk:
    """One walk over the code a function uses; every function and class is visited once."""

    def __init__(self, namespace: Mapping[str, object] | None, *, for_class: bool = False) -> None:
        self._namespace = namespace if namespace is not None else {}
        self._for_class = for_class
        self._parts: dict[str, bytes] = {}
        self._data: set[str] = set()
        self._changed: set[str] = set()
        self._seen: dict[int, object] = {}

    def parts(self, root: object) -> dict[str, bytes]:
        target = undecorated(root)
        pending = [(str(getattr(target, "__qualname__", type(target).__name__)), target)]
        while pending:
            name, value = pending.pop()
            if callable(value):
                if id(value) in self._seen:
                    continue
                self._seen[id(value)] = value
            pending.extend(self._visit(name, value))
        for name in self._data & self._changed:
            del self._parts[name]
        return self._parts

    def _add(self, name: str, data: bytes) -> None:
        """Two functions can stand under one name: one that was redefined, and the new one it calls."""
        while name in self._parts:
            name += "'"
        self._parts[name] = blake2b(data, digest_size=16).digest()

    def _visit(self, name: str, value: object) -> Iterator[tuple[str, object]]:
        if isinstance(value, FunctionType):
            yield from self._function(name, value)
        elif isinstance(value, type):
            yield from self._class(name, value)
        elif getattr(value, "__wrapped__", None) is not None:
            yield from self._used(name, value.__wrapped__)  # type: ignore[attr-defined]
        for key, held in callables_in(value):
            yield from self._used(f"{name}.{key}", held)
        if not callable(value) and not self._for_class and name not in self._parts:
            rendered = render_data(value, DATA_LIMIT)
            if rendered is not None and not is_credential(name.rpartition(".")[2], value):
                self._add(name, rendered)
                self._data.add(name)

    def _function(self, name: str, fn: FunctionType) -> Iterator[tuple[str, object]]:
        library = _library(fn)
        if library is None:
            found = find_function(fn)
            self._add(name, render_tree(found.node, fn.__globals__) if found is not None else render_code(fn.__code__))
            if found is not None:
                self._changed |= names_changed(found.node)
            attributes = names_used(fn.__code__)
            for used in uses(fn):
                yield from self._global(used, fn.__globals__, attributes)
            yield from self._owner(fn)
        else:
            self._add(name, f"{library}.{fn.__code__.co_qualname}".encode())
        for kind, held in [*closure(fn), *attached(fn)]:
            yield from self._used(f"{name}.{kind}", held)

    def _owner(self, fn: FunctionType) -> Iterator[tuple[str, object]]:
        """The class of a method, which gives `self` its other methods."""
        owner, _, method = fn.__qualname__.rpartition(".")
        cls = fn.__globals__.get(owner)
        if isinstance(cls, type) and method in vars(cls):
            yield from self._used(owner, cls)

    def _class(self, name: str, cls: type) -> Iterator[tuple[str, object]]:
        found = find_class(cls)
        names = globals_of(cls, self._namespace)
        if found is not None:
            self._add(name, render_tree(self._statement(found, names), names))
        else:
            self._add(name, _shape(cls, durable=self._for_class))
        for base in cls.__bases__:
            yield from self._used(base.__qualname__, base)
        own = list(methods(cls, durable=self._for_class))
        attributes = frozenset[str]().union(*(names_used(method.__code__) for method in own))
        for method in own:
            for used in globals_read(method.__code__):
                yield from self._global(used, method.__globals__, attributes)
        for used in names_in(self._statement(found, names)) if found is not None else ():
            yield from self._global(used, names, attributes)

    def _statement(self, found: Found, names: Mapping[str, object]) -> ast.AST:
        node = found.node
        return without_durable(node, names) if isinstance(node, ast.ClassDef) and not self._for_class else node

    def _global(
        self, name: str, names: Mapping[str, object], attributes: frozenset[str]
    ) -> Iterator[tuple[str, object]]:
        value = names.get(name)
        home = names.get("__name__")
        prefix = f"{home}." if home != "__main__" and names is not self._namespace else ""
        if isinstance(value, ModuleType) and is_local(value.__name__):
            for attribute in sorted(attributes & vars(value).keys()):
                yield from self._used(f"{name}.{attribute}", vars(value)[attribute])
        elif value is not None or name in names:
            yield from self._used(prefix + name, value)

    def _used(self, name: str, value: object) -> Iterator[tuple[str, object]]:
        """What is used, if it counts: the durable and the installed do not."""
        if durable_spec(value) is not None or isinstance(value, ModuleType):
            return
        if is_code(value):
            module = home_module(value, self._namespace)
            if module is not None and not is_local(module):
                return
        yield name, value


def _shape(cls: type, *, durable: bool) -> bytes:
    """A class whose statement is not known: its methods' code, and names and types of its fields."""
    rendered = sorted(render_code(method.__code__) for method in methods(cls, durable=durable))
    fields = sorted(f"{key}={type(held).__name__}".encode() for key, held in vars(cls).items() if key[:2] != "__")
    return b",".join([*rendered, *fields])


def _library(fn: FunctionType) -> str | None:
    """The installed module whose globals a function has (a wrapper made by a library's decorator), else None."""
    name = fn.__globals__.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or vars(module) is not fn.__globals__ or name == "__main__" or is_local(str(name)):
        return None
    return str(name)


def is_local(module: str) -> bool:
    """Whether a module is the user's own: a file under the working directory, not an installed one."""
    filename = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(filename, str):
        return False
    path = os.path.realpath(filename)
    if not path.startswith(os.path.realpath(os.getcwd()) + os.sep):
        return False
    return not any(path.startswith(root + os.sep) for root in _installed())


def _installed() -> list[str]:
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages(), os.path.dirname(os.path.dirname(__file__))]
    return [os.path.realpath(path) for path in paths if path]
