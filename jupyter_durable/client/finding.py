"""Which recorded request an execution of a cell goes on with, or an application that is called there.

Rules of this file
- The newest request of the place decides. After anything but a success it goes on. One that the user named
  (`Cell.resumes`) goes on whatever it came to, and so do others of that cell: nothing is paid twice for coming back.
- One that another process runs is never begun a second time in silence: who holds it is said. One that this process
  runs was begun by another call of it, and a new one begins.
- "There is none" is acted on only while it holds: `Found.seen` goes with the new request.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Final

from jupyter_durable.client import accepting, launching, trusted, versions
from jupyter_durable.client.accepting import Given
from jupyter_durable.client.journal import root_row
from jupyter_durable.client.process import Process
from jupyter_durable.client.session import Cell
from jupyter_durable.core.model import Kind, RequestRow, Status
from jupyter_durable.function import Spec
from jupyter_durable.records import NamedTuple
from jupyter_durable.serializer.digest import Digesting, args_digest
from jupyter_durable.store.base import Filter, Seen

IN_CELL: Final = (
    "wait for it and run the cell again, cancel it (`%durable cancel {id}`), take it over (`%durable replay {id} "
    "--take-over`), or begin another one (`%%durable --fresh`)"
)
IN_SCRIPT: Final = (
    "wait for it, cancel it (`jupyter durable cancel {id}`), take it over (`jupyter durable replay {id} --take-over`), "
    "or begin another one (JUPYTER_DURABLE_FRESH=1)"
)
_MANY: Final = 10_000
"""Requests of one notebook that are adopted at once."""


class Found(NamedTuple):
    """What there is to go on with."""

    row: RequestRow | None
    """None: nothing; a new request begins."""
    seen: Seen | None
    """What was looked for, to be compared when the new request is accepted. None: whatever there is."""


def of_cell(process: Process, cell: Cell) -> Found:
    """The request that this execution goes on with. Raises `SDKUsageError` when another process runs it."""
    named = _named(process, cell)
    if named is not None and named.kind == cell.kind and _goes_on(process, named, cell):
        return Found(named, None)
    if cell.key is None or cell.fresh or process.settings.fresh:
        return Found(None, None)
    wanted = Filter(notebook=cell.notebook, cell=cell.key, limit=5)
    rows = _listed(process, wanted, cell)
    row = next((row for row in rows if row.kind == cell.kind), None)
    goes_on = row is not None and _goes_on(process, row, cell)
    return Found(row if goes_on else None, _seen(wanted, rows))


def of_application(
    process: Process,
    spec: Spec,
    given: Given,
    place: Cell,
    taken: Container[str] = (),
) -> Found:
    """The request that a call of an application with the arguments `given` at `place` goes on with.

    `taken`: requests that other calls of this execution have made or gone on with. Raises `SDKUsageError` when another
    process runs it.
    """
    if place.key is None or place.fresh or process.settings.fresh:
        return Found(None, None)
    code = versions.live_code(None)
    how = Digesting(code.as_argument, read_by=code.read_by)
    digest, _ = args_digest(spec.params, *accepting.as_taken(process, spec, given), how)
    wanted = Filter(notebook=place.notebook, cell=place.key, application=spec.name, limit=20)
    rows = _listed(process, wanted, place)
    named = _named(process, place)
    known = rows if named is None else [row for row in (named, *rows) if row.id not in taken]
    like = (Kind.FUNCTION, spec.name, digest)
    alike = [row for row in known if (row.kind, row.application, row.input_digest) == like]
    row = next((row for row in alike if not process.runs(row.id)), None)
    goes_on = row is not None and _goes_on(process, row, place)
    return Found(row if goes_on else None, _seen(wanted, rows))


def _seen(wanted: Filter, rows: list[RequestRow]) -> Seen:
    return Seen(wanted, rows[0].serial if rows else 0)


def _listed(process: Process, wanted: Filter, cell: Cell) -> list[RequestRow]:
    rows = process.store.requests(wanted)
    if not rows and _adopted(process, cell):
        rows = process.store.requests(wanted)
    return rows


def _goes_on(process: Process, row: RequestRow, cell: Cell) -> bool:
    if process.runs(row.id):
        return False
    owner = process.holder(row)
    if owner is not None:
        raise launching.refusal(process, row, owner, IN_SCRIPT if cell.kind == Kind.SCRIPT else IN_CELL)
    return cell.once or cell.resumes is not None or not _has_succeeded(process, row)


def _has_succeeded(process: Process, row: RequestRow) -> bool:
    """Whether its root call did, which is signed: else a changed status would make all of it execute again.

    Raises `DeserializationError`.
    """
    if row.status != Status.SUCCEEDED:
        return False
    root = root_row(process.store, row.serial)
    if root is None or root.status != Status.SUCCEEDED:
        return False
    trusted.sealer_of(process, row.id, versions.live_code(None)).check(root)
    return True


def _named(process: Process, cell: Cell) -> RequestRow | None:
    """The request that the user told the cell to go on with."""
    return process.store.request(cell.resumes) if cell.resumes is not None else None


def _adopted(process: Process, cell: Cell) -> bool:
    """Requests of a notebook that was moved here are its own from now on: its cells have kept their ids, and the old
    path is gone. Those that somebody runs stay where they are. Whether there were any, whoever adopted them."""
    if cell.notebook is None or not (cell.key or "").startswith("cell:") or not Path(cell.notebook).exists():
        return False
    for row in process.store.requests(Filter(cell=cell.key, limit=20)):
        before = row.notebook
        if before == cell.notebook:
            return True
        if before is None or not before.endswith(".ipynb") or Path(before).exists() or process.holder(row) is not None:
            continue
        if r"\udc" in before:  # its name is no UTF-8, and was kept as it can be: whether it is gone cannot be told
            continue
        moved = process.store.requests(Filter(notebook=before, limit=_MANY))
        process.store.move([each for each in moved if process.holder(each) is None], cell.notebook)
        return True
    return False
