"""To which scope the names of a piece of source belong, by Python's rules.

Rules of this file
- One pass over the tree notes what each scope binds and how each name is used; names are resolved afterwards, since a
  scope may bind a name behind its uses.
- The scope around the tree binds nothing: a name that belongs to no scope of the tree is *outside*, a global or a
  variable of an enclosing function.
- The body of a class is no scope for the functions in it. It runs once, in order: a name that it reads before it has
  surely bound it may be the one outside.
"""

# ruff: noqa: N815 - ast.NodeVisitor gives the names

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

from jupyter_durable.code.changes import CHANGING, changed_in_place, names_in
from jupyter_durable.records import NamedTuple

Kind: TypeAlias = Literal["read", "bound", "changed"]
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_Part: TypeAlias = ast.AST | Iterable[ast.AST | None] | None
_BRANCHES: Final = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)


class Scope:
    """What one function, class, comprehension or lambda binds."""

    def __init__(self, node: ast.AST | None, parent: Scope | None) -> None:
        self.node = node
        self.parent = parent
        self.bound: set[str] = set()
        self.surely: set[str] = set()
        """Of a class: what is bound by now, whatever branches were taken."""
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()

    def owner(self, name: str) -> ast.AST | None:
        """The node of the tree whose scope a name used here belongs to; None: outside."""
        scope: Scope = self
        while scope.parent is not None:
            visible = not isinstance(scope.node, ast.ClassDef)
            if name in scope.globals and (visible or scope is self):
                return None
            if visible and name in scope.bound - scope.nonlocals:
                return scope.node
            scope = scope.parent
        return None


_Noted: TypeAlias = tuple[str, Kind, Scope, ast.expr | None]


class Use(NamedTuple):
    """One use of a name."""

    name: str
    kind: Kind
    """`bound` by an assignment, an import, a loop or a definition, or deleted; `changed` in place."""
    owner: ast.AST | None
    within: ast.AST | None
    """The scope in which it is used."""
    value: ast.expr | None
    """What a plain assignment binds it to, or an augmented one adds."""


@functools.lru_cache(maxsize=2048)
def _scanned(tree: ast.AST) -> _Scan:
    scan = _Scan()
    scan.visit(tree)
    return scan


@functools.lru_cache(maxsize=2048)
def uses_in(tree: ast.AST) -> tuple[Use, ...]:
    """Every use of a name in a definition, with the scope that the name belongs to."""
    uses = _scanned(tree).uses
    own = [Use(name, kind, scope.owner(name), scope.node, value) for name, kind, scope, value in uses]
    return (*own, *_behind_aliases(uses))


def _behind_aliases(uses: Sequence[_Noted]) -> Iterator[Use]:
    """What is changed under a second name: `c = cache; c[x] = 1`, where `c` is nothing else."""
    bound: dict[tuple[str, ast.AST | None], list[_Noted]] = {}
    for noted in uses:
        if noted[1] == "bound":
            bound.setdefault((noted[0], noted[2].owner(noted[0])), []).append(noted)
    for name, kind, scope, added in uses:
        found = bound.get((name, scope.owner(name)), ()) if kind == "changed" and added is None else ()
        for _, _, within, value in found if len(found) == 1 else ():
            if isinstance(value, ast.Name):
                yield Use(value.id, "changed", within.owner(value.id), within.node, None)


@functools.lru_cache(maxsize=2048)
def reads_outside(tree: ast.AST) -> tuple[str, ...]:
    """Names that a definition reads and that none of its scopes binds, in order."""
    return tuple(dict.fromkeys(use.name for use in uses_in(tree) if use.kind != "bound" and use.owner is None))


@functools.lru_cache(maxsize=2048)
def changes_outside(tree: ast.AST) -> frozenset[str]:
    """Names outside of a definition that it binds anew (`global`, `nonlocal`), or whose value it changes in place."""
    return frozenset(use.name for use in uses_in(tree) if use.kind != "read" and use.owner is None)


