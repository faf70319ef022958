"""The code of a notebook as Tensorlake's package understands it: its names, its decorators, its calls.

Rules of this file
- Text in, text out: comments and spacing stay as they were written wherever nothing changes.
- What would do something else there is refused, with the way out; what is only left out is noted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

from jupyter_durable.errors import ExportError
from jupyter_durable.export.edits import Edits
from jupyter_durable.export.targets.tensorlake_options import Given, named, written

OURS: Final = "jupyter_durable"
THEIRS: Final = frozenset(
    {
        *("ApplicationCapability", "DeserializationError", "File", "Function", "FunctionError", "FunctionProgress"),
        *("Future", "Headers", "HttpBody", "Image", "InternalError", "Logger"),
        *("RETURN_WHEN", "RemoteAPIError", "Request", "RequestContext", "RequestError", "RequestFailed"),
        *("RequestNotFinished", "RequestState", "Retries", "SDKUsageError", "SerializationError", "TensorlakeError"),
        *("TensorlakeException", "TimeoutError", "application", "cls", "function", "run_local_application"),
        *("run_remote_application",),
    }
)
"""Names of `tensorlake.applications`."""
RENAMED: Final = {"DurableError": "TensorlakeError", "DurableFunction": "Function"}
RECORDED: Final = {"now": "time.time()", "random": "random.random()", "uuid4": "uuid.uuid4()"}
DECORATORS: Final = ("function", "application", "cls")
TRACK: Final = "tracked"
"""Name of the function that stands for `progress.track`."""
ONLY_OURS: Final = {
    "submit": "start requests through its HTTP interface",
    "local": "take the body into a plain function, and call that one",
}
"""What durable functions have here and not there, and what to do."""
OF_CONTEXT: Final = frozenset({"idempotency_key", "attempt", "is_replay", "cancelled"})
WIDE: Final = 100
"""Columns after which the options of a decorator stand in a line each."""
_Def = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Names:
    """What the names of a module mean."""

    ours: dict[str, str]
    """Names in the code to names of `jupyter_durable`."""
    modules: frozenset[str]
    """Names in the code of `jupyter_durable` itself."""
    durable: frozenset[str]
    """Durable functions."""


@dataclass(slots=True)
class Used:
    """What code that was translated needs of its module."""

    imports: set[tuple[str, str]] = field(default_factory=set)
    """Names of `tensorlake.applications`, and what they are called here."""
    image: bool = False
    track: bool = False
    notes: list[tuple[int, str]] = field(default_factory=list)
    """Cell, and what of it is left out or changed."""


def names_of(texts: Iterable[str]) -> Names:
    """What the names in the texts of one module mean. Raises `ExportError` for imports that have no counterpart."""
    ours: dict[str, str] = {}
    modules: set[str] = set()
    trees = [ast.parse(text) for text in texts]
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            modules |= {each.asname or OURS for each in node.names if each.name == OURS}
        elif isinstance(node, ast.ImportFrom) and _is_ours(node):
            for each in node.names:
                if each.name == "*":
                    ours |= {name: name for name in (*THEIRS, *RENAMED, *RECORDED)}
                else:
                    ours[each.asname or each.name] = each.name
    known = Names(ours, frozenset(modules), frozenset())
    defined = [node for tree in trees for node in tree.body if isinstance(node, _Def)]
    return Names(
        ours,
        known.modules,
        frozenset(node.name for node in defined if any(kind_of(each, known) for each in node.decorator_list)),
    )


def _is_ours(node: ast.ImportFrom) -> bool:
    return node.level == 0 and (node.module or "").split(".")[0] == OURS


def original(node: ast.expr, names: Names) -> str | None:
    """The name in `jupyter_durable` that an expression stands for."""
    if isinstance(node, ast.Name):
        return names.ours.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names.modules:
        return node.attr
    return None


def kind_of(decorator: ast.expr, names: Names) -> str | None:
    """`function`, `application` or `cls` for one of our decorators."""
    found = original(decorator.func if isinstance(decorator, ast.Call) else decorator, names)
    return found if found in DECORATORS else None


def translated(text: str, names: Names, cell: int, used: Used, image: str | None = "image") -> str:
    """One text of a module as it is for Tensorlake; what it needs is added to `used`. Raises `ExportError`.

    `image`: the name of the image that functions run on which name none; None where none is needed.
    """
    tree = ast.parse(text)
    translator = _Translator(Edits(text), names, cell, used, image)
    translator.visit(tree)
    return translator.edits.whole().strip("\n")


class _Translator(ast.NodeVisitor):
    """Walks over a tree; what is inside is changed first."""

    def __init__(self, edits: Edits, names: Names, cell: int, used: Used, image: str | None) -> None:
        self.edits = edits
        self._names = names
        self._cell = cell
        self._used = used
        self._image = image
        self._within = "this cell"
        self._depth = 0
        self._contexts: set[str] = set()

    # imports

    def visit_Import(self, node: ast.Import) -> None:
        others = [each for each in node.names if each.name != OURS]
        wrong = next((each.name for each in others if each.name.split(".")[0] == OURS), None)
        if wrong is not None:
            raise self._refused(f"import {wrong}", "Tensorlake has only what `from jupyter_durable import …` gives")
        if len(others) < len(node.names):
            self._shorten(node, "import " + ", ".join(map(ast.unparse, others)) if others else "")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if _is_ours(node):
            self._shorten(node, "")

    def _shorten(self, node: ast.stmt, text: str) -> None:
        self.edits.replace(node, text or ("pass" if node.col_offset else ""))

    # names

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            found = original(node, self._names)
            if found is not None:
                self._needs(found, node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        found = original(node, self._names)
        if found is not None:
            self.edits.replace(node, self._needs(found, RENAMED.get(found, found)))
            return
        self.generic_visit(node)
        if node.attr == "awaitable" and self._is_durable_name(node.value):  # the older name, which they dropped
            self.edits.replace(node, f"{self.edits.of(node.value)}.future")
        if node.attr in ONLY_OURS and self._is_durable_name(node.value):
            raise self._refused(f"{ast.unparse(node)}()", f"{ONLY_OURS[node.attr]}")
        if node.attr in OF_CONTEXT and self._is_context(node.value):
            raise self._refused(f"RequestContext.{node.attr}", "pass what you need as an argument")

    def _needs(self, found: str, name: str) -> str:
        """The name under which it is there."""
        theirs = RENAMED.get(found, found)
        if found in RECORDED:
            raise self._refused(
                f"jupyter_durable.{found}()",
                "there, only results of functions are recorded: make it one, `@function()` above a function that "
                f"returns {RECORDED[found]}",
            )
        if theirs not in THEIRS:
            raise self._refused(f"jupyter_durable.{found}", "leave it out of what the application needs")
        self._used.imports.add((theirs, name))
        return name

    def _is_context(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self._contexts
        found = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
        return found and original(node.func.value, self._names) == "RequestContext"  # type: ignore[attr-defined]

    def visit_Assign(self, node: ast.Assign) -> None:
        if self._is_context(node.value):
            self._contexts |= {each.id for each in node.targets if isinstance(each, ast.Name)}
        self.generic_visit(node)

    # calls

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if original(node.func, self._names) == "Retries":
            self._rewrite(node, "Retries", f"Retries in {self._within}")
        elif isinstance(node.func, ast.Attribute):
            self._method(node, node.func)

    def _method(self, call: ast.Call, method: ast.Attribute) -> None:
        if method.attr == "track" and isinstance(method.value, ast.Attribute) and method.value.attr == "progress":
            self._used.track = True
            self._used.imports.add(("RequestContext", "RequestContext"))
            self.edits.replace(method, TRACK)
        if method.attr == "map" and self._is_durable_name(_without_future(method.value)):
            self._map(call)

    def _map(self, call: ast.Call) -> None:
        for each in call.keywords:
            if each.arg == "return_exceptions" and not (isinstance(each.value, ast.Constant) and not each.value.value):
                raise self._refused(
                    "map(…, return_exceptions=True)",
                    "return what went wrong as a value: catch it in the function that is mapped",
                )
            if each.arg == "max_concurrency":
                self._note(
                    f"{ast.unparse(call.func)}: max_concurrency={ast.unparse(each.value)} is left out; "
                    "@function(max_containers=…) limits how many calls run at a time there"
                )
        if any(each.arg in ("max_concurrency", "return_exceptions") for each in call.keywords):
            items = ", ".join(self.edits.of(each) for each in call.args)
            self.edits.replace(call, f"{self.edits.of(call.func)}({items})")

    # definitions

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._definition(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._definition(node)

    def visit_Try(self, node: ast.Try) -> None:
        called = {each.id for part in node.body for each in ast.walk(part) if self._is_durable_name(each)}
        for handler in node.handlers if called else ():
            for each in handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]:
                if each is not None and not self._catches(each):
                    raise self._refused(
                        f"{ast.unparse(each)} of a call of {', '.join(sorted(called))}: it raises FunctionError",
                        "catch that, or catch the other one inside the function that is called",
                    )
        self.generic_visit(node)

    def _is_durable_name(self, node: ast.AST) -> TypeGuard[ast.Name]:
        return isinstance(node, ast.Name) and node.id in self._names.durable

    def _catches(self, kind: ast.expr) -> bool:
        found = original(kind, self._names)
        return RENAMED.get(found or "", found) in THEIRS or ast.unparse(kind) in ("Exception", "BaseException")

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        within, self._within = self._within, node.name
        self.generic_visit(node)
        if any(kind_of(each, self._names) == "cls" for each in node.decorator_list):
            self._class(node)
        self._within = within

    def _class(self, node: ast.ClassDef) -> None:
        for each in node.body:
            if isinstance(each, _Def) and each.name == "__init__" and _takes_more(each):
                raise self._refused(
                    f"@cls() on {node.name}", "its __init__ takes nothing but self there: give it what it needs inside"
                )
        for decorator in node.decorator_list:
            if kind_of(decorator, self._names) == "cls":
                self._decorate(decorator, "cls", node.name)

    def _definition(self, node: _Def) -> None:
        within, outer = self._within, self._contexts
        self._within = f"{within}.{node.name}" if within[0].isupper() else node.name
        self._contexts = set()
        kinds = [kind_of(each, self._names) for each in node.decorator_list]
        if any(kinds) and self._depth:
            raise self._refused(f"{node.name}, which is durable and defined in a function", "define it in the module")
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        for decorator, kind in zip(node.decorator_list, kinds, strict=True):
            if kind is not None:
                self._decorate(decorator, kind, self._within)
        if "application" in kinds:
            self._application(node, kinds)
        self._within, self._contexts = within, outer

    def _application(self, node: _Def, kinds: list[str | None]) -> None:
        arguments = node.args
        if arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg:
            raise self._refused(
                f"the parameters of {node.name}", "those of an application are given by name: no *, / and ** among them"
            )
        if "function" not in kinds:  # ours makes it one; theirs wants both
            last = node.decorator_list[-1]
            indent = " " * (last.col_offset - 1)
            options = f"image={self._image}" if self._with_image(set()) else ""
            self.edits.replace(last, f"{self.edits.of(last)}\n{indent}@{self._named('function')}({options})")

    def _decorate(self, decorator: ast.expr, kind: str, name: str) -> None:
        if not isinstance(decorator, ast.Call):
            raise self._refused(f"@{ast.unparse(decorator)} on {name}", f"write @{ast.unparse(decorator)}()")
        self._rewrite(decorator, kind, f"@{kind} on {name}")

    def _rewrite(self, call: ast.Call, kind: str, of: str) -> None:
        values = named(call, kind, of)
        options = written(Given(kind, of, values, self.edits.of), self._note)
        if any(text.startswith("Retries(") for _, text in options):
            self._used.imports.add(("Retries", self._named("Retries")))
        texts = [f"{name}={text}" for name, text in options]
        if kind == "function" and self._with_image(set(values)):
            texts.append(f"image={self._image}")
        name = self.edits.of(call.func)
        line = f"{name}({', '.join(texts)})"
        if call.col_offset + len(line) > WIDE and kind != "Retries":
            indent = " " * (call.col_offset - 1)
            line = f"{name}(\n" + "".join(f"{indent}    {each},\n" for each in texts) + f"{indent})"
        self.edits.replace(call, line)

    def _with_image(self, given: set[str]) -> bool:
        if self._image is None or "image" in given:
            return False
        self._used.image = True
        return True

    def _named(self, name: str) -> str:
        """What one of their names is called here; it is imported."""
        here = next((alias for alias, found in self._names.ours.items() if found == name), name)
        self._used.imports.add((name, here))
        return here

    def _note(self, text: str) -> None:
        self._used.notes.append((self._cell, text))

    def _refused(self, what: str, instead: str) -> ExportError:
        where = f"cell {self._cell}" if self._cell else "a local module"
        return ExportError(f"{where}, {self._within}: Tensorlake has no {what}; {instead}")


def _without_future(node: ast.expr) -> ast.expr:
    """`f` of `f.future`."""
    return node.value if isinstance(node, ast.Attribute) and node.attr in ("future", "awaitable") else node


def _takes_more(node: _Def) -> bool:
    arguments: Any = node.args
    return len(arguments.posonlyargs + arguments.args) > 1 or bool(arguments.kwonlyargs) or bool(arguments.vararg)
