"""A by-value snapshot of the notebook code that a request can reach.

Rules of this file
- Functions and classes of the notebook form one shared namespace: a global is stored once, under its name, and never
  inside the function that reads it.
- What cannot be stored is named, with the statement that made it. Nothing fails here because of a user's value.
- Credentials are never stored, wherever they hide: in data, closures, defaults, constants or statements.
- Snapshots hold pickles: the caller signs them.
"""

from __future__ import annotations

import ast
import builtins
import io
import marshal
import pickle
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from jupyter_durable.code import statements
from jupyter_durable.code.classify import (
    durable_spec,
    home_module,
    is_code,
    is_credential,
    is_plain,
    looks_secret,
    redacted,
)
from jupyter_durable.code.form import FORMAT, Snapshot
from jupyter_durable.code.names import attached, closure, names_in, uses
from jupyter_durable.code.pickling import DefinitionPickler, Table, Unstorable
from jupyter_durable.code.sources import find_class, find_function, methods, parsed, remembered, text_of

DATA_LIMIT = 1_000_000
"""Bytes of pickle up to which a plain-data global is stored."""


def capture(
    roots: Mapping[str, object],
    namespace: dict[str, Any],
    *,
    cells: Callable[[str], str | None] | None = None,
    body: str | None = None,
    secrets: Collection[str] = (),
) -> bytes:
    """Bytes of a snapshot of `roots` and everything of `namespace` that they, or the cell source `body`, read.

    `cells` gives the statement that bound a global, from which it is found otherwise: the remembered cells.
    The bytes hold pickles; the caller signs and verifies them.
    """
    reach = _Reach(namespace)
    reach.add(roots)
    if body is not None:
        reach.names(names_in(parsed(body) or ast.Module([], [])))
    reach.run()
    return _Snapshot(namespace, cells, frozenset(secrets)).of(reach, body)


