"""Pickling of functions and classes by value, with globals shared by name.

Rules of this file
- A function is (code, globals, cells) first and its state later, so that recursion and shared cells come back as such.
- Code of the notebook gets the shared namespace as its globals; wrappers that a library made get the library's.
- A class is rebuilt by cloudpickle's rules, but only where the restoring side has no equal live class.
- A text that looks like a credential stops the pickle, wherever it hides.
"""

from __future__ import annotations

import functools
import io
import marshal
import pickle
import sys
from collections.abc import Mapping
from hashlib import blake2b
from types import CellType, CodeType, FunctionType
from typing import Any, Final

import cloudpickle

from jupyter_durable.code.classify import durable_spec, home_module, looks_secret
from jupyter_durable.code.form import Code
from jupyter_durable.code.hashing import class_hash
from jupyter_durable.code.names import cell_value, is_empty
from jupyter_durable.code.sources import Found, find_class, find_function

VERBS: Final = "jupyter_durable.verb"
NAMESPACE: Final = "jupyter_durable.namespace"


class Unstorable(Exception):
    """A definition that cannot be kept by value."""


class Verb:
    """Stands in a pickle for something that only the restoring side has."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: object) -> object:
        raise TypeError(f"{self.name} is known to the restoring side only")


MAKE_FUNCTION: Final = Verb("make_function")
SET_FUNCTION: Final = Verb("set_function")
MAKE_CLASS: Final = Verb("make_class")
SET_CLASS: Final = Verb("set_class")
MAKE_CELL: Final = Verb("make_cell")
DECORATE: Final = Verb("decorate")
CACHE: Final = Verb("cache")


class _Space:
    """Stands in a pickle for a dictionary of globals."""

    def __init__(self, module: str | None) -> None:
        self.module = module


class Table:
    """Code objects, classes and source lines that one snapshot refers to."""

    def __init__(self, namespace: Mapping[str, object]) -> None:
        self.namespace = namespace
        self.clear()

    def clear(self) -> None:
        """Forget a dump that failed."""
        self.codes: list[Code] = []
        self.classes: dict[str, bytes] = {}
        self._numbers: dict[CodeType, int] = {}
        self._found: dict[str, tuple[str, dict[int, str]]] = {}

    def dump(self, definitions: Mapping[str, object]) -> bytes:
        """Pickle of a mapping from names to functions, classes and wrappers. Raises `Unstorable`."""
        target = io.BytesIO()
        try:
            DefinitionPickler(target, self).dump(dict(definitions))
        except Unstorable:
            raise
        except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError, OSError) as error:
            raise Unstorable(str(error)) from error
        return target.getvalue()

    @property
    def names(self) -> frozenset[str]:
        """Names, attributes included, that any code in the table uses."""
        return frozenset(name for code in self._numbers for name in _all_names(code))

    def number(self, code: CodeType, found: Found | None) -> int:
        """Index of a code object in `codes`."""
        known = self._numbers.get(code)
        if known is not None:
            return known
        filename = self._keep(found) if found is not None else "<no source>"
        kept = _renamed(code, filename)
        self.codes.append(
            {
                "marshalled": marshal.dumps(kept),
                "source": found.source if found is not None else None,
                "filename": filename,
                "first": found.first if found is not None else code.co_firstlineno,
                "name": code.co_name,
            }
        )
        self._numbers[code] = len(self.codes) - 1
        return len(self.codes) - 1

    def _keep(self, found: Found) -> str:
        """Note the lines of a definition; the file name its code gets, equal in every process."""
        name = f"<durable {blake2b(found.text.encode(), digest_size=6).hexdigest()}>"
        _, lines = self._found.setdefault(name, (found.text, {}))
        for number, line in enumerate(found.lines, start=found.first):
            lines[number] = line
        return name

    def files(self) -> dict[str, str]:
        """Text by file name: the lines of definitions where they stood, all others empty."""
        return {
            name: "".join(lines.get(number, "\n") for number in range(1, max(lines, default=0) + 1))
            for name, (_, lines) in sorted(self._found.items())
        }


def _all_names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            names |= _all_names(const)
    return names


def _renamed(code: CodeType, filename: str) -> CodeType:
    consts = tuple(_renamed(const, filename) if isinstance(const, CodeType) else const for const in code.co_consts)
    return code.replace(co_filename=filename, co_consts=consts)


def _literals(code: CodeType) -> list[str]:
    texts = [const for const in code.co_consts if isinstance(const, str)]
    for const in code.co_consts:
        if isinstance(const, CodeType):
            texts += _literals(const)
    return texts


class DefinitionPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Writes definitions for `restore`."""

    def __init__(self, target: io.BytesIO, table: Table) -> None:
        super().__init__(target, protocol=5)
        self._table = table
        self._filled: dict[int, CellType] = {}

    @classmethod
    def data(cls, value: object, namespace: Mapping[str, object]) -> bytes:
        """Pickle of one plain-data global; its classes stay references to the namespace."""
        target = io.BytesIO()
        _DataPickler(target, Table(namespace)).dump(value)
        return target.getvalue()

    def persistent_id(self, value: object) -> Any:
        kind = type(value)
        if kind is str and looks_secret(value):  # type: ignore[arg-type]
            raise Unstorable("holds a credential")
        if kind is Verb:
            return (VERBS, value.name)  # type: ignore[attr-defined]
        if kind is _Space:
            return (NAMESPACE, value.module)  # type: ignore[attr-defined]
        return None

    def reducer_override(self, value: Any) -> Any:
        spec = durable_spec(value)
        if spec is not None and not isinstance(value, type):
            return DECORATE, (spec.fn, dict(spec.options), getattr(spec, "kind", ""))
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, CellType):
            return MAKE_CELL, ()
        if isinstance(value, type):
            return self._class(value)
        if type(value) is type(functools.lru_cache(len)):
            return CACHE, (value.__wrapped__, value.cache_parameters())
        if self._is_by_name(value):
            raise Unstorable(f"{value!r} is kept by the name of a notebook global")
        return super().reducer_override(value)

    def _is_by_name(self, value: Any) -> bool:
        """Whether pickle would write a reference into the notebook for an object that is no function or class."""
        name = getattr(value, "__qualname__", None)
        return isinstance(name, str) and callable(value) and self._table.namespace.get(name) is value

    def _function(self, fn: FunctionType) -> Any:
        if home_module(fn, self._table.namespace) is not None:
            return NotImplemented
        space = self._space(fn)
        if any(looks_secret(text) for text in _literals(fn.__code__)):
            raise Unstorable("holds a credential")
        number = self._table.number(fn.__code__, find_function(fn))
        cells = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True))
        contents = []
        for cell in cells.values():
            held = cell_value(cell)
            if id(cell) not in self._filled and not is_empty(held):
                self._filled[id(cell)] = cell
                contents.append((cell, held))
        state = {
            "name": fn.__name__,
            "qualname": fn.__qualname__,
            "module": fn.__module__,
            "doc": fn.__doc__,
            "defaults": fn.__defaults__,
            "kwdefaults": fn.__kwdefaults__,
            "annotations": _annotations(fn),
            "attributes": dict(fn.__dict__),
            "cells": contents,
        }
        return MAKE_FUNCTION, (number, space, cells), state, None, None, SET_FUNCTION

    def _space(self, fn: FunctionType) -> _Space:
        if fn.__globals__ is self._table.namespace:
            return _Space(None)
        name = fn.__globals__.get("__name__")
        module = sys.modules.get(name) if isinstance(name, str) else None
        if module is None or vars(module) is not fn.__globals__ or name == "__main__":
            raise Unstorable(f"{fn.__qualname__} belongs to a namespace that cannot be imported")
        return _Space(str(name))

    def _class(self, cls: type) -> Any:
        reduced = super().reducer_override(cls)
        if home_module(cls, self._table.namespace) is not None or reduced is NotImplemented or len(reduced) != 6:
            return reduced
        make, args, state, _, _, setter = reduced
        # The last but one argument is a random id by which cloudpickle would hand out the class that is alive in this
        # process, changed by what it loads. A version's class is its own.
        args = (*args[:-2], None, args[-1])
        digest = class_hash(cls, self._table.namespace)
        if "<locals>" not in cls.__qualname__:
            self._table.classes[cls.__qualname__] = digest
        found = find_class(cls)
        source = found.source if found is not None else None
        if source is not None and looks_secret(source):
            raise Unstorable("holds a credential")
        return MAKE_CLASS, (cls.__qualname__, digest, make, args), (setter, state), None, None, SET_CLASS


class _DataPickler(DefinitionPickler):
    """Writes plain data: classes of the notebook by reference, nothing else of the notebook at all."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type) and home_module(value, self._table.namespace) is None:
            return Verb("find_class"), (value.__qualname__,)
        if isinstance(value, FunctionType):
            raise Unstorable("holds a function")
        return cloudpickle.Pickler.reducer_override(self, value)


def _annotations(fn: FunctionType) -> dict[str, Any]:
    return dict(fn.__annotations__)
