"""Who else holds the requests of a notebook that is to be executed.

Rules of this file
- A kernel whose runner is gone is on its way out (`in_kernel.die_with_parent`). It is waited for; one that does not go
  is ended by its number, after its start time was checked once more. Checkpoints survive that as any crash.
- Anybody else who is alive is left alone, and named.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

from jupyter_durable.client import ownership
from jupyter_durable.client.engine import Engine
from jupyter_durable.core.model import Owner, RequestRow, Status
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.base import Filter
from jupyter_durable_kernel.run.in_kernel import Execution, belongs

GRACE_SECONDS: Final = 2.5
"""ipykernel looks once a second whether its parent is gone."""
POLL_SECONDS: Final = 0.05


def make_way(engine: Engine, execution: Execution) -> None:
    """Return when nobody runs a request of this execution. Raises `SDKUsageError` naming who does."""
    end = time.monotonic() + GRACE_SECONDS
    while held := [row for row in _running(engine, execution) if _alive(row)]:
        row = held[0]
        assert row.owner is not None
        orphan = _orphan(row.owner)
        if orphan is False or time.monotonic() > end + GRACE_SECONDS:
            raise SDKUsageError(
                f"{Path(execution.notebook).name} is being executed by {ownership.described(row.owner)} "
                f"(request {row.id}); wait for it, or end that process first"
            )
        if orphan and time.monotonic() > end and ownership.alive(row.owner):
            os.kill(row.owner.pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def _running(engine: Engine, execution: Execution) -> list[RequestRow]:
    rows = engine.store.requests(Filter(status=Status.RUNNING, notebook=execution.notebook))
    return [row for row in rows if belongs(row.cell, execution.variant)]


def _alive(row: RequestRow) -> bool:
    return row.owner is not None and ownership.alive(row.owner) is True


def _orphan(owner: Owner) -> bool | None:
    """Whether a kernel's parent is gone; None where that cannot be told."""
    try:
        environment = Path(f"/proc/{owner.pid}/environ").read_bytes().split(b"\0")
        parent = Path(f"/proc/{owner.pid}/stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return None
    started_by = next((entry for entry in environment if entry.startswith(b"JPY_PARENT_PID=")), b"")
    return bool(started_by) and started_by.partition(b"=")[2].decode() != parent
