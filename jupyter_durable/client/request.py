"""What a user holds: a request.

Rules of this file
- A `Request` reads the store when it is asked; what it says is what holds now.
- What is done with a request (replay, fork, cancel) is done by the engine; here it gets its name and its arguments.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.client import replay, versions, widgets
from jupyter_durable.client.calls import Call
from jupyter_durable.client.execution import run_recorded
from jupyter_durable.client.journal import load_tree, root_row
from jupyter_durable.client.render import request_text, tree_text
from jupyter_durable.code.credentials import masked
from jupyter_durable.core.calltree import CallNode, Counts, count, walk
from jupyter_durable.core.model import ENDED, ROOT, CallRow, Flag, Kind, Progressed, RequestRow, RunRow, Status
from jupyter_durable.core.nodes import GROUPS, called
from jupyter_durable.core.selection import Preview
from jupyter_durable.errors import (
    DeserializationError,
    RequestError,
    RequestFailed,
    RequestNotFinished,
    SDKUsageError,
    StoreError,
    TimeoutError,
)
from jupyter_durable.runner.sealing import Sealer
from jupyter_durable.serializer.failure import decode_failure, failure_text
from jupyter_durable.store.base import Filter

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine

POLL_SECONDS: Final = 0.02
STATUSES: Final = tuple(value for name, value in vars(Status).items() if name.isupper() and value != Status.DIVERGED)
_NUMBERED: Final = re.compile(r"(.+)\[(\d+)\]")
ReplayMode = replay.ReplayMode


class Request:
    """One invocation of an application, or one execution of a cell that called durable functions."""

    def __init__(self, engine: Engine, row: RequestRow) -> None:
        self._engine = engine
        self._row = row

    # what it is

    @property
    def id(self) -> str:
        """Id, as `req_…`."""
        return self._row.id

    @property
    def application(self) -> str:
        """Name of the application, or of the cell."""
        return self._row.application

    @property
    def notebook(self) -> str | None:
        """Path of the notebook or script."""
        return self._row.notebook

    def _now(self) -> RequestRow:
        self._row = self._engine.store.request(self._row.id)
        return self._row

    @property
    def status(self) -> str:
        """queued, running, waiting, succeeded, failed, cancelled or interrupted."""
        return status_of(self._now(), self._engine)

    @property
    def started_at(self) -> float | None:
        """When the first run began, Unix seconds."""
        return self._now().started_at

    @property
    def finished_at(self) -> float | None:
        """When the last run ended, Unix seconds."""
        return self._now().finished_at

    @property
    def runs(self) -> list[RunRow]:
        """The original execution and every replay."""
        return self._engine.store.runs(self._row.serial)

    @property
    def error(self) -> BaseException | None:
        """What made the last run fail."""
        if self.status not in (Status.FAILED, Status.CANCELLED):
            return None
        row = root_row(self._engine.store, self._row.serial)
        if row is not None and row.status == Status.FAILED:
            data = self._sealer().open(row)
            return decode_failure(data, self._code().serializer)
        return RequestFailed(masked(self._row.error or self._row.status))

    def __repr__(self) -> str:
        return request_text(self._now(), self.status, self.counts())

    def __str__(self) -> str:
        return self.__repr__()

    # outcome

    def output(self) -> Any:
        """The output. Raises `RequestFailed` (chained to the cause), `RequestError` verbatim, `RequestNotFinished`."""
        __tracebackhide__ = True
        status = self.status
        if status not in ENDED:
            raise RequestNotFinished(f"request {self.id} is {status}; wait for it with .wait()")
        if status == Status.SUCCEEDED:
            row = root_row(self._engine.store, self._row.serial)
            if row is None or row.status != Status.SUCCEEDED:
                raise DeserializationError(
                    f"request {self.id} reads as succeeded, but nothing vouches for an outcome: it was changed outside"
                    " of jupyter_durable. Replay it"
                )
            return self._open(row, row.name)
        cause = self.error
        if isinstance(cause, RequestError):
            raise cause
        if cause is None or status == Status.CANCELLED:
            ended = f"was {status}; what had succeeded is kept"
        else:
            ended = f"failed: {masked(self._row.error or type(cause).__name__)}"
        raise RequestFailed(f"request {self.id} of {self.application} {ended}. Replay it to go on") from cause

    def wait(self, timeout: float | None = None) -> Request:
        """Wait for the end, whatever it is. Raises `TimeoutError` after `timeout` seconds; the request goes on."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.status not in ENDED or self._engine.runs(self.id):
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"request {self.id} has not ended within {timeout} s; it goes on")
            time.sleep(POLL_SECONDS)
        return self

    async def _wait(self) -> Any:
        while self.status not in ENDED or self._engine.runs(self.id):
            await asyncio.sleep(POLL_SECONDS)
        return self.output()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    # the tree

    def _root(self) -> CallNode | None:
        row = self._now()
        live = status_of(row, self._engine) == Status.RUNNING
        return load_tree(self._engine.store, row, live=live)[1]

    def root_call(self) -> Call | None:
        """The root of the call tree; None before the first run."""
        node = self._root()
        return Call(self, node, None) if node is not None else None

    def counts(self) -> Counts | None:
        """How many calls of the last run were reused, executed, failed."""
        node = self._root()
        return count(node) if node is not None else None

    def calls(self, name: str | None = None) -> list[Call]:
        """All calls in program order, without the root; only those of a function when `name` is given.

        Map and reduce nodes are called `name.map` and `name.reduce`.
        """
        found: list[Call] = []
        root = self.root_call()
        pending = list(reversed(root.children)) if root is not None else []
        while pending:
            call = pending.pop()
            if name is None or called(call.kind, call.name) == name:
                found.append(call)
            pending.extend(reversed(call.children))
        return found

    def call(self, name: str, n: int = 0) -> Call:
        """`name[n]`. Raises `SDKUsageError` naming the calls there are."""
        if (numbered := _NUMBERED.fullmatch(name)) is not None:
            name, n = numbered[1], int(numbered[2])
        for call in self.calls():
            if call._node.label == f"{name}[{n}]":
                return call
        root = self.root_call()
        if root is not None and name == root.name and n == 0:
            return root
        labels = [call._node.label for call in self.calls()]
        known = ", ".join(labels[:8]) + (", …" if len(labels) > 8 else "")
        raise SDKUsageError(f"request {self.id} has no call {name}[{n}]; it has {known or 'no calls yet'}")

    def tree(self) -> str:
        """The call tree as text."""
        node = self._root()
        return tree_text(node) if node is not None else "(no run yet)"

    @property
    def progress(self) -> list[Progressed]:
        """The newest progress of each call that reported."""
        return self._engine.store.progress(self._row.serial)

    @property
    def metrics(self) -> list[Any]:
        """What calls measured."""
        return self._engine.store.metrics(self._row.serial)

    @property
    def state(self) -> dict[str, Any]:
        """State values as the successful root left them."""
        row = root_row(self._engine.store, self._row.serial)
        if row is None or row.writes is None:
            return {}
        sealer = self._sealer()
        sealer.check(row)
        return sealer.written(row)

    # what one can do with it

    def replay(
        self,
        mode: str = ReplayMode.ADAPTIVE,
        upgrade_to_latest_version: bool = False,
        *,
        rerun: Any = None,
        from_call: Any = None,
        take_over: bool = False,
    ) -> Request:
        """Run it again to its end: what succeeded is served from checkpoints. Returns the request.

        `upgrade_to_latest_version` runs the code that is defined now instead of the recorded one. `rerun="changed"`
        (implies the upgrade) executes the calls whose code or arguments changed, `rerun=[…]` calls or functions by
        name, `from_call="name[n]"` that call and everything later. Raises `ReplayError` when a strict replay diverges
        or something the recorded code needs is missing, `SDKUsageError` when somebody else runs the request.
        """
        _check_mode("replay", mode)
        choice = replay.Choice(upgrade_to_latest_version or rerun == "changed", rerun, from_call)
        run_recorded(self._engine, self.id, choice, strict=mode == ReplayMode.STRICT, take_over=take_over)
        return self

    def fork(self, *, from_call: Any = None, input: Any = None, rerun: Any = None) -> Request:
        """Do the same in a new request and leave this one alone.

        `input` is the argument of the application, or a tuple of arguments; then the root executes, and its calls are
        matched by their arguments only.
        """
        from jupyter_durable.client.engine import new_id

        choice = replay.Choice(False, rerun, from_call)
        row = self._now()
        code = replay.code_for(self._engine, row, False)
        replay.set_asides(self._engine, row, choice, code)  # may raise
        arguments = replay.arguments_of(self._engine, row, input, code)
        row = replay.forked(self._engine, row, arguments, new_id())
        run_recorded(self._engine, row.id, choice, other_input=arguments is not None)
        return Request(self._engine, self._engine.store.request(row.id))

    def preview(
        self,
        mode: str = ReplayMode.ADAPTIVE,
        upgrade_to_latest_version: bool = False,
        *,
        rerun: Any = None,
        from_call: Any = None,
    ) -> Preview:
        """What `replay` with the same arguments would do with each recorded call. Runs nothing."""
        _check_mode("preview", mode)
        choice = replay.Choice(upgrade_to_latest_version or rerun == "changed", rerun, from_call)
        return replay.preview(self._engine, self._now(), choice, strict=mode == ReplayMode.STRICT)

    def cancel(self) -> None:
        """Stop it; what succeeded is kept, and it can be replayed. One that has ended stays as it is.

        One that was interrupted is cancelled too: nobody is left to go on with it.
        """
        run = self._engine.active.get(self.id)
        if run is not None:
            run.cancel()
        elif not self._engine.settle_ownerless(self.id, Status.CANCELLED):
            self._engine.store.cancel(self._row.serial)

    def pin(self, pinned: bool = True) -> None:
        """Keep it from garbage collection."""
        self._engine.store.pin(self._row.serial, pinned)

    def delete(self) -> None:
        """Remove it and all that only it had from the disk: input, values, large ones too, code.

        Raises `SDKUsageError` while it runs.
        """
        self._engine.settle_ownerless(self.id)
        self._engine.store.delete(self._row.serial)

    def widget(self) -> Any:
        """It as an ipywidgets widget: the view of the notebook, with traits `status`, `counts` and `selected_call`.

        Raises `SDKUsageError` where ipywidgets and anywidget are not installed.
        """
        return widgets.widget_of(self)

    # values

    def _code(self) -> versions.Loaded:
        engine = self._engine
        return versions.code_to_read_with(lambda: engine.code_of(self._row), engine.signer)

    def _sealer(self) -> Sealer:
        return self._engine.sealer(self.id, self._code())

    def _stored(self, node: CallNode) -> Any:
        row = self._engine.store.call(self._row.serial, node.parent, node.identity)
        if row is None:
            raise StoreError(f"{node.label} is no longer in the journal of request {self.id}: read its tree again")
        return row

    def _failure(self, node: CallNode) -> BaseException:
        return decode_failure(self._sealer().open(self._stored(node)), self._code().serializer)

    def _failure_text(self, node: CallNode) -> str:
        return masked(failure_text(self._sealer().open(self._stored(node))))

    def _value(self, node: CallNode) -> Any:
        if node.status == Status.FAILED:
            raise self._failure(node)
        if node.status != Status.SUCCEEDED:
            raise RequestNotFinished(f"{node.label} of request {self.id} is {node.status}; it has no result")
        return self._open(self._stored(node), node.label)

    def _open(self, row: CallRow, label: str) -> Any:
        """The result in a row of a success."""
        sealer = self._sealer()
        if row.value is None and row.blob is None:
            sealer.check(row)
            if row.kind in GROUPS and row.status == Status.SUCCEEDED:
                return None
            if row.flags & Flag.NOT_STORED:
                raise SDKUsageError(f"{label} of request {self.id} completed, but its result was not checkpointed")
        return sealer.open(row)

    def _inputs(self, node: CallNode) -> tuple[tuple[Any, ...], dict[str, Any]]:
        row = self._stored(node)
        if row.identity == ROOT and self._row.kind == Kind.FUNCTION:
            self._engine.check(self._row)
            return self._sealer().input(self._row)
        if row.inputs is None:
            raise SDKUsageError(f"{node.label} of request {self.id}: its arguments were not kept")
        return self._sealer().inputs(row)[0]


