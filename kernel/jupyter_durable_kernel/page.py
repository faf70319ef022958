"""A request as an output: JSON for our page, `text/html` and `text/plain` of one state of it.

Rules of this file
- Pure: a state and previews in, texts out.
- At most 100 kB of HTML: where there is more, failures come first, then what runs, then program order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from jupyter_durable.client.render import MARKS, escaped, tree_text
from jupyter_durable.core.calltree import CallNode, Counts, count, summary
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable_kernel import bundle as bundling
from jupyter_durable_kernel import markup
from jupyter_durable_kernel.folding import Group, Tally
from jupyter_durable_kernel.markup import Shown
from jupyter_durable_kernel.values import Values

HTML_BYTES: Final = 100_000
TEXT_LINES: Final = 40
FAILED_LINES: Final = 10
"""Failed calls that are named beyond those lines."""
_ROWS: Final = (150, 60, 20, 5)
"""Calls shown at most: the first number with which the page stays below its limit."""


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


NOTHING: Final = Counts(0, 0, 0, 0, 0, 0, 0.0)
"""Counts of a request without a run."""


def counted(root: CallNode, tallies: Mapping[Group, Tally]) -> Counts:
    """All calls of the run, those that are only counted too."""
    counts = count(root)
    return replace(
        counts,
        reused=counts.reused + sum(tally.reused for tally in tallies.values()),
        executed=counts.executed + sum(tally.ran for tally in tallies.values()),
        failed=counts.failed + sum(tally.failed for tally in tallies.values()),
    )


def bundle(state: State, values: Values) -> dict[str, Any]:
    """The MIME bundle: for our page, for other front ends, for terminals."""
    return {
        bundling.MIME: bundling.snapshot(state, values, headline(state)),
        "text/html": _html(state, values),
        "text/plain": _plain(state),
    }


def headline(state: State) -> str:
    """The line that says how the calls went, with how to re-run what drifted."""
    row, counts = state.row, state.counts
    told = summary(counts)
    if state.resumed:
        told = f"{'resuming' if state.status == Status.RUNNING else 'resumed'} {row.id} · {told}"
    if counts.args_changed or counts.code_changed:
        told += f": re-run them with %durable replay {row.id} --rerun changed"
    return told


def _plain(state: State) -> str:
    row, root = state.row, state.root
    first = f"{MARKS.get(state.status, '?')} {escaped(row.application)} {state.status} · {row.id} · run {row.run or 1}"
    lines = [first, headline(state)]
    if row.error and state.status != Status.SUCCEEDED:
        lines.append(escaped(row.error))
    if root is not None:
        tree = tree_text(root).split("\n")[1:]
        lines += tree[:TEXT_LINES]
        lines += [line for line in tree[TEXT_LINES:] if line.lstrip().startswith(MARKS[Status.FAILED])][:FAILED_LINES]
        more = len(tree) - TEXT_LINES
        if more > 0 or state.tallies:
            lines.append(f"… all calls: %durable tree {row.id}")
    return "\n".join(lines)


def _html(state: State, values: Values) -> str:
    made = ""
    for limit in _ROWS:
        chosen = bundling.chosen(state.root, limit) if state.root is not None else frozenset()
        texts = (headline(state), summary(state.counts))
        shown = Shown(state.row, state.status, state.root, state.tallies, *texts, chosen, state.now)
        made = markup.page(shown, values)
        if len(made.encode("utf-8", "replace")) <= HTML_BYTES:
            break
    return made


def notice(lines: Sequence[str], *, warning: bool = False) -> dict[str, str]:
    """A remark of a line or a few."""
    return {
        "text/html": markup.notice(lines, warning=warning),
        "text/plain": "\n".join(escaped(line) for line in lines),
    }
