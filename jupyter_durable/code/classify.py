"""What a global is: durable, code of the notebook, or importable.

Rules of this file
- `__main__` (cells, a script) and modules that cannot be imported again are kept by value; all else by name.
- Nothing is asked of an object that it could answer as it likes: `static` says what it is.
"""

from __future__ import annotations

import functools
import re
import sys
import types
import typing
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol, TypeGuard

from jupyter_durable import static
from jupyter_durable.static import is_a

ABSENT: Final = object()
_HISTORY: Final = functools.cache(functools.partial(re.compile, r"_+\d*|_[io]h|Out"))
"""What a kernel calls the values it has shown; compiled when it is first used."""
_PARTIAL: Final = tuple(vars(functools.partial)[name] for name in ("func", "args", "keywords"))
_ALIAS: Final = tuple(vars(types.GenericAlias)[name] for name in ("__origin__", "__args__"))


class Spec(Protocol):
    """What `wrapper.__durable__` has to offer."""

    @property
    def fn(self) -> Callable[..., Any]: ...
    @property
    def options(self) -> Any: ...
    @property
    def kind(self) -> str: ...


def durable_spec(value: object) -> Spec | None:
    """The spec of a durable function's wrapper, or of a method bound to one; None for everything else."""
    function = value.__func__ if type(value) is types.MethodType else value
    if type(function) is not types.FunctionType:
        return None
    found: Any = static.attributes(function).get("__durable__")
    return found if type(static.held(found, "fn")) is types.FunctionType else None


def undecorated(value: object) -> object:
    """The function behind a durable wrapper; any other value as it is."""
    spec = durable_spec(value)
    return spec.fn if spec is not None else value


def home_module(value: object, namespace: Mapping[str, object]) -> str | None:
    """Name of the module from which a function or class can be imported again; None when it is kept by value."""
    name = static.importable(value)
    if name is None or name in {"__main__", "__mp_main__"} or static.attributes(sys.modules[name]) is namespace:
        return None
    return name


def is_code(value: object) -> TypeGuard[types.FunctionType | type]:
    return is_a(value, (types.FunctionType, type))


def partial_parts(value: object) -> tuple[object, tuple[object, ...], dict[str, object]] | None:
    """Function, arguments and keywords of a partial; None for any other value."""
    if not is_a(value, functools.partial):
        return None
    return _PARTIAL[0].__get__(value), _PARTIAL[1].__get__(value), _PARTIAL[2].__get__(value)


def alias_parts(value: object) -> tuple[object, ...] | None:
    """What an alias such as `list[int]`, a new type or a type variable is made of; None for any other value."""
    if is_a(value, types.GenericAlias):
        return (_ALIAS[0].__get__(value), *_ALIAS[1].__get__(value))
    if type(value) is types.UnionType:
        return (types.UnionType, *value.__args__)
    kept = static.attributes(value) if static.module_name(type(value)) == "typing" else {}
    if "__origin__" in kept:
        return (kept["__origin__"], *kept.get("__args__", ()), *kept.get("__metadata__", ()))
    if type(value) is typing.NewType:
        return (typing.NewType, static.qualname(value), value.__supertype__)
    if type(value) is typing.TypeVar:
        return (typing.TypeVar, value.__name__, value.__bound__, *value.__constraints__)
    if type(value) is typing.ForwardRef:
        return (typing.ForwardRef, value.__forward_arg__)
    if type(value) is type(typing.Optional) or type(value) is type(typing.Literal):
        return (static.held(value, "_name"),)
    return None


def looked_up(names: Mapping[str, object], qualname: str) -> object:
    """What stands under a qualified name, classes in classes; `ABSENT` where nothing does."""
    first, *rest = qualname.split(".")
    found: Any = names.get(first, ABSENT)
    for part in rest:
        found = static.members(found).get(part, ABSENT) if is_a(found, type) else ABSENT
        if type(found) is staticmethod or type(found) is classmethod:
            found = found.__func__
    named: object = found
    return named


def variable_of(cls: type, names: Mapping[str, object]) -> str | None:
    """The variable by which a class is held, itself or the class it stands in; None where there is none."""
    own = static.qualname(cls) or ""
    if looked_up(names, own) is cls:
        return own.partition(".")[0]
    held = [name for name, value in list(names.items()) if value is cls and not _HISTORY().fullmatch(name)]
    return min(held, default=None)


def name_of(cls: type, names: Mapping[str, object]) -> str | None:
    """The name under which `class_named` finds a class of the notebook; None for a class that has none.

    It is what the class calls itself, or, where another one does so too, the variable that holds it: whichever of them
    was defined first in this kernel.
    """
    own = static.qualname(cls) or ""
    found = class_named(names, own)
    if found is cls:
        return own
    # One that calls itself so is a newer definition of this class, unless a variable still holds this one.
    return variable_of(cls, names) or (own if is_a(found, type) else None)


def class_named(names: Mapping[str, object], name: str) -> object:
    """The class of a name, or the one that calls itself so: `Extent` for `Size = namedtuple("Extent", "w h")`.

    `ABSENT` where there is none, or several call themselves so.
    """
    found = classes_named(names, name)
    return found[0] if len(found) == 1 else ABSENT


def classes_named(names: Mapping[str, object], name: str) -> list[object]:
    """What a name may mean: what stands under it, else each class that calls itself so, held by a variable or by a
    class of the notebook."""
    found = looked_up(names, name)
    if found is not ABSENT:
        return [found]
    return [] if "<locals>" in name else [cls for cls in _own_classes(names) if static.qualname(cls) == name]


def _own_classes(names: Mapping[str, object]) -> Iterator[type]:
    """The classes of the notebook: those of variables, but for what IPython keeps of outputs, then those in them."""
    pending = deque(value for name, value in list(names.items()) if not _HISTORY().fullmatch(name))
    seen = set[int]()
    while pending:
        found: Any = pending.popleft()
        if is_a(found, type) and static.importable(found) in {None, "__main__"} and id(found) not in seen:
            seen.add(id(found))
            pending.extend(static.members(found).values())
            yield found
