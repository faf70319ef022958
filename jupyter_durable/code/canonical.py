"""Bytes that are equal for equal code and equal plain data, in every process.

Rules of this file
- Source counts as its tree: comments, docstrings, blank lines, positions, file names and our decorators do not.
- Sets and mappings are sorted by the bytes of their members: hash seeds and insertion order do not count.
- Empty fields of a tree are left out, so that a Python that adds fields renders old code alike.
"""

from __future__ import annotations

import array
import ast
import enum
import functools
import opcode
import operator
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, Final

from jupyter_durable import static
from jupyter_durable.code import arrays
from jupyter_durable.code.classify import alias_parts, is_code, partial_parts
from jupyter_durable.code.plain import (
    ATOMS,
    METHODS,
    MOMENTS,
    VALUE_TYPES,
    VALUES_OF_MODULES,
    factory_of,
    fields_of,
    is_zone,
    items_of,
    length_of,
    mapping_of,
)
from jupyter_durable.static import is_a

_LOADS: Final = frozenset(opcode.hasconst)
GETTERS: Final = static.Kinds(operator.itemgetter, operator.attrgetter, operator.methodcaller)
_MOST: Final = vars(deque)["maxlen"]
OURS: Final = frozenset({"function", "application", "cls"})
"""Names of our decorators, written plainly or as an attribute of a module."""


