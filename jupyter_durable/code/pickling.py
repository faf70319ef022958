"""Pickling of functions and classes by value, with globals shared by name.

Rules of this file
- A function is (code, globals, cells) first and its state later, so that recursion and shared cells come back as such.
- Code of the notebook gets the shared namespace as its globals; wrappers that a library made get the library's.
- A class is rebuilt by cloudpickle's rules, but only where the restoring side has no equal live class.
- A text that looks like a credential stops the pickle, wherever it hides.
"""

from __future__ import annotations

import functools
import inspect
import io
import marshal
import pickle
import sys
from collections.abc import Callable, Mapping
from hashlib import blake2b
from types import CellType, CodeType, FunctionType
from typing import Any, Final

import cloudpickle

from jupyter_durable.code.classify import durable_spec, home_module
from jupyter_durable.code.credentials import holds_credential, is_credential, is_secret_field, looks_secret
from jupyter_durable.code.form import Code
from jupyter_durable.code.hashing import class_hash
from jupyter_durable.code.names import cell_value, closure, globals_read, is_empty, names_used
from jupyter_durable.code.sources import RESTORED, Found, find_class, find_function

VERBS: Final = "jupyter_durable.verb"
NAMESPACE: Final = "jupyter_durable.namespace"
SET: Final = "jupyter_durable.set"
_SORTED: Final = frozenset({str, int, bytes, bool})
"""Sets of these are written in order, so that the hash seed does not show in the bytes."""


_REFUSALS: Final = (pickle.PicklingError, TypeError, AttributeError, ValueError, NameError, RecursionError, OSError)
"""What picklers and `__reduce__` methods raise for values that cannot be kept."""


class Unstorable(Exception):
    """A definition that cannot be kept by value."""


class HoldsCredential(Unstorable):
    """A definition with a credential in it, wherever it hides."""


