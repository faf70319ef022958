"""A by-value snapshot of the notebook code that a request can reach.

Rules of this file
- Functions and classes of the notebook form one shared namespace: a global is stored once, under its name, and never
  inside the function that reads it.
- What cannot be stored is named, with the statement that made it. Nothing fails here because of a user's value.
- Credentials are never stored, wherever they hide: in data, closures, defaults, constants or statements.
- Snapshots hold pickles: the caller signs them.
"""

from __future__ import annotations

import builtins
import pickle
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final, NewType, TypeVar

from jupyter_durable import static
from jupyter_durable.code import statements
from jupyter_durable.code.classify import Spec, durable_spec, home_module, is_code, undecorated, variable_of
from jupyter_durable.code.credentials import holds_credential, is_credential, redacted, shown
from jupyter_durable.code.form import BODY, FORMAT, Snapshot
from jupyter_durable.code.names import annotations_of, attached, callables_in, closure, uses
from jupyter_durable.code.pickling import HoldsCredential, Table, Unstorable
from jupyter_durable.code.plain import fields_of, is_plain, is_plain_with_code
from jupyter_durable.code.reads import names_needed
from jupyter_durable.code.sources import find_class, find_function, methods
from jupyter_durable.code.texts import RESTORED, remembered, text_of
from jupyter_durable.static import is_a

_TYPES: Final = static.Kinds(NewType, TypeVar)
DATA_LIMIT: Final = 1_000_000
"""Bytes of pickle up to which a plain-data global is stored."""


def _own_options(spec: Spec) -> Any:
    return dict(spec.options) if isinstance(spec.options, Mapping) else spec.options


def capture(
    roots: Mapping[str, object],
    namespace: dict[str, Any],
    *,
    cells: Callable[[str], str | None] | None = None,
    body: str | None = None,
    secrets: Collection[str] = (),
    options: Callable[[Any], Any] = _own_options,
) -> bytes:
    """Bytes of a snapshot of `roots` and everything of `namespace` that they, or the cell source `body`, read.

    `cells` gives the statement that bound a global; without it, or where it gives None, the remembered cells are
    searched. `secrets` are names of globals and of environment variables whose values are never stored. `options`
    makes of a durable function's spec what `redecorate` gets on restore, by default the spec's own options.
    The bytes hold pickles; the caller signs and verifies them.
    """

    def captured() -> bytes:
        reach = _Reach(namespace)
        reach.add(roots)
        if body is not None:
            reach.names(names_needed(body))
        found = _Found(namespace, cells, secrets)
        return found.snapshot(reach, Table(namespace, options), body)

    return static.copied(captured)  # other threads may change what is captured


def names_absent(roots: Mapping[str, object], namespace: dict[str, Any], body: str | None = None) -> frozenset[str]:
    """Names that `roots` and what they use, or the cell source `body`, read, and that nothing has."""

    def absent() -> frozenset[str]:
        reach = _Reach(namespace)
        reach.add(roots)
        if body is not None:
            reach.names(names_needed(body))
        reach.run()
        return frozenset(reach.absent)

    return static.copied(absent) - statements.top_level_bindings(body or "")


