"""What a user holds: a request.

Rules of this file
- A `Request` reads the store when it is asked; what it says is what holds now.
- What is done with a request (replay, fork, cancel) is done below; here it gets its name and its arguments.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import Any, Final

from jupyter_durable.client import left_over, replay, widgets
from jupyter_durable.client.calls import Call, below
from jupyter_durable.client.execution import run_forked, run_recorded
from jupyter_durable.client.process import Process
from jupyter_durable.client.render import request_text, tree_text
from jupyter_durable.client.stored import Stored
from jupyter_durable.client.waits import until, until_async
from jupyter_durable.code.credentials import masked
from jupyter_durable.core.calltree import CallNode, Counts, count, walk
from jupyter_durable.core.model import ENDED, Progressed, RequestRow, RunRow, Status
from jupyter_durable.core.nodes import called
from jupyter_durable.core.selection import Preview
from jupyter_durable.errors import (
    DeserializationError,
    RequestError,
    RequestFailed,
    RequestNotFinished,
    SDKUsageError,
    TimeoutError,
)
from jupyter_durable.options import refuse_unless_limit
from jupyter_durable.store.base import Filter

STATUSES: Final = tuple(value for name, value in vars(Status).items() if name.isupper() and value != Status.DIVERGED)
_NUMBERED: Final = re.compile(r"(.+)\[(\d+)\]")
ReplayMode = replay.ReplayMode


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise SDKUsageError(f"a call is named by a text such as 'f[1]', not {name!r}")
    return name


class Request:
    """One invocation of an application, or one execution of a cell that called durable functions."""

    def __init__(self, process: Process, row: RequestRow) -> None:
        self._stored = Stored(process, row)

    @property
    def _process(self) -> Process:
        return self._stored.process

    @property
    def _row(self) -> RequestRow:
        return self._stored.row

    def _now(self) -> RequestRow:
        return self._stored.now()

    def _root(self) -> CallNode | None:
        return self._stored.root()

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

    @property
    def status(self) -> str:
        """queued, running, waiting, succeeded, failed, cancelled or interrupted."""
        return self._stored.status()

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
        return self._process.store.runs(self._row.serial)

    @property
    def error(self) -> BaseException | None:
        """What made the last run fail."""
        if self.status not in (Status.FAILED, Status.CANCELLED):
            return None
        row = self._stored.root_row()
        if row is not None and row.status == Status.FAILED:
            return self._stored.failure_in(row)
        return RequestFailed(masked(self._row.error or self._row.status))

    def __repr__(self) -> str:
        return request_text(self._now(), self.status, self.counts())

    # outcome

    def output(self) -> Any:
        """The output. Raises `RequestFailed` (chained to the cause), `RequestError` verbatim, `RequestNotFinished`."""
        __tracebackhide__ = True
        status = self.status
        if status not in ENDED:
            raise RequestNotFinished(f"request {self.id} is {status}; wait for it with .wait()")
        if status == Status.SUCCEEDED:
            row = self._stored.root_row()
            if row is None or row.status != Status.SUCCEEDED:
                raise DeserializationError(
                    f"request {self.id} reads as succeeded, but nothing vouches for an outcome: it was changed outside"
                    " of jupyter_durable. Replay it"
                )
            return self._stored.opened(row, row.name)
        cause = self.error
        if isinstance(cause, RequestError):
            raise cause
        if cause is None or status == Status.CANCELLED:
            ended = f"was {status}; what had succeeded is kept"
        else:
            ended = f"failed: {masked(self._row.error or type(cause).__name__)}"
        raise RequestFailed(f"request {self.id} of {self.application} {ended}. Replay it to go on") from cause

    def wait(self, timeout: float | None = None) -> Request:
        """Wait for the end, whatever it is. Raises `TimeoutError` after `timeout` seconds; the request goes on.

        A durable call that waits holds no slot, its clock stands still, and it is left when its own request ends.
        """
        refuse_unless_limit("Request.wait: the timeout", timeout)
        if not until(self._ended, timeout):
            raise TimeoutError(f"request {self.id} has not ended within {timeout} s; it goes on")
        return self

    def _ended(self) -> bool:
        return self.status in ENDED and not self._process.runs(self.id)

    async def _wait(self) -> Any:
        await until_async(self._ended)
        return self.output()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    # the tree

    def root_call(self) -> Call | None:
        """The root of the call tree; None before the first run."""
        node = self._root()
        return Call(self._stored, node, None) if node is not None else None

    def counts(self) -> Counts | None:
        """How many calls of the last run were reused, executed, failed."""
        node = self._root()
        return count(node) if node is not None else None

    def calls(self, name: str | None = None) -> list[Call]:
        """All calls in program order, without the root; only those of a function when `name` is given.

        Map and reduce nodes are called `name.map` and `name.reduce`.
        """
        root = self.root_call()
        found = below(root) if root is not None else ()
        return [call for call in found if name is None or called(call.kind, call.name) == name]

    def call(self, name: str, n: int = 0) -> Call:
        """`name[n]`. Raises `SDKUsageError` naming the calls there are."""
        if (numbered := _NUMBERED.fullmatch(_text(name))) is not None:
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
        return self._process.store.progress(self._row.serial)

    @property
    def metrics(self) -> list[Any]:
        """What calls measured."""
        return self._process.store.metrics(self._row.serial)

    @property
    def state(self) -> dict[str, Any]:
        """State values as the successful root left them."""
        row = self._stored.root_row()
        if row is None or row.writes is None:
            return {}
        sealer = self._stored.sealer()
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
        run_recorded(self._process, self.id, choice, strict=mode == ReplayMode.STRICT, take_over=take_over)
        return self

    def fork(self, *, from_call: Any = None, input: Any = None, rerun: Any = None) -> Request:
        """Do the same in a new request and leave this one alone.

        `input` is the argument of the application, or a tuple of arguments; then the root executes, and its calls are
        matched by their arguments only.
        """
        choice = replay.Choice(False, rerun, from_call)
        id = run_forked(self._process, self._now(), choice, input)
        return Request(self._process, self._process.store.request(id))

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
        return replay.preview(self._process, self._now(), choice, strict=mode == ReplayMode.STRICT)

    def cancel(self) -> None:
        """Stop it; what succeeded is kept, and it can be replayed. One that has ended stays as it is.

        One that was interrupted is cancelled too: nobody is left to go on with it.
        """
        run = self._process.active.get(self.id)
        if run is not None:
            run.cancel()
        elif not left_over.settle_ownerless(self._process, self.id, Status.CANCELLED):
            self._process.store.cancel(self._row.serial)

    def pin(self, pinned: bool = True) -> None:
        """Keep it from garbage collection."""
        self._process.store.pin(self._row.serial, pinned)

    def delete(self) -> None:
        """Remove it and all that only it had from the disk: input, values, large ones too, code.

        Raises `SDKUsageError` while it runs.
        """
        left_over.settle_ownerless(self._process, self.id)
        self._process.store.delete(self._row.serial)

    def widget(self) -> Any:
        """It as an ipywidgets widget: the view of the notebook, with traits `status`, `counts` and `selected_call`.

        Raises `SDKUsageError` where ipywidgets and anywidget are not installed.
        """
        return widgets.widget_of(self)


def status_of(row: RequestRow, process: Process) -> str:
    """The status of a request that holds now: one whose owner is gone reads `interrupted` at once."""
    return process.status_of(row)


def listed(process: Process, wanted: Filter) -> list[RequestRow]:
    """Requests, newest accepted first. A `status` is the one that holds now, not the one last written.

    Raises `SDKUsageError` for a status that there is not.
    """
    if wanted.status is not None and wanted.status not in STATUSES:
        raise SDKUsageError(f"status {wanted.status!r} is unknown; known are {', '.join(STATUSES)}")
    limit: object = wanted.limit
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise SDKUsageError(f"limit must be a whole number >= 1, not {limit!r}")
    if wanted.status not in (Status.RUNNING, Status.INTERRUPTED, Status.WAITING, Status.QUEUED):
        return list(process.store.requests(wanted))
    found: list[RequestRow] = []
    page = wanted._replace(status=None, limit=200)
    while len(found) < wanted.limit and (rows := process.store.requests(page)):
        found += [row for row in rows if status_of(row, process) == wanted.status]
        page = page._replace(before=rows[-1].serial)
    return found[: wanted.limit]


def _check_mode(verb: str, mode: object) -> None:
    if mode not in (ReplayMode.ADAPTIVE, ReplayMode.STRICT):
        raise SDKUsageError(f"{verb}: mode must be ReplayMode.ADAPTIVE or ReplayMode.STRICT, not {mode!r}")


def requests_of(process: Process, rows: Sequence[RequestRow]) -> list[Request]:
    """Requests as a user holds them."""
    return [Request(process, row) for row in rows]


__all__ = ["STATUSES", "Call", "ReplayMode", "Request", "listed", "requests_of", "status_of", "walk"]
