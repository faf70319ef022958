"""The verbs that `%durable` and `jupyter durable` share: what they find out, and what they do.

Rules of this file
- Nothing is printed and nothing is drawn here: plain records go back, or a `Request`, or a text of the core.
- A verb finds its request by id, by a prefix, or by `last`, and raises `SDKUsageError` that says what there is.
- The same verbs are methods of `Request`; here they get the words of a command line.
"""

from __future__ import annotations

import platform
import re
import sqlite3
import sys
from pathlib import Path
from typing import Any, Final

from jupyter_durable.client import carrying, ownership, versions
from jupyter_durable.client.carrying import Carried, carried_text
from jupyter_durable.client.counted import Numbers, as_counted, span_of
from jupyter_durable.client.engine import Engine
from jupyter_durable.client.process import key_file
from jupyter_durable.client.request import STATUSES, Call, ReplayMode, Request, listed, status_of
from jupyter_durable.client.words import seconds_of, spoken_bytes, time_of
from jupyter_durable.code.credentials import masked
from jupyter_durable.core.calltree import CallNode, walk
from jupyter_durable.core.metrics import Measured
from jupyter_durable.core.model import ENDED, RequestRow, RunRow, Status, joined
from jupyter_durable.core.selection import Preview
from jupyter_durable.errors import DeserializationError, SDKUsageError, StoreError
from jupyter_durable.records import NamedTuple
from jupyter_durable.store.base import Copied, Filter, Finding, Swept
from jupyter_durable.store.location import shown

LARGE_STORE: Final = 5 * 1000**3
"""Bytes; above it the user is told, nothing is deleted."""
LISTED: Final = 20
"""Requests that a list shows unless more are asked for."""
_CALL: Final = re.compile(r"(?P<name>.+?)(?:\[(?P<n>\d+)\])?")


class Info(NamedTuple):
    """A request as lists show it. Times are Unix seconds."""

    id: str
    application: str
    kind: str
    status: str
    accepted_at: float
    started_at: float | None
    finished_at: float | None
    runs: int
    began_at: float | None
    """When the last run began."""
    seconds: float | None
    """How long the last run took, None until it has ended."""
    executed: int
    """Calls that executed in the last run."""
    reused: int
    """Calls that the last run served from checkpoints, and what they cover."""
    saved: float
    """Seconds that the last run saved."""
    saved_metrics: Measured
    """What the calls measured that it saved: kind, name, sum. Of a request that has ended."""
    notebook: str | None
    cell: str | None
    pinned: bool
    forked_from: str | None
    error: str | None
    held_by: str | None
    """Who runs it now, in words."""


class Overview(NamedTuple):
    """What `%durable` alone says."""

    store: str
    bytes: int
    running: tuple[Info, ...]
    last: tuple[Info, ...]


class Shown(NamedTuple):
    """What `show` says of one request."""

    info: Info
    runs: tuple[RunRow, ...]
    root: CallNode | None
    """The call tree; None before the first run."""


class Wish(NamedTuple):
    """How a request is to be replayed, previewed or forked."""

    strict: bool = False
    latest: bool = False
    """The code that is defined now instead of the recorded one."""
    from_call: str | None = None
    rerun: str | None = None
    """`changed`, or names of functions or calls, separated by commas."""
    take_over: bool = False

    @property
    def mode(self) -> str:
        """The mode of the replay."""
        return ReplayMode.STRICT if self.strict else ReplayMode.ADAPTIVE

    @property
    def chosen(self) -> str | list[str] | None:
        """`rerun` as `Request.replay` takes it."""
        if self.rerun is None or self.rerun == "changed":
            return self.rerun
        return [name.strip() for name in self.rerun.split(",") if name.strip()]


class Printed(NamedTuple):
    """What one call printed."""

    call: str
    at: float
    stream: str
    text: str


# finding


def find(engine: Engine, id: str = "last") -> Request:
    """A request by id, unique prefix (with or without `req_`) or `last`. Raises `SDKUsageError`."""
    if id != "last" and not id.startswith("req_"):
        id = f"req_{id}"
    return Request(engine, engine.store.request(id))


def call_of(request: Request, text: str) -> Call:
    """A call by `name[n]`, or `name` for the first. Raises `SDKUsageError` naming the calls there are."""
    parts = _CALL.fullmatch(text)
    if parts is None:
        raise SDKUsageError(f"{text!r} does not name a call; write name[n], n counting from 0")
    return request.call(parts["name"], int(parts["n"] or 0))


