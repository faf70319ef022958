"""Where functions and classes are defined.

Rules of this file
- A definition is found by position (functions) or by fit (classes without methods), never by name alone.
- A file can have been edited since it was loaded: what stands in it counts only where it makes the code that runs.
"""

from __future__ import annotations

import ast
import builtins
import enum
import functools
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any, Final, TypeAlias

from jupyter_durable import static
from jupyter_durable.code.canonical import render_code
from jupyter_durable.code.changes import attributes_changed
from jupyter_durable.code.classify import undecorated
from jupyter_durable.code.texts import first_line, is_file, may_name, parsed, remembered, text_of
from jupyter_durable.records import NamedTuple

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda

_PROPERTY: Final = tuple(vars(property)[name] for name in ("fget", "fset", "fdel"))
_METHODS: Final = tuple((kind, vars(kind)["__func__"]) for kind in (staticmethod, classmethod))
_CACHED: Final = (functools.cached_property, functools.partialmethod, functools.singledispatchmethod)


class Found(NamedTuple):
    """A definition and the text it stands in."""

    node: Definition
    filename: str
    text: str
    """Of the whole cell or file."""

    @property
    def first(self) -> int:
        """First line, decorators included, from 1."""
        return first_line(self.node)

    @property
    def last(self) -> int:
        return self.node.end_lineno or self.node.lineno

    @property
    def statement(self) -> tuple[int, list[str]]:
        """First line and lines of the top-level statement that holds the definition: they can be parsed alone."""
        tree = parsed(self.text)
        for statement in tree.body if tree is not None else ():
            first = first_line(statement)
            if first <= self.first <= (statement.end_lineno or first):
                return first, self._lines(first, statement.end_lineno)
        return self.first, self._lines(self.first, self.last)

    @property
    def whole(self) -> str:
        """The top-level statement after as many empty lines as stand before it."""
        first, lines = self.statement
        return "\n" * (first - 1) + "".join(lines)

    def _lines(self, first: int, last: int | None) -> list[str]:
        return [line + "\n" for line in self.text.split("\n")[first - 1 : last]]

    @property
    def source(self) -> str:
        """The definition alone, as it stands in its text."""
        if isinstance(self.node, ast.Lambda):
            return ast.get_source_segment(self.text, self.node) or ""
        return "".join(self._lines(self.first, self.last))


@functools.lru_cache(maxsize=256)
def _functions(text: str) -> dict[tuple[str, int], ast.FunctionDef | ast.AsyncFunctionDef]:
    """All `def` statements of a text by name and first line, decorators included, as code objects count."""
    tree = parsed(text)
    nodes = ast.walk(tree) if tree is not None else ()
    found = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {(node.name, first_line(node)): node for node in found}


@functools.lru_cache(maxsize=256)
def _classes(text: str) -> dict[str, list[ast.ClassDef]]:
    """All `class` statements of a text by name, the outermost first."""
    found: dict[str, list[ast.ClassDef]] = {}
    tree = parsed(text)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.ClassDef):
            found.setdefault(node.name, []).append(node)
    return found


@functools.lru_cache(maxsize=64)
def _codes(text: str) -> dict[str, list[CodeType]]:
    """All code that a text makes, by qualified name."""
    found: dict[str, list[CodeType]] = {}
    try:
        pending = [compile(text, "<text>", "exec", dont_inherit=True)]
    except (SyntaxError, ValueError):
        return found
    while pending:
        code = pending.pop()
        found.setdefault(code.co_qualname, []).append(code)
        pending += [const for const in code.co_consts if isinstance(const, CodeType)]
    return found


def _placed(code: CodeType, text: str) -> CodeType | None:
    """The code as it stands in the text now, with its lines; None where the text makes another one."""
    if not is_file(code.co_filename):
        return code
    body = render_code(code)
    alike = [other for other in _codes(text).get(code.co_qualname, ()) if render_code(other) == body]
    return min(alike, key=lambda other: abs(other.co_firstlineno - code.co_firstlineno), default=None)


def find_function(fn: FunctionType) -> Found | None:
    """The `def` or `lambda` that made a function, None when its source is not available."""
    filename = fn.__code__.co_filename
    text = text_of(filename)
    tree = parsed(text)
    code = _placed(fn.__code__, text) if tree is not None else None
    if tree is None or code is None:
        return None
    if code.co_name == "<lambda>":
        node: Definition | None = _lambda_of(tree, code)
    else:
        node = _functions(text).get((code.co_name, code.co_firstlineno))
    return Found(node, filename, text) if node is not None else None


def _lambda_of(tree: ast.AST, code: CodeType) -> ast.Lambda | None:
    """The innermost lambda that holds every position of the code: several may stand on one line."""
    spans = [(line, column) for line, _, column, _ in code.co_positions() if line and column]
    fitting = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda)
        and node.lineno == code.co_firstlineno
        and all((node.lineno, node.col_offset) <= span <= (node.end_lineno, node.end_col_offset) for span in spans)
    ]
    return max(fitting, key=lambda node: node.col_offset, default=None)


