"""What keeps each part small enough to be read at once (design, section 7). Parameters are counted by ruff."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

import pytest

from tests.conftest import ROOT

PACKAGES: Final = ("jupyter_durable", "kernel/jupyter_durable_kernel", "kernel/jupyter_durable_server")
FILE_LINES: Final = 400
CLASS_LINES: Final = 250
FUNCTION_LINES: Final = 60


def grown(text: str) -> Iterator[str]:
    """What in the text of a module is longer than it may be, with its lines."""
    lines = len(text.splitlines())
    if lines > FILE_LINES:
        yield f"the file has {lines} lines, {FILE_LINES} at most"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            kind, most = "class", CLASS_LINES
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            kind, most = "function", FUNCTION_LINES
        else:
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > most:
            yield f"the {kind} {node.name} has {lines} lines, {most} at most"


def test_no_file_class_or_function_has_grown_over_its_limit() -> None:
    """What has is split into parts that have a name of their own; a limit is not raised for it."""
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    assert len(files) > 100
    found = [f"{file.relative_to(ROOT)}: {what}" for file in files for what in grown(file.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    ("head", "line", "most", "what"),
    [
        ("", "a = 1\n", FILE_LINES, "the file"),
        ("class A:\n", "    a = 1\n", CLASS_LINES, "the class A"),
        ("def f():\n", "    a = 1\n", FUNCTION_LINES, "the function f"),
        ("async def f():\n", "    a = 1\n", FUNCTION_LINES, "the function f"),
    ],
)
def test_one_line_too_many_is_found_and_the_last_that_may_be_is_not(head: str, line: str, most: int, what: str) -> None:
    full = head + line * (most - len(head.splitlines()))
    assert list(grown(full)) == []
    assert list(grown(full + line)) == [f"{what} has {most + 1} lines, {most} at most"]