def call_names(request: Request) -> list[str]:
    """`name[n]` of every call, in program order."""
    root = request._root()
    return [node.label for node in walk(root)[1:]] if root is not None else []


# looking


def info(engine: Engine, row: RequestRow) -> Info:
    """A request as lists show it."""
    runs = engine.store.runs(row.serial)
    began_at, ended_at = span_of(runs)
    active = engine.active.get(row.id)
    status = status_of(row, engine)
    if active is not None:
        numbers = Numbers(active.counts.executed, active.counts.reused, active.counts.saved)
    else:
        numbers = engine.counted.of(engine.store, row, runs) if status in ENDED else as_counted(runs)
    return Info(
        row.id,
        row.application,
        row.kind,
        status,
        row.accepted_at,
        row.started_at,
        row.finished_at,
        row.run,
        began_at,
        None if began_at is None or ended_at is None else ended_at - began_at,
        *numbers,
        row.notebook,
        row.cell,
        row.pinned,
        row.forked_from,
        masked(row.error) if row.error and status != Status.SUCCEEDED else None,
        ownership.described(row.owner) if row.owner is not None and status == Status.RUNNING else None,
    )


def listing(engine: Engine, wanted: Filter = Filter(limit=LISTED)) -> list[Info]:  # noqa: B008 - a plain value
    """Requests, newest accepted first. A `status` is the one that holds now, not the one last written."""
    return [info(engine, row) for row in listed(engine, wanted)]


def overview(engine: Engine, limit: int = 5) -> Overview:
    """Where things are stored, what runs, the last requests."""
    running = listing(engine, Filter(status=Status.RUNNING, limit=limit))
    return Overview(
        shown(engine.settings.store), engine.store.size(), tuple(running), tuple(listing(engine, Filter(limit=limit)))
    )


def show(engine: Engine, id: str = "last") -> Shown:
    """One request with its runs and its tree."""
    request = find(engine, id)
    return Shown(info(engine, request._now()), tuple(request.runs), request._root())


def logs(engine: Engine, id: str = "last", call: str | None = None) -> list[Printed]:
    """What the calls of a request printed, in program order; of one call when it is named."""
    request = find(engine, id)
    if call is not None:
        nodes = [call_of(request, call)._node]
    else:
        root = request._root()
        nodes = walk(root) if root is not None else []
    return [Printed(node.label, log.at, log.stream, masked(log.text)) for node in nodes for log in joined(node.logs)]


