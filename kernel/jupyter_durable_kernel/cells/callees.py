"""What a cell may call: durable functions, and code of the user's that is not durable.

Rules of this file
- Source and bytecode are read; nothing is run, and no object is asked for anything: dictionaries and types tell.
- Libraries are left out: only the notebook and the user's own modules are followed.
- It may find too much, never depend on what it finds; what is looked up at run time it does not see.
"""

from __future__ import annotations

import ast
import dis
import functools
import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from jupyter_durable import static
from jupyter_durable.code.modules import is_local
from jupyter_durable.durable_cell.definitions import is_ours
from jupyter_durable.function import Spec

MOST: Final = 300
"""Functions and classes that are followed."""
MAIN: Final = "__main__"
_READS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_ATTRIBUTES: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_GENERATOR: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
Chain = tuple[str, ...]
"""A name and the attributes behind it, as written: `util.llm_call`."""


class Plain(NamedTuple):
    """A function or class of the user's that is not durable."""

    name: str
    """As one writes it; of an imported one with its module."""
    methods: int | None
    """Of a class; None for a function."""
    imported: bool
    """It stands in a module, not in the notebook."""


class Reached(NamedTuple):
    """What the code of a cell may call."""

    called: tuple[str, ...]
    """Durable functions that running the cell may call, as they are called first."""
    first: ast.AST | None
    """The first statement of the cell that may call one."""
    plain: tuple[Plain, ...]
    """Not durable, called by the body of the cell or by its durable functions; in the order of their first call."""

    @property
    def durable(self) -> bool:
        """Whether running the cell may call a durable function."""
        return bool(self.called)


def reached(tree: ast.Module, namespace: Mapping[str, Any], becoming: Collection[str]) -> Reached:
    """What the body of a cell and its durable functions may call.

    `becoming`: names of functions of the cell that `%%durable` makes durable, whose bodies count too.
    """
    search = _Search(namespace, tree, becoming)
    first: ast.AST | None = None
    for node in executed(tree):
        search.follow(_chains([node]))
        first = node if first is None and search.called else first
    called = tuple(search.called)
    for name in becoming:
        search.follow(search.chains_of(name), below=True)
    return Reached(called, first, tuple(search.plain))


def executed(tree: ast.Module) -> Iterator[ast.AST]:
    """The parts of a cell that run with it, without what it defines."""
    pending: list[ast.AST] = list(reversed(tree.body))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending.extend(node.args.defaults)
        elif isinstance(node, ast.ClassDef):
            pending.extend(reversed(node.body))
        else:
            yield node


def _chains(nodes: Iterable[ast.AST]) -> Iterator[Chain]:
    """The names that nodes read, each with the attributes behind it, in order."""
    pending = list(nodes)[::-1]
    while pending:
        node = pending.pop()
        chain = _chain(node)
        if chain:
            yield chain
        else:
            pending.extend(reversed(list(ast.iter_child_nodes(node))))


def _chain(node: ast.AST) -> Chain:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return (node.id, *reversed(names))
    return ()


@functools.lru_cache(maxsize=1024)
def _code_chains(code: CodeType) -> tuple[Chain, ...]:
    """The same of a code object, nested functions included."""
    found: list[Chain] = []
    chain: Chain = ()
    for item in dis.get_instructions(code):
        if chain and item.opname in _ATTRIBUTES:
            chain = (*chain, str(item.argval))
            continue
        if chain:
            found.append(chain)
        chain = (str(item.argval),) if item.opname in _READS else ()
    for const in code.co_consts:
        if isinstance(const, CodeType):
            found.extend(_code_chains(const))
    return tuple(dict.fromkeys(found))


class _Read(NamedTuple):
    """A chain to look at."""

    chain: Chain
    namespace: Mapping[str, Any]
    below: bool
    """Whether a durable function reads it: what that calls is its own."""


