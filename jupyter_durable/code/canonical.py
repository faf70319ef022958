"""Bytes that are equal for equal code and equal plain data, in every process.

Rules of this file
- Source counts as its tree: comments, docstrings, blank lines, positions, file names and our decorators do not.
- Sets and mappings are sorted by the bytes of their members: hash seeds and insertion order do not count.
- Empty fields of a tree are left out, so that a Python that adds fields renders old code alike.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import CodeType
from typing import Any, Final

from jupyter_durable.code.classify import ATOMS, VALUE_TYPES, fields_of

OURS: Final = frozenset({"function", "application", "cls"})
"""Names of our decorators, written plainly or as an attribute of a module."""


def is_ours(decorator: ast.expr, names: Mapping[str, object]) -> bool:
    """Whether a decorator is one of ours: by name, unless the name is bound to somebody else's object."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(target, ast.Attribute):
        base = target.value.id if isinstance(target.value, ast.Name) else ""
        home = getattr(names.get(base), "__name__", "jupyter_durable")
        return target.attr in OURS and str(home).startswith("jupyter_durable")
    if not isinstance(target, ast.Name):
        return False
    bound = names.get(target.id)
    if bound is None:
        return target.id in OURS
    return getattr(bound, "__module__", "").startswith("jupyter_durable.") and bound.__name__ in OURS  # type: ignore[attr-defined]


def render_tree(node: ast.AST, names: Mapping[str, object]) -> bytes:
    """A definition as bytes; `names` tells our decorators from others of the same name."""
    return "".join(_render(node, names)).encode("utf-8", "surrogatepass")


def without_durable(node: ast.ClassDef, names: Mapping[str, object]) -> ast.ClassDef:
    """A class statement without its durable methods: those are calls of their own."""
    body = [part for part in node.body if not any(is_ours(d, names) for d in getattr(part, "decorator_list", ()))]
    return ast.ClassDef(node.name, node.bases, node.keywords, body, node.decorator_list)


def _render(node: object, names: Mapping[str, object]) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield f"({type(node.value).__name__} {node.value!r})"
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for field, value in ast.iter_fields(node):
            kept = _kept(node, field, value, names)
            if kept is not None and kept != []:
                yield f" {field}="
                yield from _render(kept, names)
        yield ")"
    elif isinstance(node, list):
        yield "["
        for item in node:
            yield from _render(item, names)
            yield ","
        yield "]"
    else:
        yield repr(node)


def _kept(node: ast.AST, field: str, value: Any, names: Mapping[str, object]) -> Any:
    if field in {"type_comment", "type_ignores", "ctx"}:
        return None
    if field == "decorator_list":
        return [decorator for decorator in value if not is_ours(decorator, names)]
    if field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return value[1:] if ast.get_docstring(node, clean=False) is not None else value
    return value


def render_code(code: CodeType) -> bytes:
    """A code object whose source is not known, as bytes: instructions, constants, names."""
    # The first constant of a function is its docstring, None when it has none.
    documented = bool(code.co_consts) and isinstance(code.co_consts[0], str) and code.co_name != "<lambda>"
    consts = (
        render_code(const) if isinstance(const, CodeType) else _constant(const)
        for const in code.co_consts[int(documented) :]
    )
    names = " ".join((*code.co_names, "|", *code.co_varnames, "|", *code.co_freevars))
    return b"".join([b"(code ", code.co_code, names.encode(), *consts, b")"])


def _constant(value: object) -> bytes:
    return render_data(value) or type(value).__name__.encode()


class _NotPlain(Exception):
    pass


def render_data(value: object, limit: int = 65536) -> bytes | None:
    """Plain data as bytes; None for what is not plain data, is cyclic or takes more than `limit` bytes."""
    try:
        found = _Data(limit).render(value, 0)
    except _NotPlain:
        return None
    return found if len(found) <= limit else None


class _Data:
    """One rendering: stops early when the data is too large."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def render(self, value: object, depth: int) -> bytes:
        self._left -= 1
        if self._left < 0 or depth > 50:
            raise _NotPlain
        kind = type(value)
        name = kind.__qualname__.encode()
        if kind is str or kind is bytes or kind is bytearray:
            raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]
            self._left -= len(raw)
            return b"%s%d:%s" % (name, len(raw), raw)
        if kind in ATOMS or kind in VALUE_TYPES or isinstance(value, enum.Enum):
            return b"%s(%s)" % (name, repr(value).encode())
        return b"%s[%s]" % (name, self._inside(value, kind, depth + 1))

    def _inside(self, value: Any, kind: type, depth: int) -> bytes:
        if kind.__module__.split(".")[0] in {"numpy", "pandas"}:
            return self._array(value)
        if hasattr(value, "__len__") and len(value) > self._left:
            raise _NotPlain
        state = fields_of(value)
        if state is not None or isinstance(value, Mapping):
            rows = (state if state is not None else value).items()
            return b",".join(sorted(self.render(key, depth) + b":" + self.render(item, depth) for key, item in rows))
        if isinstance(value, AbstractSet):
            return b",".join(sorted(self.render(item, depth) for item in value))
        if isinstance(value, Sequence) and kind.__module__ in {"builtins", "collections"}:
            return b",".join(self.render(item, depth) for item in value)
        raise _NotPlain

    def _array(self, value: Any) -> bytes:
        if type(value).__module__.split(".")[0] == "pandas":
            raise _NotPlain
        if getattr(getattr(value, "dtype", None), "kind", "O") == "O" or value.nbytes > self._left:
            raise _NotPlain
        return f"{value.dtype.str}{value.shape}".encode() + bytes(value.tobytes())