class _Reach:
    """Names of the namespace that code reads, and what they are bound to, transitively."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self.found: dict[str, object] = {}
        self.absent: set[str] = set()
        self._pending: list[object] = []
        self._seen: dict[int, object] = {}

    def add(self, bound: Mapping[str, object]) -> None:
        for name, value in bound.items():
            self.found[name] = value
            self._pending.append(value)

    def names(self, names: Iterable[str]) -> None:
        known = {name: name in self._namespace for name in names if name not in self.found}
        self.add({name: self._namespace[name] for name, there in known.items() if there})
        self.absent |= {name for name, there in known.items() if not there and not hasattr(builtins, name)}

    def run(self) -> None:
        while self._pending:
            value = self._pending.pop()
            if id(value) not in self._seen:
                self._seen[id(value)] = value
                self._visit(value)

    def _visit(self, value: object) -> None:
        spec = durable_spec(value)
        if spec is not None:
            self._pending.extend([spec.fn, *self._in_options(spec.options)])
        elif is_a(value, FunctionType):
            self._function(value)
        elif is_a(value, type):
            self._class(value)
        elif not is_a(value, ModuleType):
            self._pending.extend([type(value), static.wrapped(value)])
            self._pending.extend(held for _, held in callables_in(value))

    def _in_options(self, options: object) -> list[object]:
        """Classes named in options, as in `Retries(retry_on=(RateLimited,))`."""
        fields: Mapping[str, object] = options if is_a(options, dict) else fields_of(options) or {}
        found: list[object] = [held for _, held in callables_in(dict(fields))]
        for value in fields.values():
            found += [held for _, held in callables_in(fields_of(value) or {})]
        return found

    def _function(self, fn: FunctionType) -> None:
        if home_module(fn, self._namespace) is not None:
            return
        if fn.__globals__ is self._namespace:
            self.names(uses(fn))
            self._named(fn)
        else:
            self._pending.extend(fn.__globals__.get(name) for name in uses(fn))
        self._pending.extend(held for _, held in [*closure(fn), *attached(fn), *callables_in(annotations_of(fn))])

    def _class(self, cls: type) -> None:
        if home_module(cls, self._namespace) is not None:
            return
        self._named(cls)
        self._pending.extend([*methods(cls), *static.bases(cls), type(cls)])
        self._pending.extend(held for _, held in callables_in(annotations_of(cls)))
        self.names(uses(cls))

    def _named(self, value: FunctionType | type) -> None:
        """What was reached as an object is kept under its name too: values that are loaded later refer to it."""
        if is_a(value, type):
            variable = variable_of(value, self._namespace)
        else:
            own = static.qualname(value) or ""
            variable = own if self._namespace.get(own) is value else None
        if variable is not None:
            self.names([variable])


class _Found:
    """What was reached, sorted into definitions, data, imports and others."""

    def __init__(
        self, namespace: dict[str, Any], cells: Callable[[str], str | None] | None, secrets: Collection[str]
    ) -> None:
        self._namespace = namespace
        self._cells = cells
        self._secrets = secrets
        self._imports: dict[str, tuple[str, str | None]] = {}
        self._data: dict[str, bytes] = {}
        self._others: dict[str, str] = {}
        self._definitions: dict[str, object] = {}

    def snapshot(self, reach: _Reach, table: Table, body: str | None) -> bytes:
        self._sort_all(reach, table)
        definitions = self._dump(table)
        if body is not None and holds_credential(body):
            self._others[BODY] = redacted(body)
            body = None
        snapshot: Snapshot = {
            "format": FORMAT,
            "python": sys.version_info[:2],
            "definitions": definitions,
            "codes": table.codes,
            "data": dict(sorted(self._data.items())),
            "imports": dict(sorted(self._imports.items())),
            "submodules": _submodules(self._imports, table.names, body or ""),
            "others": dict(sorted(self._others.items())),
            "classes": dict(sorted(table.classes.items())),
            "sources": self._sources(),
            "files": table.files(),
            "body": body,
        }
        return pickle.dumps(snapshot, 5)

    def _sort_all(self, reach: _Reach, table: Table) -> None:
        """Data may refer to classes that nothing else reaches; those are reached then."""
        sorted_names: set[str] = set()
        reach.run()
        while new := sorted(reach.found.keys() - sorted_names):
            for name in new:
                if not name.startswith("__") and not self._is_builtin(name, reach.found[name]):
                    self._sort(name, reach.found[name], table)
            sorted_names.update(new)
            reach.names(sorted(table.referred))
            reach.run()
        self._definitions = dict(sorted(self._definitions.items()))

    def _is_builtin(self, name: str, value: object) -> bool:
        return hasattr(builtins, name) and getattr(builtins, name) is value

    def _sort(self, name: str, value: object, table: Table) -> None:
        """Put one global where it belongs."""
        module = home_module(value, self._namespace) if callable(value) else None
        if is_a(value, ModuleType):
            self._module(name, value)
        elif module is not None:
            self._imports[name] = (module, static.qualname(value))
        elif (
            is_code(value)
            or is_a(value, (NewType, TypeVar))
            or durable_spec(value)
            or static.wrapped(value) is not None
        ):
            self._definitions[name] = value
        elif not is_plain_with_code(value, DATA_LIMIT):
            self._other(name)
        elif is_credential(name, value, self._secrets):
            self._others[name] = shown(self._statement(name), name, value, self._secrets)
        elif is_plain(value, DATA_LIMIT):
            self._as_data(name, value, table)
        else:
            self._definitions[name] = value

    def _module(self, name: str, module: object) -> None:
        home = static.attributes(module).get("__name__")
        if type(home) is str and home != "__main__" and sys.modules.get(home) is module:
            self._imports[name] = (home, None)
        else:
            self._other(name)

    def _as_data(self, name: str, value: object, table: Table) -> None:
        from jupyter_durable.code.pickled_data import dump_data

        try:
            pickled = dump_data(table, value)
        except Unstorable:
            pickled = bytes(DATA_LIMIT + 1)
        if len(pickled) <= DATA_LIMIT:
            self._data[name] = pickled
        else:
            self._other(name)

    def _other(self, name: str, *, credential: bool = False) -> None:
        statement = self._statement(name)
        imported = statements.imported(statement, name)
        if imported is not None and name not in self._secrets:
            self._imports[name] = imported
        else:
            self._others[name] = redacted(statement, all_text=credential)

    def _statement(self, name: str) -> str:
        given = self._cells(name) if self._cells is not None else None
        if given is not None:
            return given
        texts = [text for filename, text in remembered() if not filename.startswith(RESTORED)]
        filename = self._namespace.get("__file__")
        if type(filename) is str:
            texts.append(text_of(filename))
        return statements.binding_statement(name, texts) or ""

    def _dump(self, table: Table) -> bytes:
        """All definitions in one pickle; those that cannot be stored are found one by one and left out."""
        try:
            return table.dump(self._definitions)
        except Unstorable:
            pass
        for name, value in list(self._definitions.items()):
            table.clear()
            try:
                table.dump({name: value})
            except Unstorable as error:
                del self._definitions[name]
                self._other(name, credential=isinstance(error, HoldsCredential))
        table.clear()
        return table.dump(self._definitions)

    def _sources(self) -> dict[str, str]:
        found = {}
        for name, value in self._definitions.items():
            target = undecorated(value)
            wrapped = static.wrapped(target)
            target = wrapped if wrapped is not None else target
            place = find_function(target) if type(target) is FunctionType else None
            place = find_class(target) if is_a(target, type) else place
            if place is not None:
                found[name] = place.source
        return found


def _submodules(imports: Mapping[str, tuple[str, str | None]], names: frozenset[str], body: str) -> list[str]:
    """Loaded submodules that the code can reach as attributes of the packages it imports."""
    packages = {module for module, attribute in imports.values() if attribute is None}
    names |= statements.attributes(body)
    return sorted(
        name
        for name in list(sys.modules)
        for package in packages
        if name.startswith(package + ".") and set(name[len(package) + 1 :].split(".")) <= names
    )