def parameters_changed(tree: ast.AST, *, augmented: bool = True) -> set[str]:
    """Parameters of a function whose value it changes in place, and that stand for nothing else in it.

    `augmented`: also by `+=`, which changes lists, and not numbers.
    """
    own = [use for use in uses_in(tree) if use.owner is tree]
    changed = {use.name for use in own if use.kind == "changed" and (augmented or use.value is None)}
    return changed - {use.name for use in own if use.kind == "bound" or (use.value is not None and not augmented)}


class Passed(NamedTuple):
    """A name that a definition gives to a function, both of them from outside: `note(log, x)`."""

    function: str
    position: int
    name: str


def passed_on(tree: ast.AST) -> Iterator[Passed]:
    """Names from outside that a definition gives to functions from outside, by position."""
    for scope, passed in _scanned(tree).passed:
        if scope.owner(passed.function) is None and scope.owner(passed.name) is None:
            yield passed


def beginning(tree: ast.AST, node: ast.AST, name: str) -> list[ast.expr] | None:
    """What the function around `node` binds its variable to, where nothing else decides what the variable begins as.

    None for a parameter, the variable of a loop, what is computed from other variables, and what is changed at once.
    """
    for function in reversed(_around(tree, node)):
        uses = [use for use in uses_in(function) if use.owner is not None]
        its = [use for use in uses if use.name == name and use.owner is function]
        if its:
            begun = [use for use in its if use.within is function and use.kind != "read"]
            values = [use.value for use in begun if use.value is not None]
            own = {use.name for use in uses}
            told = len(values) == len(begun) and not any(own & set(names_in(value)) for value in values)
            return values if told and name not in _names(parameters(function)) else None
    return None


def variables_around(tree: ast.AST, node: ast.AST) -> set[str]:
    """Names of the variables of the functions around a node."""
    return {use.name for function in _around(tree, node) for use in uses_in(function) if use.owner is function}


def _around(tree: ast.AST, node: ast.AST) -> list[Function]:
    """The functions around a node, the outermost first."""
    return [part for part in _functions(tree) if part is not node and _holds(part, node)]


@functools.lru_cache(maxsize=256)
def _functions(tree: ast.AST) -> tuple[Function, ...]:
    return tuple(
        part for part in ast.walk(tree) if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    )


def _holds(outer: Any, inner: Any) -> bool:
    return (outer.lineno, outer.col_offset) <= (inner.lineno, inner.col_offset) and (
        (inner.end_lineno, inner.end_col_offset) <= (outer.end_lineno, outer.end_col_offset)
    )


