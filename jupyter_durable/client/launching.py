"""Beginning a run: acquire the request, make its run, prepare its root.

Rules of this file
- A request is acquired as it was read. What was decided from its row (nobody runs it, what is set aside, which code)
  holds for that row only; `NotAsRead` goes to whoever decided, who reads and decides again (`ownership.as_read`).
- In this process one thread at a time begins a run of a request.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_durable.client import accepting, left_over, ownership, trusted, versions
from jupyter_durable.client.journal import root_row
from jupyter_durable.client.process import Observer, Process
from jupyter_durable.clock import lease_end
from jupyter_durable.core.model import Lease, NewRun, Owner, RequestRow, Status
from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.function import Spec
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.interrupts import guard
from jupyter_durable.runner.run import Run, Unsaved
from jupyter_durable.runner.settings import Environment, RunOptions, RunSettings
from jupyter_durable.runner.start import begin_root, new_run
from jupyter_durable.runner.stop import RunStopped
from jupyter_durable.runner.vouching import may_lack_places
from jupyter_durable.store.base import BlobRefused

if TYPE_CHECKING:
    from jupyter_durable.values import Headers

REMEDY = "wait for it, cancel it, or take it over: .replay(take_over=True), `replay {id} --take-over`"


class Launch(NamedTuple):
    """What a run of a recorded request is to be."""

    code: versions.Loaded
    strict: bool = False
    set_aside: tuple[tuple[int, int], ...] = ()
    place_rule: frozenset[str] | None = None
    match_by_place: bool = True
    reuse_changed: bool = True
    take_over: bool = False


def launch(process: Process, row: RequestRow, wanted: Launch, spec: Spec | None) -> tuple[Run, ActiveCall]:
    """Acquire the request as it was read and begin a run."""
    guard()
    with _starting(process, row.id):
        left_over.end_left_over(process, row.id)
        run, refused = _acquired(process, row, wanted, spec)
        process.active[row.id] = run
        run.on_end.append(lambda: _forget(process, run))
    try:
        _save(run, refused)
        return run, _begin(process, run, row, spec)
    except BaseException:  # an interrupt too: else the request would count as running while this process lives
        left_over.let_go(process, run)
        raise


@contextlib.contextmanager
def _starting(process: Process, id: str) -> Iterator[None]:
    """No other thread of this process begins a run of the request meanwhile."""
    here = threading.get_ident()
    if process.starting.setdefault(id, here) != here:
        raise ownership.RunsHere(f"another thread of this process has just begun to run request {id}; wait for it")
    try:
        yield
    finally:
        process.starting.pop(id, None)


def refusal(process: Process, row: RequestRow, owner: Owner, remedy: str = REMEDY) -> SDKUsageError:
    """The error for a request that `owner` runs."""
    runs = process.store.runs(row.serial)
    since = runs[-1].started_at if runs else None
    return SDKUsageError(
        f"request {row.id} is being run by {ownership.described(owner, since)}; {remedy.format(id=row.id)}"
    )


def _acquired(process: Process, row: RequestRow, wanted: Launch, spec: Spec | None) -> tuple[Run, list[Unsaved]]:
    """The run, not begun, and the outcomes that the store refused in the run before.

    An owner that is gone is no owner; nor is this process when it runs nothing of the request, which is how an
    interrupt leaves it that came while the store's thread went on to begin.
    """
    owner = process.holder(row)
    if owner is not None and not wanted.take_over:
        raise refusal(process, row, owner)
    now, store = process.clock.now(), process.store
    headers, settings = _headers(row), _settings(process)
    until, boot = lease_end(now, settings.lease_seconds)
    mac = _vouched(process, row, wanted)
    new = NewRun("strict" if wanted.strict else "adaptive", now, wanted.code.version, wanted.set_aside, boot, mac)
    lease = store.begin(row.serial, ownership.this_owner(), new, until, epoch=row.epoch)
    refused = _refused(process, lease)
    used = max((max(each.row.parent, each.row.identity) for each in refused), default=0)
    lease = lease._replace(next_identity=max(lease.next_identity, used + 1))
    retries = spec.application.retries if spec is not None and spec.application is not None else None
    options = RunOptions(
        strict=wanted.strict,
        good_runs=_good_runs(process, row, wanted, lease.run) if wanted.strict else frozenset(),
        place_rule=wanted.place_rule,
        reuse_changed=wanted.reuse_changed,
        match_by_place=wanted.match_by_place,
        retries=retries.policy() if retries is not None else None,
        headers=headers,
    )
    environment = Environment(store, wanted.code.serializer, process.signer, settings, process.workers)
    return new_run(environment, lease, options, wanted.code), refused


def _good_runs(process: Process, row: RequestRow, wanted: Launch, number: int) -> frozenset[int]:
    """The runs before run `number` whose paths a strict replay is compared with. Raises `DeserializationError`."""
    said = trusted.sealer_of(process, row.id, wanted.code).sound(process.store.decided(row.serial, 0))
    diverged = {one.pass_no >> 16 for one in said}
    if may_lack_places(row.id):
        diverged |= {run.run for run in process.store.runs(row.serial) if run.status == Status.DIVERGED}
    return frozenset(range(1, number)) - diverged


def _vouched(process: Process, row: RequestRow, wanted: Launch) -> bytes:
    """The MAC of the request with the code of this run. Raises `DeserializationError` for one nobody vouches for."""
    trusted.check(process, row)
    version = wanted.code.version
    now = row if version is None else row._replace(code_key=version.key)
    return trusted.sealer_of(process, row.id, wanted.code).mac_of(now)


def _settings(process: Process) -> RunSettings:
    return RunSettings(
        clock=process.clock,
        default_timeout=process.settings.default_timeout,
        executor=process.settings.executor,
        max_concurrency=process.settings.max_concurrency,
        input_bytes=process.settings.inputs,
        digest_budget=process.settings.digest_budget,
        warn=process.warn,
        around=tracing.around if (tracing := process.tracing) is not None else None,
    )


def _begin(process: Process, run: Run, row: RequestRow, spec: Spec | None) -> ActiveCall:
    name = spec.name if spec is not None else row.application
    root = begin_root(run, spec, name, row.kind, root_row(process.store, row.serial))
    root.digest = row.input_digest
    if spec is not None:
        accepting.prepare_input(process, run, root, row, spec)
    observers: list[Observer] = list(process.observers)
    if process.tracing is not None:
        observers.insert(0, process.tracing)
    for observer in observers:
        if (listener := observer(run, row)) is not None:
            run.listeners.append(listener)
    return root


def _refused(process: Process, lease: Lease) -> list[Unsaved]:
    """What the store refused in the run before. Had another process run the request since, identities are taken."""
    before, refused = process.unsaved.pop(lease.id, (0, []))
    return refused if before == lease.run - 1 else []


def _save(run: Run, refused: list[Unsaved]) -> None:
    """Commit what the store had refused: there is room again, or this raises and it stays in memory."""
    for at, (row, large) in enumerate(refused):
        if large is not None:
            try:
                run.store.put_blob(large.head, large.buffers)
            except BlobRefused as again:
                run.unsaved += refused[at:]
                raise again.reason from None
        try:
            run.record(row)
        except RunStopped as left:
            run.unsaved += refused[at + 1 :]
            raise (run.stopped or left) from None


def _forget(process: Process, run: Run) -> None:
    if process.active.get(run.id) is run:
        del process.active[run.id]
    if run.unsaved:
        process.unsaved[run.id] = (run.number, run.unsaved)


def _headers(row: RequestRow) -> Headers | None:
    if not row.headers:
        return None
    from jupyter_durable import values

    try:
        return values.Headers.from_json(row.headers)
    except ValueError as error:
        raise StoreError(f"the headers of request {row.id} are damaged in the store ({error}): call it anew") from None
