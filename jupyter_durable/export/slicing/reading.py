"""What a top-level statement binds, and what it needs: at once when it runs, and later when what it defines is called.

Rules of this file
- Scopes are those of Python (`code.scopes`); here it is only told which of them run at once.
- What is bound in a branch may be bound, what is bound on every way is surely bound.
- Texts of type hints are read too, softly: a name in them that is nowhere is nobody's mistake here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jupyter_durable.code.reads import names_needed
from jupyter_durable.code.scopes import Function, parameters, uses_in
from jupyter_durable.code.statements import binds as names_bound
from jupyter_durable.code.texts import parsed

_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reading:
    """The names of one statement."""

    binds: frozenset[str] = NOTHING
    surely: frozenset[str] = NOTHING
    """Of them, those that it binds whatever way it takes, so that what was bound before is gone."""
    now: frozenset[str] = NOTHING
    """Names that must be there when it runs."""
    guarded: frozenset[str] = NOTHING
    """Names that it reads when it runs, and does without: `try: model` … `except NameError:`."""
    later: frozenset[str] = NOTHING
    """Names that must be there when what it defines is called."""
    hints: frozenset[str] = NOTHING
    """Names in the text of type hints."""
    called: frozenset[str] = NOTHING
    """Names that it calls when it runs, so that what they need must be there, too."""
    given: frozenset[str] = NOTHING
    """Names that it hands to something which it calls: that may call them."""
    deletes: frozenset[str] = NOTHING
    star: str | None = None
    """The module of `from module import *`, dots included."""
    awaits: bool = False
    """Whether it awaits, which the body of a module cannot."""


def reading_of(node: ast.stmt, source: str, *, hints_later: bool = False) -> Reading:
    """What a statement binds and needs. `source`: its text; `hints_later`: type hints are not evaluated.

    `if __name__ == "__main__":` binds and needs nothing: nobody runs the module so.
    """
    if is_main_guard(node):
        return Reading()
    inside = set(_parts_run_later(node))
    hinted = {id(part) for hint in _hints(node) for part in ast.walk(hint)} if hints_later else set()
    soft = {part.id for hint in _hints(node) for part in ast.walk(hint) if isinstance(part, ast.Name)}
    needed = names_needed(source)
    now: set[str] = set()
    later: set[str] = set()
    for use in uses_in(node):
        if use.owner is not None or use.kind == "bound":
            if use.owner is None and use.within is not None:
                later.add(use.name)  # `global x`: the module has it, and the function binds it anew
        elif use.within is not None and (use.within in inside or isinstance(use.within, _LATER)):
            later.add(use.name)
        else:
            now.add(use.name)
    if hints_later:
        plain = {
            part.id
            for part in ast.walk(node)
            if isinstance(part, ast.Name) and id(part) not in hinted and part not in inside
        }
        now &= plain | (now - soft)
    star = _star(node)
    bound = set(names_bound(node)) - {"*"} if not isinstance(node, ast.Delete) else set()
    now = {name for name in now if name not in bound or name in needed or isinstance(node, ast.AugAssign)}
    guarded = {name for name in now if name in set(_guarded(node)) and name not in set(_unguarded(node))}
    calls = [part for part in _at_once(node) if isinstance(part, ast.Call)]
    return Reading(
        frozenset(bound),
        frozenset(surely_bound([node])),
        frozenset(now - guarded),
        frozenset(guarded),
        frozenset(later),
        frozenset((soft if hints_later else set()) | set(_names_in_texts(node))),
        frozenset(name for call in calls if (name := root_name(call.func))) & (now | guarded) | _decorating(node),
        frozenset(_given(calls)) & now,
        frozenset(_deleted(node)),
        star,
        any(isinstance(part, ast.Await | ast.AsyncFor | ast.AsyncWith) for part in _at_once(node))
        or any(isinstance(part, ast.comprehension) and part.is_async for part in _at_once(node)),
    )


def globals_bound(node: ast.stmt) -> set[str]:
    """Names of the module that the functions in a statement bind, by `global`."""
    return {use.name for use in uses_in(node) if use.kind == "bound" and use.owner is None and use.within is not None}


def is_main_guard(node: ast.stmt) -> bool:
    """Whether this is `if __name__ == "__main__":`."""
    if not (isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and not node.orelse):
        return False
    sides = [node.test.left, *node.test.comparators]
    return any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides) and any(
        isinstance(side, ast.Constant) and side.value == "__main__" for side in sides
    )


def root_name(node: ast.expr) -> str | None:
    """`a` of `a`, `a.b`, `a[0].b` and `a.b(x).c`."""
    while True:
        if isinstance(node, ast.Attribute | ast.Subscript | ast.Starred | ast.Await | ast.NamedExpr):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return node.id if isinstance(node, ast.Name) else None


def _decorating(node: ast.stmt) -> frozenset[str]:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return frozenset(name for decorator in decorators if (name := root_name(decorator)))


def _given(calls: Iterable[ast.Call]) -> Iterator[str]:
    for call in calls:
        for part in [*call.args, *(keyword.value for keyword in call.keywords)]:
            yield from (each.id for each in ast.walk(part) if isinstance(each, ast.Name))


def _parts_run_later(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes in the bodies of functions."""
    pending: list[tuple[ast.AST, bool]] = [(node, False)]
    while pending:
        part, inside = pending.pop()
        if inside:
            yield part
        if isinstance(part, _LATER):
            body = {id(each) for each in (part.body if isinstance(part.body, list) else [part.body])}
            pending.extend((child, inside or id(child) in body) for child in ast.iter_child_nodes(part))
        else:
            pending.extend((child, inside) for child in ast.iter_child_nodes(part))