def status_of(row: RequestRow, engine: Engine) -> str:
    """The status of a request that holds now: one whose owner is gone reads `interrupted` at once."""
    return engine.status_of(row)


def listed(engine: Engine, wanted: Filter) -> list[RequestRow]:
    """Requests, newest accepted first. A `status` is the one that holds now, not the one last written.

    Raises `SDKUsageError` for a status that there is not.
    """
    if wanted.status is not None and wanted.status not in STATUSES:
        raise SDKUsageError(f"status {wanted.status!r} is unknown; known are {', '.join(STATUSES)}")
    limit: object = wanted.limit
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise SDKUsageError(f"limit must be a whole number >= 1, not {limit!r}")
    if wanted.status not in (Status.RUNNING, Status.INTERRUPTED, Status.WAITING, Status.QUEUED):
        return list(engine.store.requests(wanted))
    found: list[RequestRow] = []
    page = wanted._replace(status=None, limit=200)
    while len(found) < wanted.limit and (rows := engine.store.requests(page)):
        found += [row for row in rows if status_of(row, engine) == wanted.status]
        page = page._replace(before=rows[-1].serial)
    return found[: wanted.limit]


def _check_mode(verb: str, mode: object) -> None:
    if mode not in (ReplayMode.ADAPTIVE, ReplayMode.STRICT):
        raise SDKUsageError(f"{verb}: mode must be ReplayMode.ADAPTIVE or ReplayMode.STRICT, not {mode!r}")


def requests_of(engine: Engine, rows: Sequence[RequestRow]) -> list[Request]:
    """Requests as a user holds them."""
    return [Request(engine, row) for row in rows]


__all__ = ["STATUSES", "Call", "ReplayMode", "Request", "listed", "requests_of", "status_of", "walk"]
