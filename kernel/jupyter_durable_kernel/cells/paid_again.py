"""What a cell is about to pay a second time, because another one did not end.

Rules of this file
- Reads only, and only when a cell begins anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jupyter_durable.client.request import status_of
from jupyter_durable.core.counting import spoken
from jupyter_durable.core.model import RequestRow, RunRow, Status
from jupyter_durable.store.base import Filter

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine

LEAST_SECONDS: Final = 1.0
"""What took less is not worth a word."""
LOOKED_AT: Final = 50
"""Newest requests of the notebook among which one that did not end is looked for."""
NOT_ENDED: Final = frozenset({Status.FAILED, Status.CANCELLED, Status.INTERRUPTED})


def again(engine: Engine, row: RequestRow) -> list[str]:
    """What to say of a request that begins anew: nothing, unless its cell had succeeded and a later one has not."""
    if row.cell is None:
        return []
    here = Filter(notebook=row.notebook, cell=row.cell, application=row.application, before=row.serial, limit=1)
    for last in engine.store.requests(here):
        if last.status == Status.SUCCEEDED and _stopped_since(engine, last):
            runs = engine.store.runs(last.serial)
            seconds = sum(map(_lasted, runs))
            if seconds >= LEAST_SECONDS:
                calls = sum(run.executed for run in runs)
                return [
                    f"this cell had succeeded: it pays once more for what took {spoken(seconds)} ({calls:,} "
                    f"call{'s' if calls != 1 else ''})",
                    '%durable once on: "Run All" goes on where it stopped, and only what changed executes',
                ]
    return []


def _stopped_since(engine: Engine, last: RequestRow) -> bool:
    """Whether the newest request of another cell, later than this one, is anything but a success."""
    newest: dict[str | None, RequestRow] = {}
    for row in engine.store.requests(Filter(notebook=last.notebook, limit=LOOKED_AT)):
        newest.setdefault(row.cell, row)
    return any(
        row.serial > last.serial and row.cell != last.cell and status_of(row, engine) in NOT_ENDED
        for row in newest.values()
    )


def _lasted(run: RunRow) -> float:
    """Seconds of a run; none where the clock was set back meanwhile."""
    return max(0.0, run.finished_at - run.started_at) if run.finished_at is not None else 0.0
