"""What the databases share of their SQL: queries that read, conditions, and what rows say. No statement that writes.

Rules of this file
- It differs by a `Dialect` alone. What only looks alike (locks, booleans, what is counted) stays with its database.
- Values are parameters, always. The only names put into SQL are column names of our own records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from jupyter_durable.core.model import (
    FINGERPRINT_RULE,
    ArgumentsDecide,
    Attempted,
    CallRow,
    CodeVersion,
    Logged,
    Metric,
    NewRequest,
    Owner,
    Progressed,
    Reached,
    RequestRow,
    RunRow,
    Status,
)
from jupyter_durable.errors import LeaseLost
from jupyter_durable.records import NamedTuple
from jupyter_durable.store.base import Filter, Settled
from jupyter_durable.store.pending import Fence

Text = TypeVar("Text", str, str | None)
Query = tuple[str, tuple[object, ...]]
_OWNER: Final = RequestRow._fields.index("owner")
NO_OWNER: Final = (
    "host = NULL, boot_id = NULL, pid_namespace = NULL, pid = NULL, pid_started = NULL, lease_until = 0,"
    " lease_boot = NULL"
)
"""What is set when nobody owns a request any more."""
NEW: Final = (
    "id, application, kind, status, accepted_at, code_key, notebook, cell, idempotency_key, forked_from, rule,"
    " headers, input_digest, input, mac"
)
"""The columns of `new_request`."""


class Dialect(NamedTuple):
    """How a database writes what is asked of it."""

    mark: str
    """Stands for a value."""
    like: str
    """Whether a column, `{}`, has a text in it, whatever its case; backslashes escape in the pattern."""
    storable: Callable[[str], str]
    """A text as the database can hold it."""
    requests: str
    """The query for all requests, to which conditions are added."""


class Reads(NamedTuple):
    """The queries for what is recorded of a request."""

    children: str
    call: str
    reached: str
    decided: str
    runs: str
    attempts: str
    progress: str
    metrics: str
    code: str


def encoded(text: Text) -> Text:
    """As UTF-8 can hold it: lone surrogates, of file names that are no UTF-8, as their escapes."""
    return text if text is None else text.encode("utf-8", "backslashreplace").decode()


def set_clause() -> str:
    """An outcome in the place of another one."""
    return ", ".join(f"{c} = excluded.{c}" for c in CallRow._fields if c not in ("parent", "identity"))


def reads(columns: Callable[[type[Any]], str], mark: str) -> Reads:
    """The queries, with the columns of a record as the database reads them."""

    def of(record: type[Any], table: str, condition: str, order: str) -> str:
        found = f"SELECT {columns(record)} FROM {table} WHERE request = ?{condition} ORDER BY {order}"
        return found.replace("?", mark)

    calls = f"SELECT {columns(CallRow)} FROM call WHERE request = {mark} AND parent = {mark}"
    return Reads(
        children=f"{calls} AND identity > {mark} ORDER BY identity LIMIT {mark}",
        call=f"{calls} AND identity = {mark}",
        reached=of(Reached, "reached", " AND parent = ?", "pass_no, seq"),
        decided=of(ArgumentsDecide, "decided", " AND parent = ?", "name, pass_no"),
        runs=of(RunRow, "run", "", "run"),
        attempts=of(Attempted, "attempt", " AND identity = ?", "pass_no, attempt"),
        progress=of(Progressed, "progress", "", "identity"),
        metrics=of(Metric, "metric", "", "id"),
        code=f"SELECT {columns(CodeVersion)} FROM code WHERE key = {mark}",
    )


def logs(columns: Callable[[type[Any]], str], condition: str) -> str:
    """The query for what was printed."""
    return f"SELECT {columns(Logged)} FROM log WHERE {condition} ORDER BY id"


# requests


def request_of(found: tuple[object, ...]) -> RequestRow:
    """A row in which an owner is five columns."""
    owner = found[_OWNER : _OWNER + 5]
    rest = (*found[:_OWNER], None if owner[3] is None else Owner._make(owner), *found[_OWNER + 5 :])
    return RequestRow._make(rest)


def new_request(new: NewRequest, storable: Callable[[str | None], str | None]) -> tuple[object, ...]:
    """What the row of a new request says, in the columns `NEW`."""
    return (
        new.id, new.application, new.kind, Status.QUEUED, new.accepted_at, new.code.key, storable(new.notebook),
        new.cell, new.idempotency_key, new.forked_from, FINGERPRINT_RULE, new.headers, new.input_digest, new.input,
        new.mac,
    )  # fmt: skip


def find(dialect: Dialect, id: str) -> Query:
    """The query for an id, a prefix or `last`; an exact id comes first, and more than 5 are not listed."""
    if id == "last":
        return f"{dialect.requests} ORDER BY serial DESC LIMIT 1", ()
    first = dialect.storable(id)
    sql = f"{dialect.requests} AND id >= {dialect.mark} AND id < {dialect.mark} ORDER BY id LIMIT 6"
    return sql, (first, first + "\U0010ffff")


def listing(dialect: Dialect, filter: Filter) -> Query:
    """The query for a filter. Column names come from here, values are parameters."""
    mark, storable = dialect.mark, dialect.storable
    sql, values = dialect.requests, list[object]()
    exact = {"status": filter.status, "application": filter.application, "notebook": filter.notebook}
    for column, value in {**exact, "cell": filter.cell}.items():
        if value is not None:
            sql += f" AND {column} = {mark}"
            values.append(storable(value))
    if filter.text:
        pattern = "%" + storable(filter.text).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        columns = ("id", "application", "notebook", "cell", "error")
        sql += " AND (" + " OR ".join(dialect.like.format(column) for column in columns) + ")"
        values += [pattern] * len(columns)
    if filter.since is not None:
        sql += f" AND accepted_at >= {mark}"
        values.append(filter.since)
    if filter.before is not None:
        sql += f" AND serial < {mark}"
        values.append(filter.before)
    return f"{sql} ORDER BY serial DESC LIMIT {mark}", (*values, filter.limit)


# refusals


def owned_by(fence: Fence, found: tuple[str | None, int | None] | None) -> LeaseLost:
    """Why the fence does not hold: `found` is host and process of who owns the request now, None when it is gone."""
    if found is None:
        return LeaseLost(f"request {fence.id} was deleted; this run stops")
    if found[1] is None:
        return LeaseLost(f"the run of request {fence.id} has ended; nothing more can be written to it")
    return LeaseLost(
        f"request {fence.id} was taken over by process {found[1]} on {found[0]}; this run stops."
        " Replay it to take it back"
    )


def settled(fence: Fence, row: CallRow) -> Settled:
    """Why an outcome was refused although the fence holds."""
    return Settled(
        f"the call {row.name} (identity {row.identity}, attempt {row.attempts}) of request {fence.id} already has a"
        " durable outcome; this one was dropped"
    )