class _Scan(ast.NodeVisitor):
    def __init__(self) -> None:
        self.scope = Scope(None, None)
        self.uses: list[_Noted] = []
        self.passed: list[tuple[Scope, Passed]] = []

    def visit(self, node: ast.AST) -> None:
        """Expressions may be nested deeply, as a sum of 1,000 terms is: they take no frames of their own."""
        pending = [node]
        while pending:
            part = pending.pop()
            if type(part) in CHANGING:
                self._changes(part)
            special = getattr(self, f"visit_{type(part).__name__}", None)
            if special is not None:
                special(part)
            else:
                pending.extend(reversed(list(ast.iter_child_nodes(part))))

    def _changes(self, node: ast.AST) -> None:
        held = changed_in_place(node)
        # Of `groups[key].append(x)` all groups are changed, of `state["seen"].append(x)` not all of the state.
        while isinstance(held, ast.Subscript) and not isinstance(held.slice, ast.Constant):
            held = held.value
        if isinstance(held, ast.Name):
            self._use(held.id, "changed")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            for index, given in enumerate(
                itertools.takewhile(lambda part: not isinstance(part, ast.Starred), node.args)
            ):
                if isinstance(given, ast.Name):
                    self.passed.append((self.scope, Passed(node.func.id, index, given.id)))

    def _use(self, name: str, kind: Kind, value: ast.expr | None = None) -> None:
        scope = self.scope
        own = isinstance(scope.node, ast.ClassDef) and name not in scope.globals | scope.nonlocals
        if own and (kind == "bound" or name in scope.surely):
            return
        if scope.parent is not None or kind != "bound":
            self.uses.append((name, kind, scope, value))

    def _bind(self, *names: str | None, value: ast.expr | None = None) -> None:
        for name in names:
            if name is not None:
                self.scope.bound.add(name)
                self._use(name, "bound", value)

    def _each(self, *parts: _Part) -> None:
        for part in parts:
            for node in (part,) if isinstance(part, ast.AST) else part or ():
                if node is not None:
                    self.visit(node)

    def _inner(self, node: ast.AST, *parts: _Part, bound: Iterable[str] = ()) -> None:
        """A scope of its own."""
        self.scope = Scope(node, self.scope)
        self.scope.bound.update(bound)
        self._each(*parts)
        assert self.scope.parent is not None
        self.scope = self.scope.parent

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use(node.id, "read")
        else:
            self._bind(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._target(target, node.value)

    def _target(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, value=value)
        else:
            self.visit(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._each(node.annotation, node.value)
        if node.value is not None:
            self._target(node.target, node.value)
        elif not isinstance(node.target, ast.Name):
            self.visit(node.target)
        elif not isinstance(self.scope.node, ast.ClassDef):
            self.scope.bound.add(node.target.id)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            own = isinstance(self.scope.node, ast.ClassDef) and node.target.id not in self.scope.globals
            self._use(node.target.id, "read" if own else "changed", node.value)
            self.scope.bound.add(node.target.id)
        else:
            self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        inside = self.scope
        while isinstance(self.scope.node, ast.comprehension) and self.scope.parent is not None:
            self.scope = self.scope.parent
        self._bind(node.target.id)
        self.scope = inside

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self._each(node.iter, node.target, node.body, node.orelse)

    visit_AsyncFor = visit_For

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self._bind(*(alias.asname or alias.name.partition(".")[0] for alias in node.names if alias.name != "*"))

    visit_ImportFrom = visit_Import

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self._bind(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._bind(node.rest)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self.scope.globals.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.nonlocals.update(node.names)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        annotations = [argument.annotation for argument in parameters(node)]
        self._each(node.decorator_list, node.args.defaults, node.args.kw_defaults, annotations)
        self._each(node.returns)
        self._inner(node, node.body, bound=[*_names(parameters(node)), *_type_parameters(node)])
        self._bind(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._each(node.args.defaults, node.args.kw_defaults)
        self._inner(node, node.body, bound=_names(parameters(node)))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._each(node.decorator_list, node.bases, node.keywords)
        self._inner(node, self._statements(node))
        self._bind(node.name)

    def _statements(self, node: ast.ClassDef) -> Iterator[ast.AST]:
        """Statements of the body of a class, each visited before the next is asked for."""
        scope = self.scope
        for statement in node.body:
            before = set(scope.bound)
            yield statement
            if not isinstance(statement, _BRANCHES):
                scope.surely |= scope.bound - before

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        first, *others = node.generators
        self.visit(first.iter)
        parts: list[ast.AST] = [first.target, *first.ifs]
        for generator in others:
            parts += [generator.iter, generator.target, *generator.ifs]
        self._inner(first, parts, [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension


def parameters(node: Function) -> list[ast.arg]:
    """All parameters of a function, `*args` and `**kwargs` too."""
    given = node.args
    found = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [argument for argument in found if argument is not None]


def _names(arguments: Iterable[ast.arg]) -> list[str]:
    return [argument.arg for argument in arguments]


def _type_parameters(node: ast.AST) -> list[str]:
    return [parameter.name for parameter in getattr(node, "type_params", ())]
