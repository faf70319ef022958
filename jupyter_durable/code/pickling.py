"""Pickling of functions and classes by value, with globals shared by name.

Rules of this file
- A function is (code, globals, cells) first and its state later, so that recursion and shared cells come back as such.
- Code of the notebook gets the shared namespace as its globals; wrappers that a library made get the library's.
- A class is rebuilt by cloudpickle's rules, but only where the restoring side has no equal live class.
- A text that looks like a credential stops the pickle, wherever it hides.
- An object in a closure, a default or a class is kept only where that runs nothing of the notebook's: no `__reduce__`,
  no attribute that it could answer as it likes.
"""

from __future__ import annotations

import functools
import io
import marshal
import pickle
import sys
import typing
from collections.abc import Callable, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any, Final

from jupyter_durable import static
from jupyter_durable.code.classify import class_named, durable_spec, home_module, name_of
from jupyter_durable.code.credentials import holds_credential, is_credential, is_secret_field, looks_secret
from jupyter_durable.code.form import Code
from jupyter_durable.code.hashing import class_hash
from jupyter_durable.code.names import cell_value, closure, defaults, globals_read, is_empty, names_used
from jupyter_durable.code.plain import overrides_lookup, restores_plainly
from jupyter_durable.code.sources import Found, find_class, find_function
from jupyter_durable.code.texts import RESTORED
from jupyter_durable.hashes import blake2b
from jupyter_durable.static import Kinds, is_a

VERBS: Final = "jupyter_durable.verb"
NAMESPACE: Final = "jupyter_durable.namespace"
SET: Final = "jupyter_durable.set"
_SORTED: Final = Kinds(str, int, bytes, bool)
"""Sets of these are written in order, so that the hash seed does not show in the bytes."""
_LRU: Final = type(functools.lru_cache(len))


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
MAKE_TYPED_DICT: Final = Verb("make_typed_dict")
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
        return self.write(DefinitionPickler, dict(definitions))

    def write(self, pickler: type[DefinitionPickler], value: object) -> bytes:
        """What a pickler makes of a value.

        Raises `Unstorable`, and what `static.copied` reads again for: another thread changed the value meanwhile.
        """
        target = io.BytesIO()
        try:
            pickler(target, self).dump(value)
        except Unstorable:
            raise
        # `__reduce__` of a library's object was called; what these raise is without limits.
        except Exception as error:
            if static.changed_meanwhile(error):
                raise
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


class _Reducers:
    """cloudpickle's, by type. Functions need none of them, and it takes as long to import as twenty of our files."""

    def __getitem__(self, kind: type) -> Any:
        import cloudpickle

        return cloudpickle.Pickler.dispatch_table[kind]


class DefinitionPickler(pickle.Pickler):
    """Writes definitions for `restore`."""

    dispatch_table: Any = _Reducers()

    def __init__(self, target: io.BytesIO, table: Table) -> None:
        super().__init__(target, protocol=5)
        self._table = table
        self._filled: dict[int, CellType] = {}
        self._foreign: dict[int, int] = {}

    def persistent_id(self, value: Any) -> Any:
        kind = type(value)
        if kind is str and looks_secret(value):
            raise HoldsCredential("holds a credential")
        if (kind is set or kind is frozenset) and value and _SORTED.hold(value):
            return (SET, (kind is frozenset, sorted(value, key=lambda item: (type(item).__name__, item))))
        if kind is Verb:
            return (VERBS, value.name)
        if kind is _Space:
            return (NAMESPACE, value.place)
        return None

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        spec = durable_spec(value) if kind is FunctionType else None
        if spec is not None:
            return DECORATE, (spec.fn, self._table.options(spec))
        if kind is FunctionType:
            return self._function(value)
        if kind is CellType:
            return MAKE_CELL, ()
        if is_a(value, type):
            return self._class(value)
        if kind is _LRU:
            kept = static.attributes(value)
            return CACHE, (kept["__wrapped__"], kept["cache_parameters"]())
        if kind is typing.NewType:
            return typing.NewType, (value.__qualname__, value.__supertype__)
        if kind is typing.TypeVar:  # cloudpickle would write a number that differs from process to process
            kept = {
                "bound": value.__bound__,
                "covariant": value.__covariant__,
                "contravariant": value.__contravariant__,
            }
            return functools.partial(typing.TypeVar, value.__name__, *value.__constraints__, **kept), ()
        if not restores_plainly(value):
            raise Unstorable(f"an object of {static.type_name(value)} says itself how it is kept")
        if self._is_by_name(value):
            raise Unstorable(f"{static.qualname(value)} is kept by the name of a notebook global")
        return NotImplemented

    def _is_by_name(self, value: Any) -> bool:
        """Whether pickle would write a reference into the notebook for an object that is no function or class."""
        name = static.qualname(value)
        return name is not None and callable(value) and self._table.namespace.get(name) is value

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
        held = [*closure(fn), *defaults(fn)]
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
        if static.attributes(module) is not fn.__globals__:
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
        if home_module(cls, self._table.namespace) is None and not _can_be_rebuilt(cls):
            raise Unstorable(f"{static.qualname(cls)} answers for another class")
        if home_module(cls, self._table.namespace) is None and typing.is_typeddict(cls):
            return self._typed_dict(cls)
        reduced = self._reduced(cls)
        if home_module(cls, self._table.namespace) is not None or reduced is NotImplemented or len(reduced) != 6:
            return reduced
        make, args, state, _, _, setter = reduced
        # The last but one argument is a random id by which cloudpickle would hand out the class that is alive in this
        # process, changed by what it loads. A version's class is its own.
        args = (*args[:-2], None, args[-1])
        name, digest = self._noted(cls)
        found = find_class(cls)
        if found is not None and holds_credential(found.whole):
            raise HoldsCredential("holds a credential")
        if found is not None:
            self._table.keep(found)
        return MAKE_CLASS, (name, digest, make, args), (setter, state), None, None, SET_CLASS

    def _reduced(self, cls: type) -> Any:
        """What cloudpickle makes of a class. It looks the names up one by one after it listed them."""
        import cloudpickle

        try:
            return cloudpickle.Pickler.reducer_override(self, cls)
        except KeyError as error:
            raise static.changed(f"class {static.qualname(cls)}") from error

    def _typed_dict(self, cls: Any) -> Any:
        """A typed dict, which cannot be made of its members as other classes can."""
        name, digest = self._noted(cls)
        fields = {key: (hint, key in cls.__required_keys__) for key, hint in cls.__annotations__.items()}
        return MAKE_TYPED_DICT, (name, digest, cls.__qualname__, fields)

    def _noted(self, cls: type) -> tuple[str, bytes]:
        """The name of a class in the notebook ("" for none) and its hash, which the snapshot notes."""
        digest = class_hash(cls, self._table.namespace)
        name = name_of(cls, self._table.namespace)
        if name is not None and class_named(self._table.namespace, name) is cls:
            self._table.classes[name] = digest
        return name or "", digest


def _can_be_rebuilt(cls: type) -> bool:
    """Whether a class can be taken apart without running its metaclass, and does not answer for another one."""
    return "__class__" not in static.members(cls) and not overrides_lookup(type(cls), ("__eq__", "__hash__"))
