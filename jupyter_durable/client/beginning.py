"""Beginning the request of a cell, or of an application that is called there: gone on with, or a new one.

Rules of this file
- What is decided here holds for the rows as they were read; `NotAsRead` goes to whoever asked, who asks again
  (`ownership.as_read`).
- A request that goes on runs the code of now, as far as all is there that its recorded code had.
"""

from __future__ import annotations

from collections.abc import Container
from functools import partial

from jupyter_durable.client import accepting, finding, launching, ownership, trusted, versions
from jupyter_durable.client.accepting import Given, Origin
from jupyter_durable.client.launching import Launch
from jupyter_durable.client.process import Process
from jupyter_durable.client.session import Cell
from jupyter_durable.code.statements import once_called
from jupyter_durable.core.model import NewRequest, RequestRow, Status
from jupyter_durable.errors import Cancelled
from jupyter_durable.function import Spec
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.run import Run
from jupyter_durable.store.base import NotAsRead


class Begun(NamedTuple):
    """A request that runs from now on."""

    row: RequestRow
    run: Run
    root: ActiveCall
    resumed: bool
    """Whether it was there before."""


def of_cell(process: Process, cell: Cell) -> Begun:
    """The request of an execution of a cell. Raises `SDKUsageError` when another process runs it."""
    found = finding.of_cell(process, cell)
    row = found.row if found.row is not None else _accepted(process, cell, found)
    resumed = found.row is not None
    wanted = _launch(process, cell, row, resumed)
    launched = launching.launch(process, row, wanted, None) if resumed else _begun(process, row, wanted, None)
    return Begun(row, *launched, resumed)


def of_application(process: Process, spec: Spec, given: Given, cell: Cell, taken: Container[str]) -> Begun:
    """The request of a call of an application in a cell; `taken` as in `finding.of_application`.

    Raises `SDKUsageError` when another process runs it.
    """
    found = finding.of_application(process, spec, given, cell, taken)
    row = found.row
    if row is None:
        code = versions.live_code(None)
        with accepting.begun_here(process) as id:
            origin = Origin(cell.notebook, cell.key, seen=found.seen, id=id)
            row, _ = accepting.accept(process, spec, *given, origin, code)
            return Begun(row, *_begun(process, row, Launch(code, reuse_changed=not cell.once), spec), False)
    reading = versions.Reading({spec.name: spec.wrapper}, None)
    code, complete = versions.code_of_now(reading, partial(trusted.code_of, process, row), process.signer)
    again = complete and row.status == Status.SUCCEEDED and cell.once
    aside = _changed(process, row, code) if again else ()
    wanted = Launch(code, set_aside=aside, reuse_changed=not (cell.once and complete))
    try:
        return Begun(row, *launching.launch(process, row, wanted, spec), True)
    except ownership.RunsHere as other:  # a thread that asked for the same: looked at again, it is running here
        raise NotAsRead(str(other)) from other


def _begun(process: Process, row: RequestRow, wanted: Launch, spec: Spec | None) -> tuple[Run, ActiveCall]:
    """What was accepted here runs. Raises `Cancelled` when it was cancelled first: it is not gone on with at once."""
    try:
        return launching.launch(process, row, wanted, spec)
    except NotAsRead:
        if process.store.request(row.id).status == Status.CANCELLED:
            raise Cancelled(
                f"request {row.id} was cancelled before it began; nothing of it ran. Run it again to go on with it"
            ) from None
        raise


def _accepted(process: Process, cell: Cell, found: finding.Found) -> RequestRow:
    version = versions.current_version({}, cell.source, process.signer)
    id, now = accepting.new_id(), process.clock.now()
    place, headers = (cell.notebook, cell.key, None, None), accepting.asked_by(process)
    new = NewRequest(id, cell.title, cell.kind, now, None, b"", version, *place, headers)
    sealer = trusted.sealer_of(process, id, versions.live_code(None))
    return process.store.accept(sealer.vouched(new), seen=found.seen)[0]


def _changed(process: Process, row: RequestRow, code: versions.Loaded) -> tuple[tuple[int, int], ...]:
    """The calls of a success whose code is another one now."""
    from jupyter_durable.client import replay  # it reads the whole tree: for cells that go on after a success

    return replay.changed_calls(process, row, code)


def _launch(process: Process, cell: Cell, row: RequestRow, resumed: bool) -> Launch:
    rule = once_called(cell.source)
    if not resumed:
        return Launch(versions.live_code(None, cell.source), place_rule=rule)
    recorded = partial(trusted.code_of, process, row)
    code, complete = versions.code_of_now(versions.Reading({}, cell.source), recorded, process.signer)
    once = cell.once and complete
    aside = _changed(process, row, code) if once else ()
    return Launch(code, set_aside=aside, place_rule=rule, reuse_changed=not once)


def absent(process: Process, cell: Cell, resumed: RequestRow | None) -> list[str]:
    """What a cell reads, its last request had, and nothing here has: a line each. `resumed`: that request.

    A cell that lacks nothing does not open the store for it.
    """
    reading = versions.Reading({}, cell.source)
    if not reading.absent():
        return []
    row = resumed or finding.of_cell(process, cell).row
    if row is None:
        return []
    return versions.lacking_lines(reading, trusted.code_of(process, row), process.signer, row.id)