def inputs(engine: Engine, id: str, call: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The recorded arguments of a call."""
    return call_of(find(engine, id), call).inputs()


def output(engine: Engine, id: str = "last", call: str | None = None) -> Any:
    """The recorded result of a request, or of one of its calls."""
    request = find(engine, id)
    return request.output() if call is None else call_of(request, call).output()


# doing


def replay(engine: Engine, id: str = "last", wish: Wish = Wish()) -> Request:  # noqa: B008 - a plain value
    """Run a request again to its end. Raises what `Request.replay` raises."""
    return find(engine, id).replay(
        wish.mode, wish.latest, rerun=wish.chosen, from_call=wish.from_call, take_over=wish.take_over
    )


def preview(engine: Engine, id: str = "last", wish: Wish = Wish()) -> Preview:  # noqa: B008 - a plain value
    """What that replay would do. Runs nothing."""
    return find(engine, id).preview(wish.mode, wish.latest, rerun=wish.chosen, from_call=wish.from_call)


def fork(engine: Engine, id: str = "last", *, wish: Wish = Wish(), input: Any = None) -> Request:  # noqa: B008
    """The same in a new request, run to its end."""
    return find(engine, id).fork(from_call=wish.from_call, rerun=wish.chosen, input=input)


def cancel(engine: Engine, id: str = "last") -> Request:
    """Stop a request. Raises `SDKUsageError` when it has ended already."""
    request = find(engine, id)
    status = request.status
    if status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED):
        raise SDKUsageError(f"request {request.id} has {_ended(status)} already; there is nothing to cancel")
    request.cancel()
    return request


def delete(engine: Engine, id: str) -> str:
    """Remove a request with its values; its id. Raises `SDKUsageError` while somebody runs it."""
    request = find(engine, id)
    request.delete()
    return request.id


def pin(engine: Engine, id: str = "last", pinned: bool = True) -> Request:
    """Keep a request from garbage collection, or no longer."""
    request = find(engine, id)
    request.pin(pinned)
    return request


def _ended(status: str) -> str:
    return "been cancelled" if status == Status.CANCELLED else status


# the store


def use_store(engine: Engine, url: str) -> str:
    """Keep requests at another place from now on; the URL that holds."""
    return engine.configure({"store": url}).store


def copy(engine: Engine, place: str) -> Copied:
    """Write the store as it is open here into a new one, by its path or URL. Raises `SDKUsageError`, `StoreError`."""
    return engine.copy(place)


def push(engine: Engine, id: str, url: str | None = None) -> Carried:
    """Take a request into another store. Raises `SDKUsageError`, `StoreError`."""
    with carrying.other_store(engine, url) as other:
        return carrying.carry(engine, id, engine.store, other)


def pull(engine: Engine, id: str, url: str | None = None) -> Carried:
    """Get a request from another store. Raises `SDKUsageError`, `StoreError`."""
    with carrying.other_store(engine, url) as other:
        return carrying.carry(engine, id, other, engine.store)


def gc(engine: Engine, older_than: float, *, dry_run: bool) -> Swept:
    """Remove requests that ended more than `older_than` seconds ago, and values that nothing refers to."""
    return engine.store.gc(older_than=older_than, now=engine.clock.now(), dry_run=dry_run)


def trust(engine: Engine, key: str) -> tuple[str, ...]:
    """Load values that another key signed: add the keys of that file to this user's; their ids.

    New values are signed with this user's own key as before.
    """
    added = key_file().trust(Path(key).expanduser())
    engine.forget_signer()
    return added


def doctor(engine: Engine) -> list[Finding]:
    """What is well and what is not: the store, the key, the versions. A store that does not open is a finding."""
    try:
        return _checked(engine)
    except StoreError as error:
        return [Finding("error", f"store: {shown(engine.settings.store)}"), Finding("error", str(error)), _versions()]


def _checked(engine: Engine) -> list[Finding]:
    found = [Finding("ok", f"store: {shown(engine.settings.store)} ({spoken_bytes(engine.store.size())})")]
    found += engine.store.check()
    if engine.store.size() > LARGE_STORE:
        found.append(
            Finding(
                "warning",
                f"the store holds {spoken_bytes(engine.store.size())}. Nothing is deleted by itself: "
                "`%durable gc --older-than 30d --dry-run` or `jupyter durable gc` shows what could go",
            )
        )
    found.append(_key_finding(engine))
    gone = listing(engine, Filter(status=Status.INTERRUPTED, limit=100))
    if gone:
        names = ", ".join(each.id for each in gone[:3]) + (", …" if len(gone) > 3 else "")
        found.append(Finding("ok", f"{len(gone)} interrupted, can be replayed: {names}"))
    return [*found, _versions()]


def _versions() -> Finding:
    return Finding("ok", f"Python {platform.python_version()} at {sys.executable}, SQLite {sqlite3.sqlite_version}")


def _key_finding(engine: Engine) -> Finding:
    """Whether this user's key vouches for the newest request."""
    own = key_file().signer().key_id
    newest = engine.store.requests(Filter(limit=1))
    if not newest:
        return Finding("ok", f"signing key {own}")
    try:
        code = engine.store.code(newest[0].code_key)
        versions.check_code(code, engine.signer)
    except DeserializationError:
        return Finding(
            "warning",
            f"request {newest[0].id} was signed with another key than yours ({own}): only its "
            "metadata is shown. If you trust who wrote it, get that user's key file: `%durable trust PATH_OF_KEY`",
        )
    return Finding("ok", f"signing key {own}, it signed the newest request")


__all__ = [
    "STATUSES",
    "Carried",
    "Info",
    "Overview",
    "Printed",
    "Shown",
    "Wish",
    "call_names",
    "call_of",
    "cancel",
    "carried_text",
    "copy",
    "delete",
    "doctor",
    "find",
    "fork",
    "gc",
    "info",
    "inputs",
    "listing",
    "logs",
    "output",
    "overview",
    "pin",
    "preview",
    "pull",
    "push",
    "replay",
    "seconds_of",
    "show",
    "spoken_bytes",
    "time_of",
    "trust",
    "use_store",
]
