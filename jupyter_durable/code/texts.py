"""Texts of cells and files, as they are now.

Rules of this file
- Texts live in `linecache`, where IPython, doctest and pdb keep theirs; nothing is kept here.
- A pseudo file (a cell) has no modification time in `linecache`; that is how cells are told from files on disk.
- A file is looked at again whenever it is asked for: one that was edited and loaded again has another text.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import linecache
from collections.abc import Iterator
from types import CodeType
from typing import Final

RESTORED: Final = "<durable "
"""File names of restored code begin like this."""
PARSED_AGAIN: Final = 20
"""How often a text is parsed once more, where another thread disturbed it."""


def remember_source(where: CodeType | str, text: str) -> None:
    """Keep the text of a cell under the file name its code has, unless one is known already."""
    filename = where.co_filename if isinstance(where, CodeType) else where
    if not text_of(filename):
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)


def make_newest(text: str) -> None:
    """A cell runs again: what it binds is bound by it from now on, though its text has been known for long."""
    sizes = len(text), len(text) + 1  # IPython ends a cell with a new line
    for filename, entry in list(linecache.cache.items()):
        if len(entry) == 4 and entry[1] is None and entry[0] in sizes and "".join(entry[2]).rstrip() == text.rstrip():
            with contextlib.suppress(KeyError):  # one call of C, so that no other thread finds it gone
                linecache.cache.update(zip([filename], map(linecache.cache.pop, [filename]), strict=True))


def text_of(filename: str) -> str:
    """Text of a cell or file, "" when it is not to be had."""
    linecache.checkcache(filename)
    return "".join(linecache.getlines(filename))


def is_file(filename: str) -> bool:
    """Whether a text that was asked for stands in a file: it may be another one than that of the code that runs."""
    entry = linecache.cache.get(filename, ())
    return len(entry) == 4 and entry[1] is not None


def remembered() -> Iterator[tuple[str, str]]:
    """(file name, text) of every cell known here, the one that ran last first, then those of restored code."""
    cells = [
        (filename, "".join(entry[2]))
        for filename, entry in reversed(list(linecache.cache.items()))
        if len(entry) == 4 and entry[1] is None
    ]
    yield from (cell for cell in cells if not cell[0].startswith(RESTORED))
    yield from (cell for cell in cells if cell[0].startswith(RESTORED))


def tree_of(source: str) -> ast.Module:
    """`ast.parse`, for several threads at once.

    CPython 3.11 counts the depth of the trees that its threads build in one place. Where another thread comes in
    between, it raises `SystemError` ("AST constructor recursion depth mismatch") for code that has no fault.
    """
    for _ in range(PARSED_AGAIN):
        try:
            return ast.parse(source)
        except SystemError:
            continue
    return ast.parse(source)


@functools.lru_cache(maxsize=256)
def parsed(text: str) -> ast.Module | None:
    """The tree of a cell or file, None for what is not Python. Shared: never change it.

    A cell magic in the first line reads as a comment.
    """
    try:
        return tree_of("#" + text if text.startswith("%%") else text)
    except (SyntaxError, ValueError):
        return None


def may_name(text: str, name: str) -> bool:
    """Whether a text may hold this name: a kernel knows the texts of a day, and few of them are worth parsing.

    Python normalises identifiers, so that a name may stand there in letters that are not ASCII.
    """
    return name in text or not text.isascii()


def first_line(node: ast.stmt | ast.Lambda) -> int:
    """First line of a statement, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min(node.lineno, *(decorator.lineno for decorator in decorators), node.lineno)
