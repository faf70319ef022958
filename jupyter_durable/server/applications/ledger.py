"""The ledger: which versions of applications were deployed, which requests were accepted, what became of them.

Rules of this file
- Each method is one transaction that is durable when it returns: what was answered is never lost. A rollback journal
  with full synchronisation, because several connections may come and go and none of them is ever fast enough to matter.
- Only the server's process writes it. What a worker did is told by the worker and written here.
- A request that is open is queued: who runs it now is known in memory, and a server that comes back runs it again.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from jupyter_durable.files import make_folder, new_file
from jupyter_durable.records import NamedTuple
from jupyter_durable.server.applications.records import ENDED, OPEN, Accepted, Deployed, Manifest, Outcome

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS deployment (
    turn INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL, application TEXT NOT NULL, version TEXT NOT NULL,
    manifest TEXT NOT NULL, code BLOB NOT NULL, deployed_at REAL NOT NULL,
    UNIQUE (namespace, application, version)
) STRICT;
CREATE TABLE IF NOT EXISTS request (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    namespace TEXT NOT NULL, application TEXT NOT NULL, version TEXT NOT NULL,
    accepted_at REAL NOT NULL, state TEXT NOT NULL DEFAULT 'open',
    strict INTEGER NOT NULL DEFAULT 0, cancelled INTEGER NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0,
    ended_at REAL, outcome TEXT, idempotency_key TEXT,
    input TEXT NOT NULL, headers TEXT NOT NULL, output BLOB,
    UNIQUE (namespace, application, idempotency_key)
) STRICT;
CREATE INDEX IF NOT EXISTS request_open ON request (serial) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS request_of ON request (namespace, application, serial);
"""
_NEVER: Final = float("inf")
_COLUMNS: Final = (
    "serial, id, namespace, application, version, accepted_at, state, strict, cancelled, losses, ended_at, outcome, "
    "idempotency_key"
)


class NewRequest(NamedTuple):
    """A request to accept."""

    id: str
    namespace: str
    application: str
    version: str
    accepted_at: float
    idempotency_key: str | None
    input: dict[str, Any]
    headers: list[list[str]]


