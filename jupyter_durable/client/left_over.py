"""Ends of what nobody drives any more: runs that an interrupt left, requests whose owner is gone.

Rules of this file
- What was left is recorded as interrupted, so that nobody has to find out.
- That an owner is gone is acted on only while it holds: the row's epoch goes with it (`ownership.as_read`).
"""

from __future__ import annotations

import contextlib
import threading

from jupyter_durable.client import ownership
from jupyter_durable.client.process import Process
from jupyter_durable.context import current
from jupyter_durable.core.model import Status
from jupyter_durable.errors import StoreError
from jupyter_durable.runner.ending import end_served
from jupyter_durable.runner.run import Run


def let_go(process: Process, *runs: Run) -> None:
    """These runs, or all since the process is about to end, are recorded as interrupted: nobody has to find out."""
    for run in runs or list(process.active.values()):
        process.active.pop(run.id, None)
        with contextlib.suppress(StoreError):
            end_served(run, Status.INTERRUPTED)


def settle_ownerless(process: Process, id: str, status: str = Status.INTERRUPTED) -> bool:
    """A request whose owner is gone becomes interrupted, or cancelled, in the store too; whether it did."""

    def settle() -> bool:
        row = process.store.request(id)
        if row.status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, status):
            return False
        if process.status_of(row) != Status.INTERRUPTED:
            return False
        process.store.settle(row.serial, row.epoch, status, process.clock.now())
        return True

    return ownership.as_read(settle)


def end_left_over(process: Process, id: str) -> None:
    """An interrupt can throw a run out of its own end; the thread that ran it ends it here when it comes back."""
    left = process.active.get(id)
    if left is None:
        return
    scope = current.get()
    inside = scope is not None and scope.request_id == id
    if inside or left is process.run_of_cell() or left.thread_id != threading.get_ident():
        raise ownership.RunsHere(f"request {id} is running in this process; wait for it, or cancel it first")
    let_go(process, left)