class _Reach:
    """Names of the namespace that code reads, and what they are bound to, transitively."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self.found: dict[str, object] = {}
        self._pending: list[object] = []
        self._seen: dict[int, object] = {}

    def add(self, bound: Mapping[str, object]) -> None:
        for name, value in bound.items():
            self.found[name] = value
            self._pending.append(value)

    def names(self, names: Iterable[str]) -> None:
        self.add({name: self._namespace[name] for name in names if name in self._namespace and name not in self.found})

    def run(self) -> None:
        while self._pending:
            value = self._pending.pop()
            if id(value) not in self._seen:
                self._seen[id(value)] = value
                self._visit(value)

    def _visit(self, value: object) -> None:
        spec = durable_spec(value)
        wrapped = getattr(value, "__wrapped__", None) if callable(value) else None
        if spec is not None and not isinstance(value, type):
            self._pending.append(spec.fn)
        elif isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, type):
            self._class(value)
        elif wrapped is not None:
            self._pending.append(wrapped)
        elif not isinstance(value, ModuleType) and home_module(type(value), self._namespace) is None:
            self._pending.append(type(value))
        elif isinstance(value, list | tuple | set | frozenset):
            self._pending.extend(item for item in value if callable(item))
        elif isinstance(value, dict):
            self._pending.extend(item for item in value.values() if callable(item))

    def _function(self, fn: FunctionType) -> None:
        if home_module(fn, self._namespace) is not None:
            return
        if fn.__globals__ is self._namespace:
            self.names(uses(fn))
        self._pending.extend(held for _, held in [*closure(fn), *attached(fn)])

    def _class(self, cls: type) -> None:
        if home_module(cls, self._namespace) is not None:
            return
        self._pending.extend([*methods(cls), *cls.__bases__, type(cls)])
        self.names(uses(cls))


class _Snapshot:
    """Sorts what was reached into definitions, data, imports and others, and makes the bytes."""

    def __init__(
        self, namespace: dict[str, Any], cells: Callable[[str], str | None] | None, secrets: frozenset[str]
    ) -> None:
        self._namespace = namespace
        self._cells = cells
        self._secrets = secrets
        self._imports: dict[str, tuple[str, str | None]] = {}
        self._data: dict[str, bytes] = {}
        self._others: dict[str, str] = {}
        self._definitions: dict[str, object] = {}

    def of(self, reach: _Reach, body: str | None) -> bytes:
        for name, value in sorted(reach.found.items()):
            if not name.startswith("__") and getattr(builtins, name, self) is not value:
                self._sort(name, value)
        table = Table(self._namespace)
        pickled = self._pickled(table)
        hidden = body is not None and looks_secret(body)
        if hidden:
            self._others["the cell's text"] = redacted(body or "")
        snapshot: Snapshot = {
            "format": FORMAT,
            "python": sys.version_info[:2],
            "definitions": pickled,
            "codes": table.codes,
            "data": self._data,
            "imports": self._imports,
            "submodules": _submodules(self._imports, table.names),
            "others": self._others,
            "classes": dict(sorted(table.classes.items())),
            "sources": self._sources(),
            "files": table.files(),
            "body": None if hidden else body,
        }
        return pickle.dumps(snapshot, 5)

    def _sort(self, name: str, value: object) -> None:
        """Put one global where it belongs."""
        module = home_module(value, self._namespace) if is_code(value) or callable(value) else None
        if isinstance(value, ModuleType) and value.__name__ in sys.modules and value.__name__ != "__main__":
            self._imports[name] = (value.__name__, None)
        elif module is not None:
            self._imports[name] = (module, getattr(value, "__qualname__", None) or getattr(value, "__name__", ""))
        elif is_code(value) or durable_spec(value) is not None or getattr(value, "__wrapped__", None) is not None:
            self._definitions[name] = value
        elif not is_credential(name, value, self._secrets) and self._is_data(name, value):
            pass
        else:
            self._other(name)

    def _is_data(self, name: str, value: object) -> bool:
        if not is_plain(value):
            return False
        try:
            pickled = DefinitionPickler.data(value, self._namespace)
        except (Unstorable, pickle.PicklingError, TypeError, AttributeError, RecursionError):
            return False
        if len(pickled) <= DATA_LIMIT:
            self._data[name] = pickled
        return name in self._data

    def _other(self, name: str) -> None:
        statement = self._statement(name)
        imported = statements.imported(statement, name)
        if imported is not None:
            self._imports[name] = imported
        else:
            self._others[name] = redacted(statement)

    def _statement(self, name: str) -> str:
        given = self._cells(name) if self._cells is not None else None
        if given is not None:
            return given
        texts = [text for _, text in remembered()]
        filename = self._namespace.get("__file__")
        if isinstance(filename, str):
            texts.append(text_of(filename))
        return statements.binding_statement(name, texts) or ""

    def _pickled(self, table: Table) -> bytes:
        """All definitions in one pickle; the ones that cannot be stored are found one by one and left out."""
        try:
            return table.dump(self._definitions)
        except Unstorable:
            pass
        for name, value in list(self._definitions.items()):
            try:
                Table(self._namespace).dump({name: value})
            except Unstorable:
                del self._definitions[name]
                self._other(name)
        table.clear()
        return table.dump(self._definitions)

    def _sources(self) -> dict[str, str]:
        found = {}
        for name, value in self._definitions.items():
            spec = durable_spec(value)
            target = spec.fn if spec is not None and not isinstance(value, type) else value
            target = getattr(target, "__wrapped__", target)
            place = find_function(target) if isinstance(target, FunctionType) else None
            place = find_class(target) if isinstance(target, type) else place
            if place is not None:
                found[name] = place.source
        return found


def _submodules(imports: Mapping[str, tuple[str, str | None]], names: frozenset[str]) -> list[str]:
    """Loaded submodules that the code can reach as attributes of the packages it imports."""
    packages = {module for module, attribute in imports.values() if attribute is None}
    return sorted(
        name
        for name in list(sys.modules)
        for package in packages
        if name.startswith(package + ".") and set(name[len(package) + 1 :].split(".")) <= names
    )
