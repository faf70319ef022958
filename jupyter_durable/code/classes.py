"""What counts of a class beside its statement.

Rules of this file
- A class that was made by a call, or anew at each call of a function, counts by what it was made of.
"""

from __future__ import annotations

import ast
import sys
from abc import ABCMeta
from collections.abc import Collection, Iterator
from types import FunctionType
from typing import Final

from jupyter_durable import static
from jupyter_durable.code.canonical import render_code, render_data
from jupyter_durable.code.changes import attributes_changed
from jupyter_durable.code.contents import MAIN, code_in, is_descriptor, named
from jupyter_durable.code.modules import is_local
from jupyter_durable.code.names import CONTAINERS, attached, cell_value, closure
from jupyter_durable.code.seen import DATA_LIMIT, Seen
from jupyter_durable.code.sources import Found, methods

_PLAIN_META: Final = static.Kinds(type, ABCMeta)
"""Other metaclasses keep what they like in their classes."""


def code_in_class(name: str, cls: type, found: Found | None, seen: Seen) -> Iterator[tuple[str, object]]:
    """The code in a class that its statement does not say: in tables, put there later, made in a function."""
    qualname = static.qualname(cls) or ""
    for key, held in static.members(cls).items():
        rows = list(code_in(held)) if key[:2] != "__" and type(held) in CONTAINERS else []
        if rows:
            seen.tables.append((held, rows))
        for inner, code in rows:
            yield named(f"{name}.{key}", inner, code), code
    made = found is None or "<locals>" in qualname
    for method in methods(cls, durable=False):
        home = method.__globals__.get("__name__")
        if home not in MAIN and not (type(home) is str and is_local(home)):
            continue  # as `namedtuple` makes them
        if not method.__qualname__.startswith(f"{qualname}."):
            yield f"{name}.{method.__name__}", method
        elif made:
            seen.cells.extend((cell, cell_value(cell)) for cell in method.__closure__ or ())
            for kind, held in [*closure(method), *attached(method)]:
                yield f"{name}.{method.__name__}.{kind}", held


def shape(cls: type, *, durable: bool) -> bytes:
    """A class whose statement is not known: its bases, which count themselves where they are the user's, its methods'
    code, and its fields with what plain data they hold."""
    bases = [f"{static.module_name(base)}.{static.qualname(base)}".encode() for base in static.bases(cls)]
    rendered = sorted(render_code(method.__code__) for method in methods(cls, durable=durable))
    fields = sorted(_field(key, held) for key, held in static.members(cls).items() if key[:2] != "__")
    return b",".join([*(bases if bases != [b"builtins.object"] else ()), *rendered, *fields])


def _field(name: str, value: object) -> bytes:
    return f"{name}={static.type_name(value)}".encode() + (render_data(value, DATA_LIMIT) or b"")


def said_by(cls: type, found: Found | None) -> Collection[str]:
    """Names of the members that count by the statement of a class: not of one that is made anew at each call."""
    if found is None or type(cls) not in _PLAIN_META:
        return static.members(cls)
    if "<locals>" in (static.qualname(cls) or ""):
        return ()
    return {node.id for node in ast.walk(found.node) if isinstance(node, ast.Name)}


def assigned_later(cls: type, found: Found) -> Iterator[tuple[str, object]]:
    """What the statement of a class does not say: `Settings.rate = 0.1` after it. Not what is there to be filled."""
    if type(cls) not in _PLAIN_META:
        return
    written = {node.id for node in ast.walk(found.node) if isinstance(node, ast.Name)} | attributes_changed(found.node)
    for key, held in static.members(cls).items():
        fixed = static.inherited(type(held), "__hash__") is not None and not callable(held) and not is_descriptor(held)
        if fixed and key[:1] != "_" and key not in written:
            yield key, held


def owner_of(fn: FunctionType, seen: Seen) -> Iterator[tuple[str, type]]:
    """The class of a method, which gives `self` its other methods."""
    owner, _, method = fn.__qualname__.rpartition(".")
    cls = fn.__globals__.get(owner)
    if static.is_a(cls, type) and method in static.members(cls):
        seen.bound.append((fn.__globals__, owner, cls))
        yield owner, cls


def library_of(fn: FunctionType) -> str | None:
    """The installed module whose globals a function has (a wrapper made by a library's decorator), else None."""
    name = fn.__globals__.get("__name__")
    if type(name) is not str or name == "__main__" or static.attributes(sys.modules.get(name)) is not fn.__globals__:
        return None
    return None if is_local(name) else name
