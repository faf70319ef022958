"""The tables of the store, by version, and how they are made.

Rules of this file
- A version is its statements, never edited after a release. `version` says which the schema has.
- Made and changed in one transaction, under a lock of the whole database for this schema's name: of several processes
  that come at once one does it. Who finds it as it should be takes no lock, and needs no right to make anything.
- What another program has made is not touched.
- `call` is clustered in its primary key alone; names are compared byte by byte (COLLATE "C").
- Large values are referenced: none can go that a row names, and no row can come that names one that is gone.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

import psycopg
from psycopg import sql

from jupyter_durable.errors import StoreError, StoreVersionError
from jupyter_durable.store.postgres.address import Address

LOCK: Final = 0x4A44_5552
"""Of our advisory locks: the bytes JDUR."""
_CALL: Final = """
    pass_no bigint NOT NULL, seq bigint NOT NULL, kind text NOT NULL, name text NOT NULL, status text NOT NULL,
    flags bigint NOT NULL, digest bytea NOT NULL, code bytea NOT NULL, attempts bigint NOT NULL,
    started_at double precision NOT NULL, duration double precision, codec text NOT NULL, value bytea,
    blob bytea REFERENCES blob (key), mac bytea, inputs bytea, writes bytea, children bigint, result bytea, below bytea,
    files bytea, metrics text"""
V1: Final = (
    "CREATE TABLE version (version bigint NOT NULL)",
    """CREATE TABLE request (
    serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch bigint NOT NULL, run bigint NOT NULL,
    lease_until double precision NOT NULL, lease_boot double precision, clock_ahead double precision NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL, pinned boolean NOT NULL, deleted boolean NOT NULL DEFAULT false,
    id text COLLATE "C" NOT NULL UNIQUE, application text NOT NULL, kind text NOT NULL, status text NOT NULL,
    accepted_at double precision NOT NULL, started_at double precision, finished_at double precision,
    host text, boot_id text, pid_namespace text, pid bigint, pid_started text,
    code_key bytea NOT NULL, notebook text, cell text, idempotency_key text, forked_from text, rule bigint NOT NULL,
    error text, headers text, input_digest bytea NOT NULL, input bytea, mac bytea) WITH (fillfactor = 70)""",
    "CREATE UNIQUE INDEX request_by_idempotency_key ON request (application, idempotency_key)"
    " WHERE idempotency_key IS NOT NULL",
    """CREATE TABLE blob (
    key bytea PRIMARY KEY, size bigint NOT NULL, damaged boolean NOT NULL DEFAULT false,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp())""",
    """CREATE TABLE blob_part (
    key bytea NOT NULL REFERENCES blob (key) ON DELETE CASCADE, part bigint NOT NULL, data bytea NOT NULL,
    PRIMARY KEY (key, part))""",
    f"""CREATE TABLE call (
    request bigint NOT NULL, parent bigint NOT NULL, identity bigint NOT NULL,{_CALL},
    PRIMARY KEY (request, parent, identity))""",
    f"""CREATE TABLE history (
    request bigint NOT NULL, generation bigint NOT NULL, parent bigint NOT NULL, identity bigint NOT NULL,{_CALL},
    PRIMARY KEY (request, identity, generation))""",
    "CREATE INDEX call_by_blob ON call (blob) WHERE blob IS NOT NULL",
    "CREATE INDEX history_by_blob ON history (blob) WHERE blob IS NOT NULL",
    """CREATE TABLE reached (
    request bigint NOT NULL, parent bigint NOT NULL, pass_no bigint NOT NULL, seq bigint NOT NULL,
    identity bigint NOT NULL, count bigint NOT NULL, flags bigint NOT NULL, mac bytea,
    PRIMARY KEY (request, parent, pass_no, seq))""",
    """CREATE TABLE decided (
    request bigint NOT NULL, parent bigint NOT NULL, name text COLLATE "C" NOT NULL, pass_no bigint NOT NULL, mac bytea,
    PRIMARY KEY (request, parent, name, pass_no))""",
    """CREATE TABLE attempt (
    request bigint NOT NULL, identity bigint NOT NULL, pass_no bigint NOT NULL, attempt bigint NOT NULL,
    started_at double precision NOT NULL, duration double precision NOT NULL, error bytea NOT NULL,
    PRIMARY KEY (request, identity, pass_no, attempt))""",
    """CREATE TABLE progress (
    request bigint NOT NULL, identity bigint NOT NULL, current double precision NOT NULL,
    total double precision NOT NULL, message text, attributes text, at double precision NOT NULL,
    PRIMARY KEY (request, identity))""",
    """CREATE TABLE run (
    request bigint NOT NULL, run bigint NOT NULL, mode text NOT NULL, status text NOT NULL,
    started_at double precision NOT NULL, finished_at double precision, code_key bytea NOT NULL,
    executed bigint NOT NULL, reused bigint NOT NULL, saved double precision NOT NULL,
    PRIMARY KEY (request, run))""",
    "CREATE TABLE code (key bytea PRIMARY KEY, data bytea NOT NULL, mac bytea NOT NULL)",
    """CREATE TABLE log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, request bigint NOT NULL, identity bigint NOT NULL,
    pass_no bigint NOT NULL, at double precision NOT NULL, stream text NOT NULL, text text NOT NULL)""",
    "CREATE INDEX log_by_call ON log (request, identity, id)",
    """CREATE TABLE metric (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, request bigint NOT NULL, identity bigint NOT NULL,
    kind text NOT NULL, name text NOT NULL, value double precision NOT NULL)""",
    "CREATE INDEX metric_by_request ON metric (request, id)",
    "CREATE TABLE writer (id uuid PRIMARY KEY, number bigint NOT NULL, at timestamptz NOT NULL)",
)
"""Every table of version 1."""
VERSIONS: Final = (V1,)
"""`VERSIONS[n]` takes a store from version n to n + 1."""
TABLES: Final = frozenset(
    ("version", "request", "blob", "blob_part", "call", "history", "reached", "decided", "attempt", "progress", "run",
     "code", "log", "metric", "writer")
)  # fmt: skip
_THERE: Final = (
    "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p', 'v', 'm')"
)


def prepare(connection: psycopg.Connection[Any], address: Address, *, make: bool) -> None:
    """Make the tables, or bring them to the newest version, or leave them. Raises `StoreError`, `psycopg.Error`.

    `make`: not by who only looks, and may have mistyped the URL.
    """
    version = _version(connection, address)
    if version == len(VERSIONS):
        return
    if version == 0 and not make:
        raise StoreError(
            f"there is no store in the schema {address.schema} of {address.shown}; check the URL, or run something"
        )
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s::int, hashtext(%s))", (LOCK, address.schema))
        version = _version(connection, address)
        if version == 0:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(address.schema)))
        for statement in chain.from_iterable(VERSIONS[version:]):
            connection.execute(statement)
        connection.execute("DELETE FROM version")
        connection.execute("INSERT INTO version VALUES (%s)", (len(VERSIONS),))


def missing(connection: psycopg.Connection[Any], address: Address) -> list[str]:
    """The tables that should be there and are not."""
    return sorted(TABLES - _tables(connection, address))


def _tables(connection: psycopg.Connection[Any], address: Address) -> set[str]:
    quoted = sql.Identifier(address.schema).as_string(connection)
    return {name for (name,) in connection.execute(_THERE, (quoted,))}


def _version(connection: psycopg.Connection[Any], address: Address) -> int:
    """Of the schema, 0 when nothing is there. Raises `StoreError` for what is not a whole store of ours."""
    there = _tables(connection, address)
    if not there:
        return 0
    where = f"the schema {address.schema} of {address.shown}"
    if "version" not in there:
        raise StoreError(f"{where} holds tables of another program; name another schema (?schema=NAME)")
    found = connection.execute("SELECT version FROM version").fetchall()
    if len(found) != 1 or not isinstance(found[0][0], int) or found[0][0] < 1:
        raise StoreError(f"{where} is damaged, or not a store: it does not say its version. Nothing was changed")
    version = found[0][0]
    if version > len(VERSIONS):
        raise StoreVersionError(
            f"{where} has version {version}, this jupyter-durable knows {len(VERSIONS)}: upgrade jupyter-durable, or"
            " use another schema (?schema=NAME)"
        )
    absent = TABLES - there if version == len(VERSIONS) else set()
    if absent:
        raise StoreError(
            f"{where} is damaged: it lacks the table {', '.join(sorted(absent))}. Nothing was changed: restore it from"
            " a backup, or use another schema (?schema=NAME)"
        )
    return version