class Verb:
    """Stands in a pickle for something that only the restoring side has."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self) -> object:
        raise TypeError(f"{self.name} is known to the restoring side only")


MAKE_FUNCTION: Final = Verb("make_function")
SET_FUNCTION: Final = Verb("set_function")
MAKE_CLASS: Final = Verb("make_class")
SET_CLASS: Final = Verb("set_class")
MAKE_CELL: Final = Verb("make_cell")
DECORATE: Final = Verb("decorate")
CACHE: Final = Verb("cache")
FIND_CLASS: Final = Verb("find_class")


class _Space:
    """Stands in a pickle for a dictionary of globals: None for the notebook's, a module's by its name, else by number.

    A numbered one belongs to generated functions (a named tuple's `__new__`); it fills up from their states.
    """

    def __init__(self, place: str | int | None) -> None:
        self.place = place


class Table:
    """Code objects, classes and source lines that one snapshot refers to."""

    def __init__(self, namespace: Mapping[str, object], options: Callable[[Any], Any]) -> None:
        self.namespace = namespace
        self.options = options
        self.clear()

    def clear(self) -> None:
        """Forget a dump that failed."""
        self.codes: list[Code] = []
        self.classes: dict[str, bytes] = {}
        self.referred: set[str] = set()
        """Notebook classes that plain data refers to by name."""
        self._numbers: dict[int, tuple[int, CodeType]] = {}
        self._found: dict[str, tuple[str, dict[int, str]]] = {}

    def dump(self, definitions: Mapping[str, object]) -> bytes:
        """Pickle of a mapping from names to functions, classes and wrappers. Raises `Unstorable`."""
        return self._dump(DefinitionPickler, dict(definitions))

    def dump_data(self, value: object) -> bytes:
        """Pickle of one plain-data global; its classes stay references to the namespace. Raises `Unstorable`."""
        return self._dump(_DataPickler, value)

    def _dump(self, pickler: type[DefinitionPickler], value: object) -> bytes:
        target = io.BytesIO()
        try:
            pickler(target, self).dump(value)
        except _REFUSALS as error:
            raise Unstorable(str(error)) from error
        return target.getvalue()

    @property
    def names(self) -> frozenset[str]:
        """Names, attributes included, that any code in the table uses."""
        return frozenset[str]().union(*(names_used(code) for _, code in self._numbers.values()))

    def number(self, fn: FunctionType, *, own: bool) -> int:
        """Index of a function's code in `codes`; `own`: it is the notebook's, so its source is kept."""
        code = fn.__code__
        known = self._numbers.get(id(code))
        if known is not None:
            return known[0]
        found = find_function(fn) if own else None
        filename = self.keep(found) if found is not None else code.co_filename if not own else "<no source>"
        kept = _renamed(code, filename)
        self.codes.append(
            {
                "marshalled": marshal.dumps(kept),
                "source": found.whole if found is not None else "",
                "filename": filename,
                "first": code.co_firstlineno,
                "qualname": code.co_qualname,
            }
        )
        self._numbers[id(code)] = len(self.codes) - 1, code
        return len(self.codes) - 1

    def keep(self, found: Found) -> str:
        """Note the lines of a definition; the file name its code gets, equal in every process."""
        name = f"{RESTORED}{blake2b(found.text.encode(), digest_size=6).hexdigest()}>"
        _, lines = self._found.setdefault(name, (found.text, {}))
        first, statement = found.statement
        for number, line in enumerate(statement, start=first):
            lines[number] = line
        return name

    def files(self) -> dict[str, str]:
        """Text by file name: the lines of definitions where they stood, all others empty."""
        return {
            name: "".join(lines.get(number, "\n") for number in range(1, max(lines, default=0) + 1))
            for name, (_, lines) in sorted(self._found.items())
        }


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
        self._foreign: dict[int, int] = {}

    def persistent_id(self, value: Any) -> Any:
        kind = type(value)
        if kind is str and looks_secret(value):
            raise HoldsCredential("holds a credential")
        if (kind is set or kind is frozenset) and value and {type(item) for item in value} <= _SORTED:
            return (SET, (kind is frozenset, sorted(value, key=lambda item: (type(item).__name__, item))))
        if kind is Verb:
            return (VERBS, value.name)
        if kind is _Space:
            return (NAMESPACE, value.place)
        return None

    def reducer_override(self, value: Any) -> Any:
        spec = durable_spec(value)
        if spec is not None and not isinstance(value, type):
            return DECORATE, (spec.fn, self._table.options(spec))
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
        self._refuse_credentials(fn)
        number = self._table.number(fn, own=not isinstance(space.place, str))
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
            "annotations": dict(fn.__annotations__),
            "attributes": dict(fn.__dict__),
            "cells": contents,
            "globals": self._globals(fn) if isinstance(space.place, int) else {},
        }
        return MAKE_FUNCTION, (number, space, cells), state, None, None, SET_FUNCTION

    @staticmethod
    def _refuse_credentials(fn: FunctionType) -> None:
        found = find_function(fn)
        signature = inspect.signature(fn, follow_wrapped=False).parameters.values()
        held = [*closure(fn), *((parameter.name, parameter.default) for parameter in signature)]
        written = found is not None and holds_credential(found.whole)
        if written or any(is_secret_field(name, value) for name, value in held):
            raise HoldsCredential("holds a credential")
        if any(looks_secret(text) for text in _literals(fn.__code__)):
            raise HoldsCredential("holds a credential")

    def _space(self, fn: FunctionType) -> _Space:
        if fn.__globals__ is self._table.namespace:
            return _Space(None)
        name = fn.__globals__.get("__name__")
        module = sys.modules.get(name) if isinstance(name, str) else None
        if module is None or vars(module) is not fn.__globals__:
            self._foreign.setdefault(id(fn.__globals__), len(self._foreign))
            return _Space(self._foreign[id(fn.__globals__)])
        # What is generated for a class of the notebook (a dataclass's `__init__`) has the globals of `__main__`.
        return _Space(None if name == "__main__" else str(name))

    def _globals(self, fn: FunctionType) -> dict[str, Any]:
        read = [*globals_read(fn.__code__), "__name__"]
        found = {name: fn.__globals__[name] for name in read if name in fn.__globals__}
        if any(is_credential(name, value) for name, value in found.items()):
            raise HoldsCredential("reads a credential")
        return found

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
        if found is not None and holds_credential(found.whole):
            raise HoldsCredential("holds a credential")
        if found is not None:
            self._table.keep(found)
        return MAKE_CLASS, (cls.__qualname__, digest, make, args), (setter, state), None, None, SET_CLASS


class _DataPickler(DefinitionPickler):
    """Writes plain data: classes of the notebook by reference, nothing else of the notebook at all."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type) and home_module(value, self._table.namespace) is None:
            first = value.__qualname__.partition(".")[0]
            if first not in self._table.namespace:
                raise Unstorable(f"{value.__qualname__} has no name of its own")
            self._table.referred.add(first)
            return FIND_CLASS, (value.__qualname__,)
        if isinstance(value, FunctionType) and home_module(value, self._table.namespace) is None:
            raise Unstorable("holds a function")
        return cloudpickle.Pickler.reducer_override(self, value)
