"""Changes to a text of Python that leave the rest of it as it was written.

Rules of this file
- Places are those of the syntax tree: lines, and columns in bytes of UTF-8.
- A change takes the place of those that were made inside of it: change what is inside first.
"""

from __future__ import annotations

import ast


class Edits:
    """A text and what becomes of some of its nodes."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()
        self._starts = [0]
        for line in self._bytes.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._changes: dict[tuple[int, int], str] = {}

    def replace(self, node: ast.AST, text: str) -> None:
        """Write `text` where `node` stands."""
        start, end = self._span(node)
        inside = [each for each in self._changes if start <= each[0] and each[1] <= end]
        for each in inside:
            del self._changes[each]
        self._changes[start, end] = text

    def before(self, node: ast.AST, text: str) -> None:
        """Write `text` in front of `node`; a second time in front of what was written first."""
        start = self._span(node)[0]
        self._changes[start, start] = text + self._changes.get((start, start), "")

    def of(self, node: ast.AST) -> str:
        """The text of `node` with what was changed in it."""
        return self._changed(*self._span(node))

    def whole(self) -> str:
        """The text with all changes."""
        return self._changed(0, len(self._bytes))

    def _span(self, node: ast.AST) -> tuple[int, int]:
        at = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        return self._starts[at[0] - 1] + at[1], self._starts[at[2] - 1] + at[3]

    def _changed(self, start: int, end: int) -> str:
        parts, at = [], start
        for (first, last), text in sorted(self._changes.items()):
            if start <= first and last <= end:
                parts += [self._bytes[at:first].decode(), text]
                at = last
        return "".join([*parts, self._bytes[at:end].decode()])