def find_class(cls: type) -> Found | None:
    """The `class` statement that made a class, None when its source is not available.

    A method knows its file. A class without methods is looked for in the cells, the newest first, and must fit:
    its old text may be known beside the new one.
    """
    name = (static.qualname(cls) or "").rpartition(".")[2]
    for filename, text in _class_texts(cls):
        nodes = _classes(text).get(name, []) if may_name(text, name) else []
        lines = _lines(cls, filename, text) if nodes else None
        if lines is None:
            continue
        for node in nodes:
            if _fits(node, cls, lines):
                return Found(node, filename, text)
    return None


def _lines(cls: type, filename: str, text: str) -> dict[str, int] | None:
    """First lines of the methods of a class in a text; None where the text does not make them."""
    found = {}
    for code in methods_code(cls):
        placed = _placed(code, text) if code.co_filename == filename else code
        if placed is None:
            return None
        found[code.co_name] = placed.co_firstlineno
    return found


def _class_texts(cls: type) -> Iterator[tuple[str, str]]:
    for filename in dict.fromkeys(code.co_filename for code in methods_code(cls)):
        text = text_of(filename)
        if text:
            yield filename, text
    yield from remembered()
    module = static.attributes(sys.modules.get(static.module_name(cls) or ""))
    if type(module.get("__file__")) is str:
        yield module["__file__"], text_of(module["__file__"])


def methods_code(cls: type) -> Iterator[CodeType]:
    """Code of the functions written in the class body."""
    for fn in methods(cls):
        if fn.__qualname__.startswith(f"{static.qualname(cls)}."):
            yield fn.__code__


def methods(cls: type, *, durable: bool = True) -> Iterator[FunctionType]:
    """Functions in the class's own namespace, behind properties and (unless not `durable`) durable wrappers too."""
    for value in static.members(cls).values():
        for inner in _functions_of(value):
            found = undecorated(inner)
            if type(found) is FunctionType and (durable or found is inner):
                yield found


def _functions_of(value: object) -> tuple[object, ...]:
    """What a member of a class calls: the functions of a property, that of a static, class or partial method."""
    if static.is_a(value, property):
        return tuple(part.__get__(value) for part in _PROPERTY)
    for kind, inner in _METHODS:
        if static.is_a(value, kind):
            return (inner.__get__(value),)
    if static.is_a(value, _CACHED):
        kept = static.attributes(value)
        return (kept.get("func"), kept.get("dispatcher"))
    return (value,)


def _fits(node: ast.ClassDef, cls: type, lines: Mapping[str, int]) -> bool:
    """Whether the class can have come from this statement: its bases, same methods at their places, same fields and
    constants."""
    if not _bases_fit(node, cls):
        return False
    members = {**static.members(cls), **_members_of(cls)}
    annotations: Any = members.get("__annotations__")
    annotated = set(annotations) if type(annotations) is dict else set()
    known = {*members, *annotated}
    for name in attributes_changed(node):  # what its own code changes may have any value by now
        members.pop(name, None)
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            first = first_line(statement)
            if statement.name not in known or lines.get(statement.name, first) != first:
                return False
        elif isinstance(statement, ast.AnnAssign | ast.Assign) and not _assignment_fits(statement, members, known):
            return False
    fields = {n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    return annotated <= fields | {"return"}


def _bases_fit(node: ast.ClassDef, cls: type) -> bool:
    """Whether a class can have the bases that a statement says: those of builtins tell. Another name may be an alias or
    make its own (`NamedTuple`), and a metaclass may change them."""
    if any(word.arg == "metaclass" for word in node.keywords):
        return type(cls) is not type
    if any(isinstance(base, ast.Starred | ast.Call) for base in node.bases):
        return True
    said = {_builtin(base) for base in node.bases} - {object}
    bases = set(static.bases(cls)) - {object}
    if None not in said:
        return said == bases
    plain = {base for base in bases if vars(builtins).get(static.qualname(base) or "") is base}
    own = plain != bases or not {"_fields", "__total__"}.isdisjoint(static.members(cls))
    return own and said - {None} <= plain


def _builtin(base: ast.expr) -> object:
    """The builtin class that a base names, also with its parameters; None for what is none."""
    named = base.value if isinstance(base, ast.Subscript) else base
    found = vars(builtins).get(named.id) if isinstance(named, ast.Name) else None
    return found if static.is_a(found, type) else None


def _members_of(cls: type) -> dict[str, object]:
    """The members of an enum by name."""
    found = static.members(cls).get("_member_map_")
    return found if type(found) is dict else {}


def _assignment_fits(statement: ast.AnnAssign | ast.Assign, members: Mapping[str, object], known: set[str]) -> bool:
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else statement.targets
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    if any(name not in known and not name.startswith("_") for name in names):
        return False
    if not isinstance(statement.value, ast.Constant) or len(names) != 1:
        return True
    value = members.get(names[0], statement.value.value)
    value = static.held(value, "_value_") if static.is_a(value, enum.Enum) else value
    return type(value) is not type(statement.value.value) or bool(value == statement.value.value)
