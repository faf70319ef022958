"""The SQL of the store.

Rules of this file
- `RECORD` is fence, "still open" and outcome in one statement. The fence locks the request's row for as long as the
  transaction lasts: nobody acquires the request while an outcome of its owner is on its way.
- Every write of a journal names the epoch, also where the transaction has locked the row already.
- Values are parameters, always. The only names put into SQL are column names of our own records.
"""

from __future__ import annotations

from typing import Any, Final

from jupyter_durable.core.model import (
    ArgumentsDecide,
    Attempted,
    CallRow,
    Logged,
    Metric,
    Owner,
    Progressed,
    Reached,
    RequestRow,
)
from jupyter_durable.store import sql
from jupyter_durable.store.sql import Text

_TYPES: Final = {"int": "bigint", "bool": "boolean", "float": "double precision", "str": "text", "bytes": "bytea"}


def storable(text: Text) -> Text:
    """A text as the database can hold it: no lone surrogates and no NUL, which are written as their escapes.

    For what tells and what is looked for. What is signed is written as it is, or not at all.
    """
    return text if text is None else sql.encoded(text).replace("\0", r"\x00")


def _columns(record: type[Any]) -> list[tuple[str, str]]:
    """Name and type of the columns of a record; an owner is five of them."""
    found: list[tuple[str, str]] = []
    for name, written in record.__annotations__.items():
        kind = written.partition(" | ")[0]
        found += _columns(Owner) if kind == Owner.__name__ else [(name, _TYPES[kind])]
    return found


def _names(record: type[Any]) -> str:
    return ", ".join(name for name, _ in _columns(record))


def _values(record: type[Any]) -> str:
    return ", ".join(f"%s::{kind}" for _, kind in _columns(record))


_FENCED: Final = "FROM (SELECT serial FROM request WHERE serial = %s AND epoch = %s FOR SHARE) AS owned"
FENCES: Final = "SELECT serial, epoch FROM request WHERE serial = ANY(%s) ORDER BY serial FOR SHARE"
NUMBER: Final = (
    "INSERT INTO writer VALUES (%s, %s, clock_timestamp())"
    " ON CONFLICT (id) DO UPDATE SET number = excluded.number, at = excluded.at"
)
NUMBERED: Final = "SELECT number FROM writer WHERE id = %s"

_UPSERT: Final = f"""
INSERT INTO call AS known (request, {_names(CallRow)})
SELECT serial, {_values(CallRow)} {_FENCED}
ON CONFLICT (request, parent, identity) DO UPDATE SET {sql.set_clause()}
WHERE (known.pass_no, known.attempts) < (excluded.pass_no, excluded.attempts)"""
MARK: Final = _UPSERT
"""A started mark: only over an older attempt."""
RECORD: Final = f"""{_UPSERT}
OR (known.pass_no, known.attempts) = (excluded.pass_no, excluded.attempts) AND known.status = 'running'"""
"""An outcome: over an older attempt, or this one while it is open. Changes no row when refused."""
COPY: Final = f"INSERT INTO call (request, {_names(CallRow)}) VALUES (%s, {_values(CallRow)})"


def _write(table: str, record: type[Any], key: str = "") -> str:
    """Add a record to a table; where its key is there already, in its place."""
    names = [name for name, _ in _columns(record)]
    text = f"INSERT INTO {table} (request, {', '.join(names)}) SELECT serial, {_values(record)} {_FENCED}"
    if not key:
        return text
    rest = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key.split(", "))
    return f"{text} ON CONFLICT (request, {key}) DO UPDATE SET {rest}"


REACHED: Final = _write("reached", Reached, "parent, pass_no, seq")
ATTEMPTED: Final = _write("attempt", Attempted, "identity, pass_no, attempt")
LOGGED: Final = _write("log", Logged)
PROGRESSED: Final = _write("progress", Progressed, "identity")
METRIC: Final = _write("metric", Metric)
DECIDED: Final = _write("decided", ArgumentsDecide, "parent, name, pass_no")
DROPPED: Final = f"""
UPDATE call SET codec = '', value = NULL, blob = NULL, mac = %s::bytea
FROM (SELECT %s::bigint AS parent, %s::bigint AS identity, serial {_FENCED}) AS step
WHERE call.request = step.serial AND call.parent = step.parent AND call.identity = step.identity"""

READ: Final = sql.reads(_names, "%s")
LOGS_OF: Final = sql.logs(_names, "request = %s")
LOGS_OF_CALL: Final = sql.logs(_names, "request = %s AND identity = %s")
NOW: Final = "extract(epoch FROM clock_timestamp())::double precision"
"""The server's time, Unix seconds."""
REQUESTS: Final = f"SELECT {_names(RequestRow)}, clock_ahead, {NOW} FROM request WHERE NOT deleted"
DIALECT: Final = sql.Dialect("%s", "{} ILIKE %s", storable, REQUESTS)

SET_ASIDE_COPY: Final = f"""
INSERT INTO history (request, generation, {_names(CallRow)})
SELECT request, 1 + (SELECT count(*) FROM history AS h WHERE h.request = call.request AND h.identity = call.identity),
{_names(CallRow)} FROM call WHERE request = %s AND parent = %s AND identity = %s"""
SET_ASIDE_FLAG: Final = "UPDATE call SET flags = flags | 2 WHERE request = %s AND parent = %s AND identity = %s"