def is_ours(decorator: ast.expr, names: Mapping[str, object]) -> bool:
    """Whether a decorator is one of ours: by name, unless the name is bound to somebody else's object."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(target, ast.Attribute):
        return target.attr in OURS and isinstance(target.value, ast.Name) and _is_our_module(target.value.id, names)
    if not isinstance(target, ast.Name):
        return False
    bound = names.get(target.id)
    if bound is None:
        return target.id in OURS
    if type(bound) is not FunctionType or bound.__name__ not in OURS:
        return False
    return str(bound.__module__).startswith("jupyter_durable.")


def _is_our_module(name: str, names: Mapping[str, object]) -> bool:
    bound = names.get(name)
    if bound is None:
        return True
    home = static.attributes(bound).get("__name__") if is_a(bound, ModuleType) else None
    return type(home) is str and home.startswith("jupyter_durable")


def render_tree(node: ast.AST, names: Mapping[str, object]) -> bytes:
    """A definition as bytes; `names` tells our decorators from others of the same name."""
    return _rendered(node, tuple(decorator for decorator in _decorators(node) if is_ours(decorator, names)))


def without_durable(node: ast.ClassDef, names: Mapping[str, object]) -> ast.ClassDef:
    """A class statement without its durable methods: those are calls of their own."""
    body = [part for part in node.body if not any(is_ours(d, names) for d in getattr(part, "decorator_list", ()))]
    return _with_body(node, tuple(body))


@functools.lru_cache(maxsize=512)
def _with_body(node: ast.ClassDef, body: tuple[ast.stmt, ...]) -> ast.ClassDef:
    """The same node each time, by which others remember what they have found in it."""
    return ast.ClassDef(node.name, node.bases, node.keywords, [*body], node.decorator_list)


@functools.lru_cache(maxsize=2048)
def _decorators(node: ast.AST) -> tuple[ast.expr, ...]:
    return tuple(decorator for part in ast.walk(node) for decorator in getattr(part, "decorator_list", ()))


@functools.lru_cache(maxsize=512)
def _rendered(node: ast.AST, ours: tuple[ast.expr, ...]) -> bytes:
    return "".join(_render(node, ours)).encode("utf-8", "surrogatepass")


def _render(node: object, ours: tuple[ast.expr, ...]) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield f"({type(node.value).__name__} {node.value!r})"
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for field, value in ast.iter_fields(node):
            kept = _kept(node, field, value, ours)
            if kept is not None and kept != []:
                yield f" {field}="
                yield from _render(kept, ours)
        yield ")"
    elif isinstance(node, list):
        yield "["
        for item in node:
            yield from _render(item, ours)
            yield ","
        yield "]"
    else:
        yield repr(node)


def _kept(node: ast.AST, field: str, value: Any, ours: tuple[ast.expr, ...]) -> Any:
    if field in {"type_comment", "type_ignores", "ctx"}:
        return None
    if field == "decorator_list":
        return [decorator for decorator in value if decorator not in ours]
    if field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return value[1:] if ast.get_docstring(node, clean=False) is not None else value
    return value


def render_code(code: CodeType) -> bytes:
    """A code object whose source is not known, as bytes: instructions, constants, names."""
    documented = bool(code.co_consts) and isinstance(code.co_consts[0], str) and not _loads_first(code)
    consts = (
        render_code(const) if isinstance(const, CodeType) else _constant(const)
        for const in code.co_consts[int(documented) :]
    )
    names = " ".join((*code.co_names, "|", *code.co_varnames, "|", *code.co_freevars))
    return b"".join([b"(code ", code.co_code, names.encode(), *consts, b")"])


def _loads_first(code: CodeType) -> bool:
    """Whether the first constant of a code object is used: the docstring of a function stands there and is not."""
    pairs = zip(code.co_code[::2], code.co_code[1::2], strict=True)
    return any(index == 0 and operation in _LOADS for operation, index in pairs)


def _constant(value: object) -> bytes:
    return render_data(value) or type(value).__name__.encode()


class _NotPlain(Exception):
    pass


def _nothing(_: object) -> None:
    """What is not plain data is not opened."""


def render_data(
    value: object, limit: int = 65536, opened: Callable[[object], Mapping[str, object] | None] = _nothing
) -> bytes | None:
    """Plain data as bytes; None for what is not plain data, is cyclic or takes more than `limit` bytes.

    Functions and classes in it count by their names: what they do is another part of the code. `opened` says what
    further objects hold; None for those it does not know.
    """
    try:
        found = _Data(limit, opened).render(value, 0)
    except _NotPlain:
        return None
    return found if len(found) <= limit else None


class _Data:
    """One rendering: stops early when the data is too large."""

    def __init__(self, limit: int, opened: Callable[[object], Mapping[str, object] | None]) -> None:
        self._left = limit
        self._opened = opened

    def render(self, value: Any, depth: int) -> bytes:
        self._left -= 1
        if self._left < 0 or depth > 50:
            raise _NotPlain
        kind = type(value)
        name = static.type_name(value).encode()
        if kind is str or kind is bytes or kind is bytearray:
            raw = value.encode("utf-8", "surrogatepass") if kind is str else bytes(value)
            self._left -= len(raw)
            return b"%s%d:%s" % (name, len(raw), raw)
        if is_a(value, enum.Enum) and type(static.held(value, "_value_")) in ATOMS:
            shown = (
                static.type_name(value).rpartition(".")[2],
                static.held(value, "_name_"),
                static.held(value, "_value_"),
            )
            member = "<%s.%s: %r>" % shown  # noqa: UP031
            return b"%s(%s)" % (name, member.encode())
        if kind in ATOMS or kind in VALUE_TYPES or (kind in MOMENTS and is_zone(type(value.tzinfo))):
            return b"%s(%s)" % (name, repr(value).encode())
        if kind in VALUES_OF_MODULES:
            return b"%s(%s)" % (name, repr(value).encode())
        if is_code(value) or kind in METHODS or kind is BuiltinFunctionType:
            return b"%s(%s.%s)" % (name, _encoded(static.module_name(value)), _encoded(static.qualname(value)))
        return b"%s[%s]" % (name, self._inside(value, depth + 1))

    def _inside(self, value: Any, depth: int) -> bytes:
        parts = _open_parts(value)
        if parts is not None:
            return self._list(parts, depth)
        if length_of(value) > self._left:
            raise _NotPlain
        fields = fields_of(value)
        rows: Mapping[Any, object] | None = fields if fields is not None else mapping_of(value)
        if rows is not None:
            pairs = (self.render(key, depth) + b":" + self.render(item, depth) for key, item in rows.items())
            ordered = list(pairs) if is_a(value, OrderedDict) else sorted(pairs)
            return b",".join([*ordered, *(self.render(made, depth) for made in factory_of(value))])
        items = items_of(value)
        if items is None:
            return self._array(value, depth)
        if is_a(value, (set, frozenset)):
            return b",".join(sorted(self.render(item, depth) for item in items))
        most = _MOST.__get__(value) if is_a(value, deque) else None
        return self._list(items, depth) + (b"" if most is None else b"|%d" % most)

    def _list(self, items: Iterable[object], depth: int) -> bytes:
        return b",".join(self.render(item, depth) for item in items)

    def _array(self, value: object, depth: int) -> bytes:
        size = arrays.size_of(value)
        if size is not None and size > self._left:
            raise _NotPlain
        found = arrays.bytes_of(value) if size is not None else None
        if found is not None:
            return found
        held = self._opened(value)
        if held is None:
            raise _NotPlain
        return b"{%s}" % self._list([part for pair in sorted(held.items()) for part in pair], depth)


def _open_parts(value: Any) -> tuple[object, ...] | None:
    """What an enum's member, a slice, a pattern, a partial or a type alias is made of; None for any other value."""
    if is_a(value, enum.Enum):
        return static.held(value, "_name_"), static.held(value, "_value_")
    if type(value) is slice:
        return value.start, value.stop, value.step
    if type(value) is re.Pattern:
        return value.pattern, value.flags
    if type(value) in GETTERS:
        made: tuple[object, ...] = value.__reduce__()
        return made
    if type(value) is array.array:
        return value.typecode, value.tobytes()
    return partial_parts(value) or alias_parts(value)


def _encoded(text: object) -> bytes:
    return str(text).encode("utf-8", "surrogatepass")
