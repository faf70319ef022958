"""Foreign text as it may be shown: names, errors, notebooks and what was printed are whatever somebody made them.

Rules of this file
- Control characters (C0, C1, escape sequences), what turns the direction of text, what has no width, and separators
  of lines and paragraphs stand as their escapes. Every text that leaves Python for a person goes through here; the page
  has the same in `view/dom.ts`.
- JSON keeps its value: there they are written as JSON's own escapes.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, Final

_UNUSUAL: Final = re.compile(r"[^ -~]")
_KEPT: Final = frozenset("\n\t")
_HIDDEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe0e\uffa0")
"""Printable by their class, but without a mark of their own."""


def _is_shown(character: str) -> bool:
    return character.isprintable() and character not in _HIDDEN


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return character if _is_shown(character) else character.encode("unicode_escape").decode()


def _escape_within_lines(found: re.Match[str]) -> str:
    return found[0] if found[0] in _KEPT else _escape(found)


def _escape_in_json(found: re.Match[str]) -> str:
    character = found[0]
    if _is_shown(character) or character in _KEPT:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2], 'big'):04x}" for at in range(0, len(units), 2))


def escaped(text: str) -> str:
    """One line: line ends and tabs stand as their escapes too."""
    return _UNUSUAL.sub(_escape, text)


def lines_escaped(text: str) -> str:
    """Text of several lines: line ends and tabs stay."""
    return _UNUSUAL.sub(_escape_within_lines, text)


def json_escaped(text: str) -> str:
    """A JSON document that means the same: in it these characters can stand in strings only."""
    return _UNUSUAL.sub(_escape_in_json, text)


def finite(document: Any) -> Any:
    """A document for JSON, with numbers that it has not as words: they stand in results, and in stores of others."""
    if isinstance(document, float):
        return document if isfinite(document) else repr(document)
    if isinstance(document, dict):
        return {key: finite(value) for key, value in document.items()}
    return [finite(value) for value in document] if isinstance(document, (list, tuple)) else document
