"""The table of what is promised: every row is there, and every test it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
LAWS = [*"abcdefghijklmnopqs"]
SECURITY = [f"S{number}" for number in range(1, 21)]
ROWS = {
    row[1]: row[2] for row in re.finditer(r"^\| (\w+) \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE) if row[1] != "row"
}


def functions(path: Path) -> set[str]:
    """Names of all functions and methods in a file."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def test_every_law_and_every_requirement_has_one_row() -> None:
    assert list(ROWS) == [*LAWS, *SECURITY]


@pytest.mark.parametrize("row", [*LAWS, *SECURITY])
def test_a_row_names_tests_that_exist_or_says_what_is_absent_and_why(row: str) -> None:
    named = re.findall(r"`([\w/.]+)::(\w+)`", ROWS[row])
    _, absent, reason = ROWS[row].partition("*absent*: ")
    assert named or absent
    assert not absent or len(reason.split()) > 3
    for path, name in named:
        assert name.startswith("test_")
        assert name in functions(ROOT / "tests" / path), f"{path}::{name}"


def test_the_guarantees_lead_to_it() -> None:
    assert "(reliability.md)" in (ROOT / "docs" / "guarantees.md").read_text()
