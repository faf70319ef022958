"""How the last run of a request went, in numbers: for lists, which do not load a tree to show it.

Rules of this file
- The numbers are those of the tree, as every view shows them. What ended is counted once and remembered.
- A request of more than `MOST` calls is not read for a list: what its run counted is shown, which knows nothing of the
  calls that reused ones cover.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from itertools import islice
from typing import Final

from jupyter_durable.client.journal import records
from jupyter_durable.core.metrics import Measured
from jupyter_durable.core.model import RequestRow, RunRow
from jupyter_durable.records import NamedTuple
from jupyter_durable.store.base import Store

MOST: Final = 5_000
KEPT: Final = 2_000


class Numbers(NamedTuple):
    """Of the last run."""

    executed: int
    reused: int
    saved: float
    """Seconds."""
    saved_metrics: Measured = ()
    """Of a request whose calls were counted, not of one that runs."""


class Counted:
    """The numbers of requests that have ended. For several threads at once."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Hashable, Numbers]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, store: Store, row: RequestRow, runs: list[RunRow]) -> Numbers:
        """What there is to count of a request that nobody runs."""
        key = (row.run, row.epoch, row.status, row.finished_at)
        with self._lock:
            known = self._known.get(row.id)
        if known is not None and known[0] == key:
            return known[1]
        numbers = _counted(store, row, runs) or as_counted(runs)
        with self._lock:
            self._known[row.id] = key, numbers
            self._known.move_to_end(row.id)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return numbers


def span_of(runs: list[RunRow]) -> tuple[float | None, float | None]:
    """When the last run began and ended, Unix seconds. What lies between two runs is no part of how long it took."""
    return (runs[-1].started_at, runs[-1].finished_at) if runs else (None, None)


def as_counted(runs: list[RunRow]) -> Numbers:
    """What the last run counted itself."""
    if not runs:
        return Numbers(0, 0, 0.0)
    return Numbers(runs[-1].executed, runs[-1].reused, runs[-1].saved)


def _counted(store: Store, row: RequestRow, runs: list[RunRow]) -> Numbers | None:
    """None before the first run, and for more calls than a list may read."""
    from jupyter_durable.core.calltree import CallTree  # for those who look: a process that runs calls has no tree
    from jupyter_durable.core.counting import count

    if sum(run.executed for run in runs) > MOST:
        return None
    found = list(islice(records(store, row.serial), MOST + 1))
    if len(found) > MOST:
        return None
    tree = CallTree()
    tree.apply(found)
    root = tree.tree(row.run, live=False)
    if root is None:
        return None
    counts = count(root)
    return Numbers(counts.executed, counts.reused, counts.saved, counts.saved_metrics)
