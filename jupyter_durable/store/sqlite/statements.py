"""The SQL of the journal, prepared once (the connection caches statements by their text).

Rules of this file
- `RECORD` is fence, "still open" and outcome in one statement, so that no interrupt can land inside a commit.
- Values are parameters, always. The only names put into SQL are column names of our own records.
- What is read is cast to the type of its field: a bit of a damaged file can turn bytes into text without an error.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final

from jupyter_durable.core.model import CallRow, Owner, RequestRow
from jupyter_durable.records import NamedTuple
from jupyter_durable.store import sql

_SQL_TYPES: Final = {"int": "INTEGER", "bool": "INTEGER", "float": "REAL", "str": "TEXT", "bytes": "BLOB"}
"""By the types of our records as they are written there: to evaluate them took a tenth of what opening a store does."""


class _Column(NamedTuple):
    name: str
    cast: str
    nullable: bool


@functools.cache
def _columns(record: type[tuple[Any, ...]]) -> list[_Column]:
    """The columns of a record; an owner is five of them."""
    found = []
    for name, written in record.__annotations__.items():
        kind, _, absent = written.partition(" | ")
        if kind == Owner.__name__:
            found += [column._replace(nullable=True) for column in _columns(Owner)]
        else:
            found.append(_Column(name, f"CAST({name} AS {_SQL_TYPES[kind]})", absent == "None"))
    return found


def _read(record: type[tuple[Any, ...]]) -> str:
    return ", ".join(column.cast for column in _columns(record))


def needed(record: type[tuple[Any, ...]]) -> tuple[int, ...]:
    """Where in a row of `record` the columns stand that are never NULL."""
    return tuple(at for at, column in enumerate(_columns(record)) if not column.nullable)


storable = sql.encoded
"""A text as SQLite can hold it, for what tells and what is looked for; what is signed is written as it is."""

LONGEST: Final = 16_384
"""Characters of a text as who only looks reads it; no name, place or error of ours is longer."""
LONGEST_PRINTED: Final = 1 << 20
"""The same of what a call printed at once."""
LARGEST: Final = 1 << 20
"""Bytes of a value in a row, as who only looks reads it; ours are smaller. The code of a request is read whole."""
TOO_LONG: Final = " … (too long)"


@functools.cache
def bounded(sql: str) -> str:
    """The same query for a file of somebody else's: texts are cut (see `cut`), and values that are too large are NULL.

    What is cut here is not read: a name of 50 MB would cost seconds to be read and escaped.
    """
    return re.sub(r"CAST\((\w+) AS (TEXT|BLOB)\)", _bound, sql)


def _bound(cast: re.Match[str]) -> str:
    whole, column, kind = cast[0], cast[1], cast[2]
    if kind == "BLOB":
        return whole if column == "data" else f"CASE WHEN length({column}) <= {LARGEST} THEN {whole} END"
    most = LONGEST_PRINTED if column == "text" else LONGEST
    return f"CAST(substr({column}, 1, {most + 1}) AS TEXT)"


def cut(value: Any) -> Any:
    """A value of a bounded query, with the end of a text that was cut said."""
    if type(value) is str and len(value) > LONGEST and len(value) in (LONGEST + 1, LONGEST_PRINTED + 1):
        return value[:-1] + TOO_LONG
    return value


_COLUMNS: Final = ", ".join(CallRow._fields)
_UPSERT: Final = f"""
INSERT INTO call (request, {_COLUMNS})
SELECT serial, {", ".join("?" * len(CallRow._fields))} FROM request WHERE serial = ? AND epoch = ?
ON CONFLICT (request, parent, identity) DO UPDATE SET {sql.set_clause()}
WHERE (call.pass_no, call.attempts) < (excluded.pass_no, excluded.attempts)"""

MARK: Final = _UPSERT
"""A started mark: only over an older attempt."""
RECORD: Final = f"""{_UPSERT}
OR (call.pass_no, call.attempts) = (excluded.pass_no, excluded.attempts) AND call.status = 'running'"""
"""An outcome: over an older attempt, or this one while it is open. Changes no row when refused."""

FENCE: Final = "SELECT 1 FROM request WHERE serial = ? AND epoch = ?"
COPY: Final = f"INSERT INTO call (request, {_COLUMNS}) VALUES (?, {', '.join('?' * len(CallRow._fields))})"

READ: Final = sql.reads(_read, "?")
LOGS_OF: Final = sql.logs(_read, "request = ? AND coalesce(identity = ?, 1)")
REQUESTS: Final = f"SELECT {_read(RequestRow)} FROM request WHERE NOT deleted"
DIALECT: Final = sql.Dialect("?", r"{} LIKE ? ESCAPE '\'", sql.encoded, REQUESTS)

REACHED: Final = "INSERT OR REPLACE INTO reached VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
ATTEMPTED: Final = "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?)"
LOGGED: Final = "INSERT INTO log (request, identity, pass_no, at, stream, text) VALUES (?, ?, ?, ?, ?, ?)"
PROGRESSED: Final = "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?)"
METRIC: Final = "INSERT INTO metric (request, identity, kind, name, value) VALUES (?, ?, ?, ?, ?)"
DECIDED: Final = "INSERT OR REPLACE INTO decided VALUES (?, ?, ?, ?, ?)"
DROPPED: Final = (
    "UPDATE call SET codec = '', value = NULL, blob = NULL, mac = :mac"
    " WHERE request = :request AND parent = :parent AND identity = :identity"
)

SET_ASIDE_COPY: Final = f"""
INSERT INTO history (request, generation, {_COLUMNS})
SELECT request, 1 + (SELECT count(*) FROM history AS h WHERE h.request = call.request AND h.identity = call.identity),
{_COLUMNS} FROM call WHERE request = ? AND parent = ? AND identity = ?"""
SET_ASIDE_FLAG: Final = "UPDATE call SET flags = flags | 2 WHERE request = ? AND parent = ? AND identity = ?"