class _Search:
    """One walk from the body of a cell."""

    def __init__(self, namespace: Mapping[str, Any], tree: ast.Module, becoming: Collection[str]) -> None:
        self._namespace = namespace
        self._becoming = becoming
        self._defined = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        self._seen: set[object] = set()
        self._pending: list[_Read] = []
        self.called: dict[str, None] = {}
        self.plain: dict[Plain, None] = {}

    def follow(self, chains: Iterable[Chain], *, below: bool = False) -> None:
        """Look at what the cell reads, and at what that reads."""
        self._add(chains, _Read((), self._namespace, below))
        while self._pending and len(self._seen) < MOST:
            read = self._pending.pop()
            if read.namespace is self._namespace and read.chain[0] in self._defined:
                self._definition(read)
            elif read.chain[0] in read.namespace:
                self._named(read)

    def chains_of(self, name: str) -> list[Chain]:
        """What a definition of the cell reads."""
        return list(_chains(ast.iter_child_nodes(self._defined[name]))) if self._first(name) else []

    def _add(self, chains: Iterable[Chain], of: _Read) -> None:
        self._pending.extend(of._replace(chain=chain) for chain in reversed(list(chains)))

    def _first(self, key: object) -> bool:
        """Whether this is seen for the first time."""
        first = key not in self._seen
        self._seen.add(key)
        return first

    def _calls(self, name: str, read: _Read) -> _Read:
        """A durable function is called; what it reads itself stands below it."""
        if not read.below:
            self.called[name] = None
        return read._replace(below=True)

    # what the cell defines

    def _definition(self, read: _Read) -> None:
        name = read.chain[0]
        node = self._defined[name]
        if name in self._becoming or any(is_ours(each) for each in node.decorator_list):
            read = self._calls(name, read)
        else:
            methods = _methods_written(node) if isinstance(node, ast.ClassDef) else None
            self._told(Plain(name, methods, imported=False))
        self._add(self.chains_of(name), read)

    # what there is already

    def _named(self, read: _Read) -> None:
        """Follow a name as far as its attributes lead; `name.local(...)` is the function without durability."""
        chain = read.chain
        if chain[-1] == "local":
            return
        value = read.namespace[chain[0]]
        for attribute in chain[1:]:
            if static.is_a(value, ModuleType):
                value = static.attributes(value).get(attribute)
            elif not _is_code(value) and attribute in _members(type(value)):
                value = type(value)
            else:
                break
        if type(value) is functools.partial:
            value = value.func
        value = value if _is_code(value) else static.wrapped(value)
        if type(value) is FunctionType:
            self._function(value, read)
        elif static.is_a(value, type):
            self._class(value, read)

    def _function(self, value: FunctionType, read: _Read) -> None:
        spec = static.attributes(value).get("__durable__")
        inner: Any = value
        if type(spec) is Spec:
            read, inner = self._calls(spec.name, read), spec.fn
        if self._first(id(value)) and (inner is not value or self._tell(value, None)):
            self._add(_code_chains(inner.__code__), read._replace(namespace=inner.__globals__))

    def _class(self, value: type, read: _Read) -> None:
        members = _members(value)
        own = [member for member in members.values() if "__durable__" not in static.attributes(member)]
        durable = len(own) < len(members)
        if durable:
            read = self._calls(static.qualname(value) or "", read)
        if self._first(id(value)) and (durable or self._tell(value, sum(_counts(name) for name in members))):
            for member in own:
                self._add(_code_chains(member.__code__), read._replace(namespace=member.__globals__))

    def _tell(self, value: type | FunctionType, methods: int | None) -> bool:
        """Note what is not durable; whether it is the user's own."""
        module, name = static.module_name(value), static.qualname(value) or ""
        if module is None or not (module == MAIN or is_local(module)):
            return False
        if type(value) is not FunctionType or not value.__code__.co_flags & _GENERATOR:
            imported = module != MAIN
            self._told(Plain(f"{module}.{name}" if imported else name, methods, imported))
        return True

    def _told(self, plain: Plain) -> None:
        if plain.methods != 0 and not plain.name.startswith("_"):
            self.plain[plain] = None


def _members(cls: type) -> dict[str, FunctionType]:
    """The functions of a class and of its bases that are the user's, by name."""
    found: dict[str, FunctionType] = {}
    for base in reversed(static.mro(cls)):
        module = static.module_name(base)
        if module is None or not (module == MAIN or is_local(module)):
            continue
        for name, member in static.members(base).items():
            inner = member.__func__ if type(member) in (staticmethod, classmethod) else member
            if type(inner) is FunctionType:
                found[name] = inner
    return found


def _is_code(value: Any) -> bool:
    """Whether it is a function or a class; the object itself is not asked."""
    return type(value) is FunctionType or issubclass(type(value), type)


def _methods_written(node: ast.ClassDef) -> int:
    return sum(isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and _counts(part.name) for part in node.body)


def _counts(name: str) -> bool:
    """Whether a method is one that is called from outside."""
    return name == "__call__" or not name.startswith("_")
