"""A request as an output: JSON for our page, `text/html` and `text/plain` of one state of it.

Rules of this file
- Pure: a state and previews in, texts out.
- All forms together are at most `BYTES` in a notebook's file: where there is more, failures come first, then what runs,
  then program order.
- Free text is masked before it is cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from jupyter_durable.client.render import MARKS, tree_text
from jupyter_durable.code.credentials import masked
from jupyter_durable.core import metrics
from jupyter_durable.core.counting import NOTHING, CallNode, Counts, summary, walk
from jupyter_durable.core.escaping import escaped
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable_kernel import bundle as bundling
from jupyter_durable_kernel import markup
from jupyter_durable_kernel.markup import Shown
from jupyter_durable_kernel.previews import shortened
from jupyter_durable_kernel.saving import FULL, HTML, MIME, NONE, TEXT, fitted
from jupyter_durable_kernel.unseen import Group, Tally, counted
from jupyter_durable_kernel.values import Values

__all__ = ["BYTES", "NOTHING", "State", "bundle", "counted", "ended_in", "headline", "notice"]

BYTES: Final = 100_000
_HTML_BYTES: Final = 34_000
_TEXT_BYTES: Final = 6_000
_ROWS: Final = 80
"""Calls shown at most in HTML."""
_LINES: Final = 40
_FAILED_LINES: Final = 10
"""Failed calls that are named beyond those lines."""
_FAILED_BYTES: Final = 1_500
_LOOKED_AT: Final = 100
"""Failed calls whose errors are compared with that of the request."""
_LINE: Final = 140
"""Characters of a line."""


Span = tuple[float | None, float | None]


class State(NamedTuple):
    """What is to be shown."""

    row: RequestRow
    status: str
    root: CallNode | None
    tallies: Mapping[Group, Tally]
    counts: Counts
    resumed: bool
    now: float
    """Unix seconds."""
    span: Span = (None, None)
    """When the last run began and ended, Unix seconds."""

    @property
    def seconds(self) -> float | None:
        """How long the last run took, or takes by now."""
        began, ended = self.span
        if began is None or (ended is None and self.status != Status.RUNNING):
            return None
        return max(0.0, (self.now if ended is None else ended) - began)


def bundle(state: State, values: Values, save_view: str = FULL) -> dict[str, Any]:
    """The MIME bundle: for our page, for other front ends, for terminals; as much of it as may be saved."""
    told = headline(state)
    if save_view == FULL:
        return {MIME: bundling.snapshot(state, values, told), HTML: _html(state, values), TEXT: _plain(state, values)}
    small = bundling.reduced(state, values, told, save_view)
    if save_view == NONE:
        lines = [f"durable request {state.row.id}: its view is not saved here, %durable show {state.row.id} shows it"]
        return {MIME: small, HTML: markup.notice(lines), TEXT: lines[0]}
    root = state.root and replace(state.root, children=(), logs=())
    return {
        MIME: small,
        HTML: _html(state._replace(root=root, tallies={}), values),
        TEXT: _plain(state._replace(root=None), values),
    }


def headline(state: State) -> str:
    """The line that says how the calls went, with how to re-run what drifted."""
    row, counts = state.row, state.counts
    told = summary(counts)
    if state.resumed:
        told = f"{'resuming' if state.status == Status.RUNNING else 'resumed'} {row.id} · {told}"
    if counts.args_changed or counts.not_comparable or counts.code_changed or counts.file_changed:
        told += f": re-run them with %durable replay {row.id} --rerun changed"
    if counts.metrics:
        told += f" · measured {escaped(metrics.told(counts.metrics))}"
    return told


def _plain(state: State, values: Values) -> str:
    row, root = state.row, state.root
    name = _line(escaped(row.application))
    origin = f" · fork of {row.forked_from}" if row.forked_from else ""
    lines = [f"{MARKS.get(state.status, '?')} {name} {state.status} · {row.id} · run {row.run or 1}{origin}"]
    lines.append(headline(state))
    if told := fault(state, values):
        lines.append(shortened(escaped(told), 4 * _LINE))
    if root is not None:
        tree = [_line(line) for line in tree_text(root).split("\n")[1:]]
        shown = _within(tree[:_LINES], _TEXT_BYTES - _FAILED_BYTES - _bytes("".join(lines)))
        failed = [line for line in tree[len(shown) :] if line.lstrip().startswith(MARKS[Status.FAILED])]
        shown += _within(failed[:_FAILED_LINES], _FAILED_BYTES)
        lines += shown
        if len(tree) > len(shown) or state.tallies:
            lines.append(f"… all calls: %durable tree {row.id}")
    return "\n".join(lines)


def fault(state: State, values: Values) -> str:
    """Why a request did not succeed, and in which call; empty for one that did, or runs."""
    if not state.row.error or state.status in (Status.SUCCEEDED, Status.RUNNING):
        return ""
    ended = ended_in(state, values)
    label = f"{ended.label}: " if ended is not None else ""
    return label + masked(state.row.error)


def ended_in(state: State, values: Values) -> CallNode | None:
    """The last innermost call that failed with the error of the request; the page names the same one (`ended.ts`)."""
    error = _words(masked(state.row.error or ""))
    if state.root is None or state.status != Status.FAILED or not error:
        return None
    failed = [node for node in walk(state.root) if node.depth and node.status == Status.FAILED]
    callers = {node.parent for node in failed}
    innermost = [node for node in reversed(failed) if node.identity not in callers]
    return next((node for node in innermost[:_LOOKED_AT] if error in _words(values.of(node).error)), None)


def _words(text: str) -> str:
    """The error of a request is one line, that of a call may have several."""
    return " ".join(text.split())


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


def _html(state: State, values: Values) -> str:
    laid = bundling.laid_out(state)

    def made(limit: int) -> str:
        chosen = bundling.chosen(laid, limit)
        what = (state.row, state.status, state.root, state.tallies, headline(state), summary(state.counts))
        shown = Shown(*what, chosen, limit, state.now, state.seconds, fault(state, values))
        return markup.page(shown, values)

    page: str = fitted(made, _ROWS, _HTML_BYTES)
    return page


def notice(lines: Sequence[str], *, warning: bool = False) -> dict[str, str]:
    """A remark of a line or a few."""
    return {
        "text/html": markup.notice(lines, warning=warning),
        "text/plain": "\n".join(escaped(line) for line in lines),
    }
