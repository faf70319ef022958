"""A snapshot back into running code, in any kernel, without its defining cells.

Rules of this file
- Loading runs what the pickles say: the caller has verified the signature of the bytes.
- Functions and classes are the version's own, imports are imported, plain data is used only where the live namespace
  has none of that name, and everything else comes from the live namespace or is reported as missing.
- A class that is unchanged in the live namespace is that class, so that `isinstance` and `except` hold.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import io
import linecache
import marshal
import pickle
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from jupyter_durable import static
from jupyter_durable.code import pickling
from jupyter_durable.code.classify import ABSENT, class_named, classes_named, name_of
from jupyter_durable.code.form import FORMAT, Code, Missing, Snapshot, Version
from jupyter_durable.code.hashing import class_hash
from jupyter_durable.errors import DeserializationError
from jupyter_durable.static import is_a

_TYPED_DICT: Final[Any] = typing.TypedDict
Redecorate = Callable[[Callable[..., Any], dict[str, Any]], Any]


def restore(data: bytes, *, redecorate: Redecorate, live: dict[str, Any]) -> Version:
    """The code of a snapshot, with `live` (the notebook's globals now) filling in what it does not hold.

    `redecorate(fn, options)` makes a durable function again. Raises `DeserializationError` when the snapshot is
    damaged, of a newer format, or of a Python it cannot be rebuilt for. Only call it on bytes whose signature holds.
    """
    snapshot = _outer(data)
    return _Restore(snapshot, redecorate, live).version()


def find_class(module: str, qualname: str, *, live: Mapping[str, Any], version: Version | None) -> Any:
    """What a pickled reference to `module.qualname` means here; for the unpickler of values.

    A class of the notebook is the live one if there is one and it is unchanged (or no version is given), else the
    version's. Raises `DeserializationError` when there is neither, or it cannot be told which of several is meant.
    """
    if module not in {"__main__", "__mp_main__"}:
        return _attribute(importlib.import_module(module), qualname)
    alive = classes_named(live, qualname)
    found: Any = alive[0] if len(alive) == 1 else ABSENT
    recorded = version.classes.get(qualname) if version is not None else None
    if recorded is not None:
        found = next((cls for cls in alive if is_a(cls, type) and class_hash(cls, live) == recorded), ABSENT)
    if version is not None and not is_a(found, type):
        found = class_named(version.namespace, qualname)
    if found is ABSENT and len(alive) == 1:
        found = alive[0]
    if found is ABSENT:
        raise DeserializationError(_not_known(qualname, len(alive)))
    return found


def _not_known(qualname: str, several: int) -> str:
    if several:
        return (
            f"a stored value is of `{qualname}`, as {several} classes of this kernel call themselves, and it is not"
            " known which is meant: give each of them a name of its own, or execute its call again (rerun=)"
        )
    return f"a stored value is of `{qualname}`, which is not defined in this kernel: run the cell that defines it"


class ClassRegistry:
    """`find_class` for one live namespace and one version, as picklers want it; answers are remembered.

    Make one for a run: what a cell redefines meanwhile is seen by the next one.
    """

    def __init__(self, live: Mapping[str, Any], version: Version | None = None) -> None:
        self._live = live
        self._version = version
        self._known: dict[tuple[str, str], Any] = {}
        self._names: dict[int, tuple[type, str | None]] = {}

    def find_class(self, module: str, qualname: str) -> Any:
        """As the function of this name."""
        found = self._known.get((module, qualname), ABSENT)
        if found is ABSENT:
            found = find_class(module, qualname, live=self._live, version=self._version)
            self._known[module, qualname] = found
        return found

    def name_of(self, cls: type) -> str | None:
        """The name under which `find_class` finds a class of the notebook; None for one that is stored by value."""
        if "<locals>" in (static.qualname(cls) or ""):
            return None
        known = self._names.get(id(cls))
        if known is None:
            spaces = [self._live] if self._version is None else [self._version.namespace, self._live]
            name = next((name for space in spaces if (name := name_of(cls, space)) is not None), None)
            known = self._names[id(cls)] = (cls, name)
        return known[1]


def _attribute(module: Any, qualname: str) -> Any:
    return functools.reduce(getattr, qualname.split("."), module)


class _NoGlobals(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} in plain data")


def _outer(data: bytes) -> Snapshot:
    try:
        snapshot: Snapshot = _NoGlobals(io.BytesIO(data)).load()
        known = snapshot["format"] <= FORMAT
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise DeserializationError(f"the stored code is damaged ({error}): run the cells, then replay") from error
    if not known:
        raise DeserializationError("the stored code was written by a newer jupyter_durable: update it, then replay")
    return snapshot


class _Restore:
    """One restoring: a namespace that fills up."""

    def __init__(self, snapshot: Snapshot, redecorate: Redecorate, live: dict[str, Any]) -> None:
        self.snapshot = snapshot
        self.live = live
        self.redecorate = redecorate
        self.namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
        self._missing: list[Missing] = []

    def version(self) -> Version:
        for filename, text in self.snapshot["files"].items():
            linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        self._imported()
        self.namespace.update(self._load(self.snapshot["definitions"]))
        for name, pickled in self.snapshot["data"].items():
            value = self.live.get(name, ABSENT)
            self.namespace[name] = self._load(pickled) if value is ABSENT else value
        for name, statement in self.snapshot["others"].items():
            self._from_live(name, statement)
        return Version(
            namespace=self.namespace,
            body=self.snapshot["body"],
            sources=dict(self.snapshot["sources"]),
            missing=tuple(sorted(self._missing)),
            classes=dict(self.snapshot["classes"]),
        )

    def _imported(self) -> None:
        for name, (module, attribute) in self.snapshot["imports"].items():
            try:
                found = importlib.import_module(module)
                self.namespace[name] = found if attribute is None else _attribute(found, attribute)
            except (ImportError, AttributeError):
                self._from_live(name, _import_statement(name, module, attribute))
        for module in self.snapshot["submodules"]:
            try:
                importlib.import_module(module)
            except ImportError:
                self._missing.append(Missing(module, f"import {module}"))

    def _from_live(self, name: str, statement: str) -> None:
        value = self.live.get(name, ABSENT)
        if value is ABSENT:
            self._missing.append(Missing(name, statement))
        else:
            self.namespace[name] = value

    def _load(self, pickled: bytes) -> Any:
        try:
            return _Unpickler(pickled, self).load()
        except DeserializationError:
            raise
        except Exception as error:
            wrote, here = self.snapshot["python"], sys.version_info[:2]
            versions = f" (written by Python {_dotted(wrote)}, this is {_dotted(here)})" if wrote != here else ""
            raise DeserializationError(
                f"the stored code cannot be rebuilt here{versions}: {type(error).__name__}: {error}; run the "
                "cells that define it, then replay with upgrade_to_latest_version=True"
            ) from error


def _import_statement(name: str, module: str, attribute: str | None) -> str:
    imported = f"import {module}" if attribute is None else f"from {module} import {attribute}"
    return imported if name in {module.split(".")[0], attribute} else f"{imported} as {name}"


class _Unpickler(pickle.Unpickler):
    def __init__(self, pickled: bytes, into: _Restore) -> None:
        super().__init__(io.BytesIO(pickled))
        self._into = into
        self._own: set[int] = set()
        self._foreign: dict[int, dict[str, Any]] = {}
        self._verbs: dict[str, Callable[..., Any]] = {
            "make_function": self._make_function,
            "set_function": self._set_function,
            "make_class": self._make_class,
            "set_class": self._set_class,
            "make_typed_dict": self._make_typed_dict,
            "make_cell": types.CellType,
            "decorate": into.redecorate,
            "cache": lambda fn, parameters: functools.lru_cache(**parameters)(fn),
            "find_class": self._find_own,
        }

    def persistent_load(self, pid: Any) -> Any:
        kind, name = pid
        if kind == pickling.VERBS:
            return self._verbs[name]
        if kind == pickling.SET:
            frozen, items = name
            return frozenset(items) if frozen else set(items)
        if name is None:
            return self._into.namespace
        if isinstance(name, int):
            return self._foreign.setdefault(name, {})
        return vars(importlib.import_module(name))

    def find_class(self, module: str, name: str) -> Any:
        if module in {"__main__", "__mp_main__"}:
            return self._find_own(name)
        return super().find_class(module, name)

    def _find_own(self, qualname: str) -> Any:
        found = class_named(self._into.namespace, qualname)
        found = class_named(self._into.live, qualname) if found is ABSENT else found
        if found is ABSENT:
            raise DeserializationError(f"the stored code needs `{qualname}`: run the cell that defines it, then replay")
        return found

    def _make_function(self, number: int, space: dict[str, Any], cells: dict[str, types.CellType]) -> Any:
        code = _code(self._into.snapshot, self._into.snapshot["codes"][number])
        closure = tuple(cells[name] for name in code.co_freevars)
        return types.FunctionType(code, space, closure=closure)

    @staticmethod
    def _set_function(fn: types.FunctionType, state: dict[str, Any]) -> None:
        fn.__name__ = state["name"]
        fn.__qualname__ = state["qualname"]
        fn.__module__ = state["module"]
        fn.__doc__ = state["doc"]
        fn.__defaults__ = state["defaults"]
        fn.__kwdefaults__ = state["kwdefaults"]
        fn.__annotations__ = state["annotations"]
        fn.__dict__.update(state["attributes"])
        fn.__globals__.update(state["globals"])
        for cell, held in state["cells"]:
            cell.cell_contents = held

    def _make_class(self, name: str, digest: bytes, make: Callable[..., type], args: tuple[Any, ...]) -> type:
        alive = self._alive(name, digest)
        if alive is not None:
            return alive
        made = make(*args)
        self._own.add(id(made))
        return made

    def _make_typed_dict(self, name: str, digest: bytes, qualname: str, fields: dict[str, tuple[Any, bool]]) -> type:
        hints = {key: hint if required else typing.NotRequired[hint] for key, (hint, required) in fields.items()}
        alive = self._alive(name, digest)
        if alive is not None:
            return alive
        made = _TYPED_DICT(qualname.rpartition(".")[2], hints)
        made.__qualname__, made.__module__ = qualname, "__main__"
        return typing.cast(type, made)

    def _alive(self, name: str, digest: bytes) -> type | None:
        """The live class of a name, where it is the version's."""
        alive = class_named(self._into.live, name)
        return alive if is_a(alive, type) and class_hash(alive, self._into.live) == digest else None

    def _set_class(self, cls: type, state: tuple[Callable[[type, Any], Any], Any]) -> None:
        if id(cls) in self._own:
            setter, inner = state
            setter(cls, inner)


def _code(snapshot: Snapshot, code: Code) -> types.CodeType:
    """A code object: as it was for the Python that wrote it, compiled from its source for any other."""
    wrote, here = snapshot["python"], sys.version_info[:2]
    if wrote == here:
        loaded: types.CodeType = marshal.loads(code["marshalled"])
        return loaded
    if code["source"]:
        compiled = compile(code["source"], code["filename"], "exec", dont_inherit=True)
        place = code["qualname"], code["first"]
        found = [one for one in _all_code(compiled) if (one.co_qualname, one.co_firstlineno) == place]
        if len(found) == 1:  # two lambdas on one line cannot be told apart
            return found[0]
    raise DeserializationError(
        f"`{code['qualname']}` was stored by Python {_dotted(wrote)} without source from which Python "
        f"{_dotted(here)} could make it: run the cell that defines it, then replay with upgrade_to_latest_version=True"
    )


def _all_code(code: types.CodeType) -> Iterator[types.CodeType]:
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield const
            yield from _all_code(const)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
