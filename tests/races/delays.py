"""Seeded delays between the statements of the engine's own files, in every thread.

Races show when one thread stands still between two statements while others go on. Which of them are slow follows from
the seed alone, a few in a hundred, other ones for each seed; besides, some others are slow now and then.

Rules of this file
- The statements are there from the import on: `install` compiles the files in which threads meet with a question before
  each statement, before each return and at the end of each block. It costs 20 ns where nothing is slow. A tracer would
  cost ten times the run.
- A delay is the engine's own code to whoever asks where a thread is: no error and no interrupt comes up in it that
  would not come up at that statement.
"""

from __future__ import annotations

import ast
import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import random
import sys
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

PACKAGE: Final = "jupyter_durable"
PARTS: Final = ("runner.", "executor.", "store.", "future", "context", "client.session", "client.conducting")
"""Where threads meet. What only computes (digests, code versions, serializers) is not slowed."""
SPARED: Final = frozenset({("executor.visit", "throw")})
"""Function whose word is that it is not held up: it looks where a thread is, and throws in the same moment."""
SLOW: Final = 0.03, 0.25
"""Share of the statements that are slow under one seed, and how often such a one is."""
SELDOM: Final = 0.1, 0.005
"""The same of those that are slow now and then."""
SECONDS: Final = 0.0005, 0.0005, 0.001, 0.001, 0.002, 0.005
"""One of these is the longest that a delay takes."""

_chances: Final[list[float]] = []
"""How often each statement is slow, now."""
_places: Final[list[str]] = []
_state = threading.local()
_seed: Final = [0]


def _delay(at: int) -> None:
    """A statement that may be slow begins."""
    try:
        seed, draw = _state.drawn
    except AttributeError:
        seed, draw = -1, None
    if seed != _seed[0] or draw is None:
        seed = _seed[0]
        draw = random.Random(f"{seed} {threading.get_ident()}")
        _state.drawn = seed, draw
    if draw.random() < _chances[at]:
        time.sleep(draw.random() * draw.choice(SECONDS))


class Delays:
    """`with Delays(seed):` — what runs inside is delayed."""

    def __init__(self, seed: int) -> None:
        assert _places, "delays.install() comes before the first import of the engine"
        self._seed = seed

    def __enter__(self) -> Delays:
        _seed[0] = self._seed
        slow, seldom = SLOW[0] * 2**32, (SLOW[0] + SELDOM[0]) * 2**32
        for at, place in enumerate(_places):
            mixed = zlib.crc32(f"{self._seed} {place}".encode())
            _chances[at] = SLOW[1] if mixed < slow else SELDOM[1] if mixed < seldom else 0.0
        return self

    def __exit__(self, *_: object) -> None:
        _chances[:] = [0.0] * len(_chances)


def install() -> None:
    """Let the engine be imported with its questions. Once, before it is imported."""
    assert PACKAGE not in sys.modules, "too late: the engine is imported"
    sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the files in which threads meet."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if not name.startswith(tuple(f"{PACKAGE}.{part}" for part in PARTS)):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a file with its questions."""

    def get_code(self, fullname: str) -> CodeType:
        tree = _Asking(fullname.removeprefix(f"{PACKAGE}.")).visit(ast.parse(Path(self.path).read_bytes()))
        code = compile(ast.fix_missing_locations(tree), self.path, "exec", dont_inherit=True)
        setattr(builtins, CHANCES, _chances)
        setattr(builtins, DELAY, _as_engine())
        return code


CHANCES: Final = "_durable_races_chances"
DELAY: Final = "_durable_races_delay"


def _as_engine() -> FunctionType:
    """The delay, as a function of a file of the engine."""
    folder = importlib.util.find_spec(PACKAGE).submodule_search_locations[0]  # type: ignore[union-attr, index]
    code = _delay.__code__.replace(co_filename=f"{folder}/delays.py")
    return FunctionType(code, {**globals(), "__name__": f"{PACKAGE}.delays"})


class _Asking(ast.NodeTransformer):
    """Puts the questions into the functions of one file."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inside = False

    def visit_FunctionDef(self, node: Any) -> Any:
        if (self._name, node.name) in SPARED:
            return node
        outer, self._inside = self._inside, True
        start = int(ast.get_docstring(node, clean=False) is not None)
        node.body[start:] = self._asked(node.body[start:])
        self._inside = outer
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        outer, self._inside = self._inside, False
        self.generic_visit(node)
        self._inside = outer
        return node

    def generic_visit(self, node: ast.AST) -> Any:
        """Blocks of statements; expressions are left as they are."""
        if isinstance(node, ast.expr):
            return node
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                setattr(node, name, self._asked(value) if self._inside else [self.visit(each) for each in value])
            elif isinstance(value, list):
                for each in value:
                    if isinstance(each, ast.ExceptHandler | ast.match_case):
                        self.visit(each)
        return node

    def _asked(self, block: list[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for each in block:
            line = each.lineno
            made.append(self._question(line))
            if isinstance(each, ast.Return) and isinstance(each.value, ast.Call | ast.Await):
                made += [
                    ast.copy_location(ast.Assign([ast.Name(RESULT, ast.Store())], each.value, lineno=line), each),
                    self._question(line),
                    ast.copy_location(ast.Return(ast.Name(RESULT, ast.Load())), each),
                ]
                continue
            made.append(self.visit(each))
        if block and not isinstance(block[-1], ast.Return | ast.Raise | ast.Continue | ast.Break):
            made.append(self._question(block[-1].end_lineno or block[-1].lineno))
        return made

    def _question(self, line: int) -> ast.stmt:
        at = len(_places)
        _places.append(f"{self._name} {line} {at - self._first_of(line)}")
        _chances.append(0.0)
        asked = ast.parse(f"{CHANCES}[{at}] and {DELAY}({at})").body[0]
        for node in ast.walk(asked):
            if isinstance(node, ast.expr | ast.stmt):
                node.lineno = node.end_lineno = line
                node.col_offset = node.end_col_offset = 0
        return asked

    def _first_of(self, line: int) -> int:
        at = len(_places)
        while at and _places[at - 1].startswith(f"{self._name} {line} "):
            at -= 1
        return at


RESULT: Final = "_durable_races_result"