class Ledger:
    """The ledger in one file."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        if not path.exists():
            _close(new_file(path))
        self._lock = threading.Lock()
        self._link = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
        self._link.executescript("PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;" + _SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._link.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._link.execute("BEGIN IMMEDIATE")
            try:
                yield self._link
                self._link.execute("COMMIT")
            except BaseException:
                if self._link.in_transaction:
                    self._link.execute("ROLLBACK")
                raise

    def _rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock:
            return self._link.execute(statement, values).fetchall()

    # what was deployed

    def deploy(self, deployed: Deployed, code: bytes) -> None:
        """Keep a version; it is the latest one from now on, also when it was there already."""
        with self._transaction() as link:
            key = (deployed.namespace, deployed.application, deployed.version)
            link.execute("DELETE FROM deployment WHERE namespace = ? AND application = ? AND version = ?", key)
            link.execute(
                "INSERT INTO deployment (namespace, application, version, manifest, code, deployed_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (*key, deployed.manifest.model_dump_json(by_alias=True), code, deployed.deployed_at),
            )

    def versions(self, namespace: str, application: str) -> list[Deployed]:
        """All versions of an application, the latest first."""
        return [
            _deployed(row)
            for row in self._rows(
                "SELECT namespace, application, version, manifest, deployed_at FROM deployment "
                "WHERE namespace = ? AND application = ? ORDER BY turn DESC",
                (namespace, application),
            )
        ]

    def applications(self, namespace: str) -> list[Deployed]:
        """The latest version of each application, by name."""
        return [
            _deployed(row)
            for row in self._rows(
                "SELECT namespace, application, version, manifest, deployed_at FROM deployment WHERE turn IN "
                "(SELECT MAX(turn) FROM deployment WHERE namespace = ? GROUP BY application) ORDER BY application",
                (namespace,),
            )
        ]

    def code(self, namespace: str, application: str, version: str) -> bytes:
        """The code of a version."""
        key = (namespace, application, version)
        found = self._rows("SELECT code FROM deployment WHERE namespace = ? AND application = ? AND version = ?", key)
        return bytes(found[0][0])

    # requests

    def accept(self, new: NewRequest) -> tuple[Accepted, bool]:
        """Keep a request. False: one of its idempotency key was there, and is what is given."""
        with self._transaction() as link:
            if new.idempotency_key is not None:
                key = (new.namespace, new.application, new.idempotency_key)
                known = link.execute(
                    f"SELECT {_COLUMNS} FROM request WHERE namespace = ? AND application = ? AND idempotency_key = ?",
                    key,
                ).fetchone()
                if known is not None:
                    return _accepted(known), False
            link.execute(
                "INSERT INTO request (id, namespace, application, version, accepted_at, idempotency_key, input, "
                "headers) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*new[:6], json.dumps(new.input), json.dumps(new.headers)),
            )
            made = link.execute(f"SELECT {_COLUMNS} FROM request WHERE id = ?", (new.id,)).fetchone()
            return _accepted(made), True

    def adopt(self, new: NewRequest, outcome: Outcome) -> Accepted:
        """Keep a request that was accepted elsewhere and has ended there."""
        said = json.dumps({**asdict(outcome), "output": None})
        with self._transaction() as link:
            link.execute(
                "INSERT OR IGNORE INTO request (id, namespace, application, version, accepted_at, idempotency_key, "
                "input, headers, state, outcome, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*new[:6], json.dumps(new.input), json.dumps(new.headers), ENDED, said, new.accepted_at),
            )
            return _accepted(link.execute(f"SELECT {_COLUMNS} FROM request WHERE id = ?", (new.id,)).fetchone())

    def request(self, id: str) -> Accepted | None:
        """A request by its id."""
        found = self._rows(f"SELECT {_COLUMNS} FROM request WHERE id = ?", (id,))
        return _accepted(found[0]) if found else None

    def given(self, id: str) -> tuple[dict[str, Any], list[list[str]]]:
        """Input and headers of a request."""
        input, headers = self._rows("SELECT input, headers FROM request WHERE id = ?", (id,))[0]
        return json.loads(input), json.loads(headers)

    def output(self, id: str) -> bytes | None:
        """The output of a request that succeeded; None where it has none."""
        found = self._rows("SELECT output FROM request WHERE id = ?", (id,))
        return found[0][0] if found else None

    def requests(self, namespace: str, application: str, before: int | None, limit: int) -> list[Accepted]:
        """Requests of an application, newest accepted first; `before` is the serial that the page before ended with."""
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM request WHERE namespace = ? AND application = ? AND serial < ? "
            "ORDER BY serial DESC LIMIT ?",
            (namespace, application, before if before is not None else 2**62, limit),
        )
        return [_accepted(row) for row in rows]

    def open(self) -> list[Accepted]:
        """Requests that have not ended, in the order in which they were accepted."""
        return [
            _accepted(row)
            for row in self._rows(f"SELECT {_COLUMNS} FROM request WHERE state = ? ORDER BY serial", (OPEN,))
        ]

    def cancel(self, id: str) -> None:
        """Note that an open request was asked to end."""
        self._write("UPDATE request SET cancelled = 1 WHERE id = ? AND state = 'open'", (id,))

    def lost(self, id: str) -> None:
        """Note that a worker of this run died."""
        self._write("UPDATE request SET losses = losses + 1 WHERE id = ?", (id,))

    def end(self, id: str, outcome: Outcome, at: float) -> None:
        """The end of a run."""
        said = {**asdict(outcome), "output": None}
        self._write(
            "UPDATE request SET state = ?, outcome = ?, output = ?, ended_at = ? WHERE id = ? AND state = ?",
            (ENDED, json.dumps(said), outcome.output, at, id, OPEN),
        )

    def replay(self, id: str, version: str, *, strict: bool) -> bool:
        """Open an ended request again, on a version; False when it is open."""
        changed = self._write(
            "UPDATE request SET state = ?, version = ?, strict = ?, cancelled = 0, losses = 0, outcome = NULL, "
            "output = NULL, ended_at = NULL WHERE id = ? AND state = ?",
            (OPEN, version, int(strict), id, ENDED),
        )
        return changed == 1

    def delete(self, id: str, before: float | None = None) -> bool:
        """Remove an ended request; False when it is open, or ended at `before` (Unix seconds) or later."""
        moment = _NEVER if before is None else before
        return self._write("DELETE FROM request WHERE id = ? AND state = ? AND ended_at < ?", (id, ENDED, moment)) == 1

    def ended_before(self, namespace: str, moment: float) -> list[str]:
        """Ids of the requests of a namespace that ended before a moment, Unix seconds."""
        statement = "SELECT id FROM request WHERE namespace = ? AND state = ? AND ended_at < ? ORDER BY serial"
        return [id for (id,) in self._rows(statement, (namespace, ENDED, moment))]

    def _write(self, statement: str, values: tuple[Any, ...]) -> int:
        with self._transaction() as link:
            return link.execute(statement, values).rowcount


def _deployed(row: Any) -> Deployed:
    namespace, application, version, manifest, at = row
    return Deployed(namespace, application, version, Manifest.model_validate_json(manifest), at)


def _accepted(row: Any) -> Accepted:
    serial, id, namespace, application, version, at, state, strict, cancelled, losses, ended_at, outcome, key = row
    return Accepted(
        serial, id, namespace, application, version, at, state, bool(strict), bool(cancelled), losses, ended_at,
        None if outcome is None else Outcome(**json.loads(outcome)), key,
    )  # fmt: skip


def _close(descriptor: int) -> None:
    import os

    os.close(descriptor)
