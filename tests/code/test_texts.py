"""Texts of cells and files."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from jupyter_durable.code import texts
from jupyter_durable.code.sources import find_class


def test_a_parse_that_another_thread_disturbed_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython 3.11 raises `SystemError` then; the races of threads found it in the first calls of Futures."""
    parse, tried = ast.parse, []

    def disturbed(source: str) -> Any:
        tried.append(source)
        if len(tried) < 3:
            raise SystemError("AST constructor recursion depth mismatch (before=66, after=62)")
        return parse(source)

    monkeypatch.setattr(ast, "parse", disturbed)
    assert ast.unparse(texts.tree_of("a = 1")) == "a = 1"
    assert len(tried) == 3


def test_what_cannot_be_parsed_is_still_an_error() -> None:
    """Nothing is tried again for it."""
    with pytest.raises(SyntaxError):
        texts.tree_of("a = ")
    assert texts.parsed("a = ") is None


def test_a_class_whose_text_is_not_known_costs_no_parse_of_the_cells_of_a_day() -> None:
    """A kernel remembers every version of every cell; a name without a text was looked for in the trees of all."""
    for n in range(40):
        texts.remember_source(f"<cell of a day {n}>", f"class Other{n}:\n    pass\n")
    before = texts.parsed.cache_info()
    assert find_class(type("Nowhere", (), {"__module__": "__main__"})) is None
    after = texts.parsed.cache_info()
    assert after.misses - before.misses == 0


def test_a_class_is_found_by_its_name_in_other_letters() -> None:
    """Python reads identifiers in their normal form, NFKC."""
    texts.remember_source("<cell ligature>", "class ﬁle:\n    pass\n")
    found = find_class(type("file", (), {"__module__": "__main__"}))
    assert found is not None
    assert found.filename == "<cell ligature>"
