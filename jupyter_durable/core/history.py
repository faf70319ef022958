"""A request with all that is recorded of it, as it is carried from one store to another.

Rules of this file
- Plain values, as in `model`. Large values are not in it: they are named by its calls, and carried before it.
- Ids, identities and MACs are those of the first store, so that what was signed there verifies in the other one.
"""

from __future__ import annotations

from itertools import chain

from jupyter_durable.core.model import (
    ArgumentsDecide,
    Attempted,
    CallRow,
    CodeVersion,
    Logged,
    Metric,
    NewRequest,
    Progressed,
    Reached,
    RequestRow,
    RunRow,
    Write,
)
from jupyter_durable.records import NamedTuple


class History(NamedTuple):
    """All that is recorded of one request that nobody runs."""

    request: RequestRow
    code: list[CodeVersion]
    """Each version that its runs had, that of the request first."""
    runs: list[RunRow]
    calls: list[CallRow]
    reached: list[Reached]
    decided: list[ArgumentsDecide]
    attempts: list[Attempted]
    logs: list[Logged]
    progress: list[Progressed]
    metrics: list[Metric]


def as_new(history: History) -> NewRequest:
    """The request as it was accepted first, with the code and the MAC of its last run."""
    row = history.request
    return NewRequest(
        row.id,
        row.application,
        row.kind,
        row.accepted_at,
        row.input,
        row.input_digest,
        history.code[0],
        row.notebook,
        row.cell,
        row.idempotency_key,
        row.forked_from,
        row.headers,
        row.mac,
    )


def besides_calls(history: History) -> list[Write]:
    """What journals wrote beside the rows of calls."""
    return list(
        chain(history.reached, history.decided, history.attempts, history.logs, history.progress, history.metrics)
    )
