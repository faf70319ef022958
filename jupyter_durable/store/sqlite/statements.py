"""The SQL of the journal, prepared once (the connection caches statements by their text).

Rules of this file
- `RECORD` is fence, "still open" and outcome in one statement, so that no interrupt can land inside a commit.
- Values are parameters, always. The only names put into SQL are column names of our own records.
"""

from __future__ import annotations

from typing import Final

from jupyter_durable.core.model import CallRow, RequestRow

_COLUMNS: Final = ", ".join(CallRow._fields)
_SET: Final = ", ".join(f"{c} = excluded.{c}" for c in CallRow._fields if c not in ("parent", "identity"))
_UPSERT: Final = f"""
INSERT INTO call (request, {_COLUMNS})
SELECT serial, {", ".join("?" * len(CallRow._fields))} FROM request WHERE serial = ? AND epoch = ?
ON CONFLICT (request, parent, identity) DO UPDATE SET {_SET}
WHERE (call.pass_no, call.attempts) < (excluded.pass_no, excluded.attempts)"""

MARK: Final = _UPSERT
"""A started mark: only over an older attempt."""
RECORD: Final = f"""{_UPSERT}
OR (call.pass_no, call.attempts) = (excluded.pass_no, excluded.attempts) AND call.status = 'running'"""
"""An outcome: over an older attempt, or this one while it is open. Changes no row when refused."""

FENCE: Final = "SELECT 1 FROM request WHERE serial = ? AND epoch = ?"
COPY: Final = f"INSERT INTO call (request, {_COLUMNS}) VALUES (?, {', '.join('?' * len(CallRow._fields))})"
CHILDREN: Final = (
    f"SELECT {_COLUMNS} FROM call WHERE request = ? AND parent = ? AND identity > ? ORDER BY identity LIMIT ?"
)
CALL: Final = f"SELECT {_COLUMNS} FROM call WHERE request = ? AND parent = ? AND identity = ?"

REACHED: Final = "INSERT OR REPLACE INTO reached VALUES (?, ?, ?, ?, ?, ?, ?)"
ATTEMPTED: Final = "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?)"
LOGGED: Final = "INSERT INTO log (request, identity, pass_no, at, stream, text) VALUES (?, ?, ?, ?, ?, ?)"
PROGRESSED: Final = "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?)"
METRIC: Final = "INSERT INTO metric (request, identity, kind, name, value) VALUES (?, ?, ?, ?, ?)"
DECIDED: Final = "INSERT OR REPLACE INTO decided VALUES (?, ?, ?, ?)"
DROPPED: Final = (
    "UPDATE call SET codec = '', value = NULL, blob = NULL, mac = NULL"
    " WHERE request = ? AND parent = ? AND identity = ?"
)

SET_ASIDE_COPY: Final = f"""
INSERT INTO history (request, generation, {_COLUMNS})
SELECT request, 1 + (SELECT count(*) FROM history AS h WHERE h.request = call.request AND h.identity = call.identity),
{_COLUMNS} FROM call WHERE request = ? AND parent = ? AND identity = ?"""
SET_ASIDE_FLAG: Final = "UPDATE call SET flags = flags | 2 WHERE request = ? AND parent = ? AND identity = ?"

_OWNER: Final = "host, boot_id, pid_namespace, pid, pid_started"
REQUEST_COLUMNS: Final = ", ".join(_OWNER if c == "owner" else c for c in RequestRow._fields)
