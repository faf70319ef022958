"""Texts of cells and files."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from jupyter_durable.code import texts


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
