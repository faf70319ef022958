"""What `@function()` and `@application()` can stand over: functions, and what they say of everything else."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any, Final

from jupyter_durable import static
from jupyter_durable.errors import SDKUsageError

_CACHED: Final = type(functools.lru_cache(len))
_ABOVE: Final = "write @{kind} above @{what}(), so that it holds the durable function"
_REMEDIES: Final[tuple[tuple[tuple[type[object], ...], str, str], ...]] = (
    ((type,), "the class", "use @cls() for classes"),
    ((staticmethod,), "a static method", _ABOVE.replace("{kind}", "staticmethod")),
    ((classmethod,), "a class method", _ABOVE.replace("{kind}", "classmethod")),
    (
        (property, functools.cached_property),
        "a property",
        "reading it is no call: make a method of it, or a function of what it computes",
    ),
    (
        (_CACHED,),
        "a cached function",
        "write the cache above @{what}(); a durable call is kept by itself, in the store and not in memory",
    ),
    (
        (functools.partial, functools.partialmethod),
        "a partial",
        "write @{what}() above the function, and make the partial of that; or a def that calls it",
    ),
    (
        (types.MethodType,),
        "a bound method",
        "write @{what}() above the method in its class, and @cls() above the class",
    ),
    (
        (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType),
        "a compiled function",
        "it has no Python code to keep: write a def that calls it",
    ),
)
"""Kinds of objects, what they are called, and what to write instead."""


def require_function(what: str, target: Any) -> None:
    """Raises `SDKUsageError` for what cannot be made durable, with what it is and what to write instead."""
    if type(target) is not types.FunctionType:
        kind, remedy = _described(target)
        raise SDKUsageError(f"@{what}() on {kind}: {remedy.replace('{what}', what)}")
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise SDKUsageError(
            f"@{what}() on {target.__qualname__}: a generator has no single result to keep; return a list instead"
        )


def _described(target: object) -> tuple[str, str]:
    """What an object is, with its name where it has one, and what to write instead."""
    name = _name(target)
    for kinds, called, remedy in _REMEDIES:
        if static.is_a(target, kinds):
            return f"{called}{f' {name}' if name else ''}", remedy
    kind = f"an object of {static.type_name(target)}"
    if static.wrapped(target) is not None:
        return f"{kind} around {_name(static.wrapped(target))}", "write its decorator above @{what}()"
    if callable(target):
        return kind, "it is called by its __call__: write a def that calls it, or methods under @{what}() and @cls()"
    return kind, "write it above a function"


def _name(target: object) -> str | None:
    """The name of what an object is or holds."""
    for inner in ("__func__", "fget", "func", "__wrapped__"):
        held = static.held(target, inner)
        if type(held) is types.FunctionType:
            return _short(held)
    return _short(target)


def _short(value: object) -> str | None:
    """The qualified name of an object, without the function that defined it."""
    name = static.qualname(value)
    return name.rpartition("<locals>.")[2] if name is not None else None
