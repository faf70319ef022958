"""Schema 1.

Rules of this file
- `call` is clustered by (request, parent, identity) and has no other index: one on a random value would double the
  cost of a commit and make it grow with the journal (measured: 15 to 32 us at 1,000,000 rows).
- What the fence reads (`serial`, `epoch`) stands before what may be large (`input`) in `request`.
- Serials are never given twice (AUTOINCREMENT): a writer of a deleted request must not hit a new one.
"""

from __future__ import annotations

from typing import Final

_REQUEST = """
CREATE TABLE request (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch INTEGER NOT NULL,
    run INTEGER NOT NULL,
    lease_until REAL NOT NULL,
    cancel_requested INTEGER NOT NULL,
    pinned INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    id TEXT NOT NULL UNIQUE,
    application TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    accepted_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    host TEXT, boot_id TEXT, pid_namespace TEXT, pid INTEGER, pid_started TEXT,
    code_key BLOB NOT NULL,
    notebook TEXT,
    cell TEXT,
    idempotency_key TEXT,
    forked_from TEXT,
    rule INTEGER NOT NULL,
    error TEXT,
    headers TEXT,
    input_digest BLOB NOT NULL,
    input BLOB
)
"""

_CALL_COLUMNS = """
    pass_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    flags INTEGER NOT NULL,
    digest BLOB NOT NULL,
    code BLOB NOT NULL,
    attempts INTEGER NOT NULL,
    started_at REAL NOT NULL,
    duration REAL,
    codec TEXT NOT NULL,
    value BLOB,
    blob BLOB,
    mac BLOB,
    inputs BLOB,
    writes BLOB,
    children INTEGER,
    result BLOB,
    below BLOB,
"""

STATEMENTS: Final = (
    _REQUEST,
    f"""CREATE TABLE call (
    request INTEGER NOT NULL, parent INTEGER NOT NULL, identity INTEGER NOT NULL,{_CALL_COLUMNS}
    PRIMARY KEY (request, parent, identity)) WITHOUT ROWID""",
    f"""CREATE TABLE history (
    request INTEGER NOT NULL, generation INTEGER NOT NULL,
    parent INTEGER NOT NULL, identity INTEGER NOT NULL,{_CALL_COLUMNS}
    PRIMARY KEY (request, identity, generation)) WITHOUT ROWID""",
    """CREATE TABLE reached (
    request INTEGER NOT NULL, parent INTEGER NOT NULL, pass_no INTEGER NOT NULL, seq INTEGER NOT NULL,
    identity INTEGER NOT NULL, count INTEGER NOT NULL, flags INTEGER NOT NULL,
    PRIMARY KEY (request, parent, pass_no, seq)) WITHOUT ROWID""",
    """CREATE TABLE decided (
    request INTEGER NOT NULL, parent INTEGER NOT NULL, name TEXT NOT NULL, pass_no INTEGER NOT NULL,
    PRIMARY KEY (request, parent, name, pass_no)) WITHOUT ROWID""",
    """CREATE TABLE attempt (
    request INTEGER NOT NULL, identity INTEGER NOT NULL, pass_no INTEGER NOT NULL, attempt INTEGER NOT NULL,
    started_at REAL NOT NULL, duration REAL NOT NULL, error BLOB NOT NULL,
    PRIMARY KEY (request, identity, pass_no, attempt)) WITHOUT ROWID""",
    """CREATE TABLE progress (
    request INTEGER NOT NULL, identity INTEGER NOT NULL,
    current REAL NOT NULL, total REAL NOT NULL, message TEXT, attributes TEXT, at REAL NOT NULL,
    PRIMARY KEY (request, identity)) WITHOUT ROWID""",
    """CREATE TABLE run (
    request INTEGER NOT NULL, run INTEGER NOT NULL,
    mode TEXT NOT NULL, status TEXT NOT NULL, started_at REAL NOT NULL, finished_at REAL, code_key BLOB NOT NULL,
    executed INTEGER NOT NULL, reused INTEGER NOT NULL, saved REAL NOT NULL,
    PRIMARY KEY (request, run)) WITHOUT ROWID""",
    """CREATE TABLE code (
    key BLOB PRIMARY KEY,
    data BLOB NOT NULL,
    mac BLOB NOT NULL
)""",
    """CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    request INTEGER,
    identity INTEGER,
    pass_no INTEGER,
    at REAL,
    stream TEXT,
    text TEXT
)""",
    "CREATE INDEX idx_log_request_identity ON log (request, identity)",
    """CREATE TABLE metric (
    id INTEGER PRIMARY KEY,
    request INTEGER,
    identity INTEGER,
    kind TEXT,
    name TEXT,
    value REAL
)""",
    "CREATE INDEX idx_metric_request ON metric (request)",
    "CREATE UNIQUE INDEX request_by_idempotency_key ON request (application, idempotency_key)"
    " WHERE idempotency_key IS NOT NULL",
)
"""Every table of version 1."""