def at_once(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes that run with a statement: not the bodies of the functions in it."""
    pending = [node]
    while pending:
        part = pending.pop()
        yield part
        if isinstance(part, _LATER):
            body = {id(each) for each in (part.body if isinstance(part.body, list) else [part.body])}
            pending.extend(child for child in ast.iter_child_nodes(part) if id(child) not in body)
        else:
            pending.extend(ast.iter_child_nodes(part))


_at_once = at_once


def _hints(node: ast.AST) -> Iterator[ast.expr]:
    """Type hints anywhere in a statement."""
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of_function(part)
        elif isinstance(part, ast.AnnAssign):
            yield part.annotation


def _of_function(node: Function) -> Iterator[ast.expr]:
    yield from (argument.annotation for argument in parameters(node) if argument.annotation is not None)
    returns: ast.expr | None = getattr(node, "returns", None)
    if returns is not None:
        yield returns


def _names_in_texts(node: ast.AST) -> Iterator[str]:
    for hint in _hints(node):
        for part in ast.walk(hint):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                tree = parsed(part.value.strip())
                for each in ast.walk(tree) if tree is not None else ():
                    if isinstance(each, ast.Name):
                        yield each.id


def _guards(node: ast.Try | ast.TryStar) -> bool:
    """Whether a `try` goes on without a name that is not there."""
    for handler in node.handlers:
        names = (
            {part.id for part in ast.walk(handler.type) if isinstance(part, ast.Name)}
            if handler.type
            else {"Exception"}
        )
        if names & {"NameError", "Exception", "BaseException"}:
            return True
    return False


def _guarded(node: ast.AST) -> Iterator[str]:
    for part in at_once(node):
        if isinstance(part, ast.Try | ast.TryStar) and _guards(part):
            for statement in part.body:
                yield from (each.id for each in at_once(statement) if isinstance(each, ast.Name))


def _unguarded(node: ast.AST) -> Iterator[str]:
    """Names that are read outside of such a `try`."""
    pending = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, ast.Name):
            yield part.id
        guarded = (
            {id(each) for each in part.body} if isinstance(part, ast.Try | ast.TryStar) and _guards(part) else set()
        )
        pending.extend(each for each in ast.iter_child_nodes(part) if id(each) not in guarded)


def _star(node: ast.stmt) -> str | None:
    if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
        return "." * node.level + (node.module or "")
    return None


def _deleted(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Delete):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def surely_bound(body: Iterable[ast.stmt]) -> set[str]:
    """Names that a list of statements binds whatever way it takes."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.If):
            found |= surely_bound(node.body) & surely_bound(node.orelse)
        elif isinstance(node, ast.Try | ast.TryStar):
            found |= surely_bound(node.finalbody) | _bound_by_try(node)
        elif isinstance(node, ast.With | ast.AsyncWith):
            targets = [item.optional_vars for item in node.items if item.optional_vars is not None]
            found |= surely_bound(node.body) | {name for target in targets for name in names_bound(target)}
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.Match):
            continue
        elif isinstance(node, ast.Import):
            # `import a.b` adds to `a`, it does not replace it.
            found |= {alias.asname or alias.name for alias in node.names if alias.asname or "." not in alias.name}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names if alias.name != "*"}
        elif isinstance(node, ast.AnnAssign) and node.value is None:
            continue
        elif not isinstance(node, ast.Delete):
            found |= names_bound(node)
    return found


def _bound_by_try(node: ast.Try | ast.TryStar) -> set[str]:
    found = surely_bound([*node.body, *node.orelse])
    for handler in node.handlers:
        if not any(isinstance(last, ast.Raise) for last in handler.body[-1:]):
            found &= surely_bound(handler.body)
    return found
