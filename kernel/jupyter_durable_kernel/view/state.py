"""The state of a request, as every form of a view shows it.

Rules of this file
- Pure. What all forms say of a state (the line of its calls, why it failed and where) is said here, once.
- Free text is masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from jupyter_durable.code.credentials import masked
from jupyter_durable.core import metrics
from jupyter_durable.core.counting import CallNode, Counts, summary, walk
from jupyter_durable.core.escaping import escaped
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable_kernel.view.call_values import Values
from jupyter_durable_kernel.view.tallies import Group, Tally

_LOOKED_AT: Final = 100
"""Failed calls whose errors are compared with that of the request."""

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
