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
SECTIONS = [f"G{number}" for number in range(1, 9)]
EACH = [*LAWS, *SECURITY, *SECTIONS]
ROWS = {
    row[1]: row[2] for row in re.finditer(r"^\| (\w+) \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE) if row[1] != "row"
}


def functions(path: Path) -> set[str]:
    """Names of all functions and methods in a file."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def test_every_law_and_every_requirement_has_one_row() -> None:
    assert list(ROWS) == EACH


@pytest.mark.parametrize("row", EACH)
def test_a_row_names_tests_that_exist_or_says_what_is_absent_and_why(row: str) -> None:
    named = re.findall(r"`([\w/.]+)::(\w+)`", ROWS[row])
    _, absent, reason = ROWS[row].partition("*absent*: ")
    assert named or absent
    assert not absent or len(reason.split()) > 3
    for path, name in named:
        assert name.startswith("test_")
        assert name in functions(ROOT / "tests" / path), f"{path}::{name}"


@pytest.mark.parametrize("row", EACH)
def test_a_row_says_which_of_its_tests_are_long(row: str) -> None:
    """The others are run before every push."""
    for path, name, said in re.findall(r"`([\w/.]+)::(\w+)`( \*long\*)?", ROWS[row]):
        tree = ast.parse((ROOT / "tests" / path).read_text())
        (found,) = (node for node in ast.walk(tree) if getattr(node, "name", "") == name)
        marks = [ast.unparse(each) for each in getattr(found, "decorator_list", [])]
        assert bool(said) == ("pytest.mark.full" in marks), f"{path}::{name}"
        assert not any("pytestmark" in ast.unparse(node) and "full" in ast.unparse(node) for node in tree.body), path


def test_the_guarantees_lead_to_it() -> None:
    assert "(reliability.md)" in (ROOT / "docs" / "guarantees.md").read_text()
