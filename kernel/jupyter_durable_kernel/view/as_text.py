"""A state of a request as text: for terminals, and for whoever shows neither our JSON nor HTML.

Rules of this file
- Pure. At most `BYTES`: the first calls, then those that failed, then the verb that shows all.
- Free text is masked before it is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jupyter_durable.client.render import MARKS, tree_text
from jupyter_durable.core.escaping import escaped
from jupyter_durable.core.model import Status
from jupyter_durable_kernel.view.call_values import Values
from jupyter_durable_kernel.view.short_values import shortened
from jupyter_durable_kernel.view.state import State, fault, headline

BYTES: Final = 6_000
_LINES: Final = 40
_FAILED_LINES: Final = 10
"""Failed calls that are named beyond those lines."""
_FAILED_BYTES: Final = 1_500
_LINE: Final = 140
"""Characters of a line."""


def text(state: State, values: Values) -> str:
    """The request, how its calls went, and as many of them as fit."""
    row, root = state.row, state.root
    name = _line(escaped(row.application))
    origin = f" · fork of {row.forked_from}" if row.forked_from else ""
    lines = [f"{MARKS.get(state.status, '?')} {name} {state.status} · {row.id} · run {row.run or 1}{origin}"]
    lines.append(headline(state))
    if told := fault(state, values):
        lines.append(shortened(escaped(told), 4 * _LINE))
    if root is not None:
        tree = [_line(line) for line in tree_text(root).split("\n")[1:]]
        shown = _within(tree[:_LINES], BYTES - _FAILED_BYTES - _bytes("".join(lines)))
        failed = [line for line in tree[len(shown) :] if line.lstrip().startswith(MARKS[Status.FAILED])]
        shown += _within(failed[:_FAILED_LINES], _FAILED_BYTES)
        lines += shown
        if len(tree) > len(shown) or state.tallies:
            lines.append(f"… all calls: %durable tree {row.id}")
    return "\n".join(lines)


def _line(text: str) -> str:
    return shortened(text, _LINE)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _within(lines: Sequence[str], room: int) -> list[str]:
    """The first lines that have room."""
    kept: list[str] = []
    for line in lines:
        room -= _bytes(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept
