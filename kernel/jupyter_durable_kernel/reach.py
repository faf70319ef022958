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
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from jupyter_durable.client.durable_source import is_ours
from jupyter_durable.code.modules import is_local
from jupyter_durable.function import Spec

MOST: Final = 300
"""Functions and classes that are followed."""
MAIN: Final = "__main__"
_OWN: Final = frozenset({"jupyter_durable", "jupyter_durable_kernel"})
_READS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_CACHED: Final = functools._lru_cache_wrapper
_ATTRIBUTES: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
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

    durable: bool
    """Whether running the cell may call a durable function."""
    plain: tuple[Plain, ...]
    """Not durable, called by the body of the cell or by its durable functions; in the order of their first call."""


def reached(tree: ast.Module, namespace: Mapping[str, Any], becoming: Collection[str]) -> Reached:
    """What the body of a cell and its durable functions may call.

    `becoming`: names of functions of the cell that `%%durable` makes durable, whose bodies count too.
    """
    search = _Search(namespace, tree, becoming)
    search.follow(_chains(_executed(tree)))
    durable = search.durable
    for name in becoming:
        search.follow(search.chains_of(name))
    return Reached(durable, tuple(search.plain))


def _executed(tree: ast.Module) -> Iterator[ast.AST]:
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
        self._pending: list[tuple[Chain, Mapping[str, Any]]] = []
        self.durable = False
        self.plain: dict[Plain, None] = {}

    def follow(self, chains: Iterable[Chain]) -> None:
        """Look at what the cell reads, and at what that reads."""
        self._add(chains, self._namespace)
        while self._pending and len(self._seen) < MOST:
            chain, namespace = self._pending.pop()
            if namespace is self._namespace and chain[0] in self._defined:
                self._definition(chain[0])
            elif chain[0] in namespace:
                self._named(chain, namespace[chain[0]])

    def chains_of(self, name: str) -> list[Chain]:
        """What a definition of the cell reads."""
        return list(_chains(ast.iter_child_nodes(self._defined[name]))) if self._first(name) else []

    def _add(self, chains: Iterable[Chain], namespace: Mapping[str, Any]) -> None:
        self._pending.extend((chain, namespace) for chain in reversed(list(chains)))

    def _first(self, key: object) -> bool:
        """Whether this is seen for the first time."""
        first = key not in self._seen
        self._seen.add(key)
        return first

    # what the cell defines

    def _definition(self, name: str) -> None:
        node = self._defined[name]
        if name in self._becoming or any(is_ours(each) for each in node.decorator_list):
            self.durable = True
        elif isinstance(node, ast.ClassDef):
            self._told(Plain(name, _methods_written(node), imported=False))
        self._add(self.chains_of(name), self._namespace)

    # what there is already

    def _named(self, chain: Chain, value: Any) -> None:
        """Follow a name as far as its attributes lead; `name.local(...)` is the function without durability."""
        if chain[-1] == "local":
            return
        label = chain[0]
        for attribute in chain[1:]:
            if type(value) is ModuleType:
                value, label = vars(value).get(attribute), f"{label}.{attribute}"
            elif not _is_code(value) and attribute in _members(type(value)):
                value = type(value)
            else:
                break
        self._object(value)

    def _object(self, value: Any) -> None:
        if type(value) is functools.partial:
            value = value.func
        if type(value) is _CACHED:
            value = vars(value).get("__wrapped__")
        if _is_code(value) and self._first(id(value)):
            if type(value) is FunctionType:
                self._function(value)
            else:
                self._class(value)

    def _function(self, value: FunctionType) -> None:
        spec = vars(value).get("__durable__")
        if type(spec) is Spec:
            self.durable = True
            inner: Any = spec.fn
        elif self._tell(value, None):
            inner = value
        else:
            return
        self._add(_code_chains(inner.__code__), inner.__globals__)

    def _class(self, value: type) -> None:
        members = _members(value)
        own = [member for member in members.values() if "__durable__" not in vars(member)]
        if len(own) < len(members):
            self.durable = True
        elif not self._tell(value, sum(_counts(name) for name in members)):
            return
        for member in own:
            self._add(_code_chains(member.__code__), member.__globals__)

    def _tell(self, value: type | FunctionType, methods: int | None) -> bool:
        """Note what is not durable; whether it is the user's own."""
        module = value.__module__ if type(value) is FunctionType else _dict(value).get("__module__")
        if module == MAIN:
            self._told(Plain(value.__qualname__, methods, imported=False))
            return True
        if not isinstance(module, str) or module.partition(".")[0] in _OWN or not is_local(module):
            return False
        self._told(Plain(f"{module}.{value.__qualname__}", methods, imported=True))
        return True

    def _told(self, plain: Plain) -> None:
        if plain.methods != 0 and not plain.name.startswith("_"):
            self.plain[plain] = None


def _members(cls: type) -> dict[str, FunctionType]:
    """The functions of a class and of its bases that are the user's, by name."""
    found: dict[str, FunctionType] = {}
    for base in reversed(type.__getattribute__(cls, "__mro__")):
        held = _dict(base)
        module = held.get("__module__")
        if module != MAIN and not (isinstance(module, str) and is_local(module)):
            continue
        for name, member in held.items():
            inner = member.__func__ if type(member) in (staticmethod, classmethod) else member
            if type(inner) is FunctionType:
                found[name] = inner
    return found


def _dict(cls: Any) -> Mapping[str, Any]:
    """What a class holds, whatever its metaclass answers."""
    held: Mapping[str, Any] = type.__getattribute__(cls, "__dict__")
    return held


def _is_code(value: Any) -> bool:
    """Whether it is a function or a class; the object itself is not asked."""
    return type(value) is FunctionType or issubclass(type(value), type)


def _methods_written(node: ast.ClassDef) -> int:
    return sum(isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and _counts(part.name) for part in node.body)


def _counts(name: str) -> bool:
    """Whether a method is one that users call, or `__call__`."""
    return name == "__call__" or not name.startswith("__")
