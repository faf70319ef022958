"""Stores that somebody made to do harm, or that were damaged, by name. Used by the store, the command line, the server.

Each maker gets the path of a store with one request (`req_0123456789ab`) of a few calls, closed, and spoils it.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from jupyter_durable.core.model import ROOT
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import ended, outcome, started

ID: Final = "req_0123456789ab"
Maker = Callable[[Path], None]
ENDLESS: Final = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"


def sound(path: Path, id: str = ID, calls: int = 5) -> None:
    """A closed store with a request that ended."""
    store = SqliteStore(path)
    journal = started(store, id)
    for identity in range(2, 2 + calls):
        journal.record(outcome(identity))
    journal.finish(ended(outcome(ROOT, 0, children=calls)))
    store.close()


def _sql(*statements: str) -> Maker:
    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            for statement in statements:
                connection.execute(statement)

    return spoil


def _view(table: str, columns: str = "x") -> Maker:
    return _sql(f"DROP TABLE {table}", f"CREATE VIEW {table} AS {ENDLESS} SELECT {columns} FROM n")


def _text(table: str, old: str, new: str) -> Maker:
    """The definition of a table with other words in it, as only `writable_schema` can write them."""
    return _sql(f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name = '{table}'")


def _bytes(change: Callable[[bytes], bytes]) -> Maker:
    def spoil(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return spoil


_REQUEST = "serial epoch run lease_until cancel_requested pinned deleted id application kind status accepted_at"
_REST = "started_at finished_at host boot_id pid_namespace pid pid_started code_key notebook cell idempotency_key"
_LAST = "forked_from rule error headers input_digest input lease_boot"
_COLUMNS = ", ".join(f"{'0' if name == 'deleted' else 'x'} AS {name}" for name in f"{_REQUEST} {_REST} {_LAST}".split())

SCHEMAS: Final[dict[str, Maker]] = {
    "endless view in place of the requests": _view("request", _COLUMNS),
    "endless view in place of the runs": _view("run"),
    "endless view in place of the calls": _view("call"),
    "view beside the tables": _sql(f"CREATE VIEW more AS {ENDLESS} SELECT x FROM n"),
    "view named as a table of statistics": _sql(
        "INSERT INTO sqlite_master VALUES ('view', 'sqlite_stat1', 'sqlite_stat1', 0, 'CREATE VIEW sqlite_stat1 AS "
        f"{ENDLESS} SELECT x AS tbl, x AS idx, x AS stat FROM n')"
    ),
    "trigger": _sql(
        f"CREATE TRIGGER t AFTER UPDATE ON request BEGIN INSERT INTO log (text) {ENDLESS} SELECT x FROM n; END"
    ),
    "table of its own": _sql("CREATE TABLE mine (x)"),
    "index on an expression": _sql("CREATE INDEX odd ON request (abs(serial))"),
    "generated column": _text("run", "saved REAL NOT NULL", "saved REAL AS (abs(run)) NOT NULL"),
    "default that is an expression": _text("request", "DEFAULT 0", "DEFAULT (abs(1))"),
    "check": _text("request", "lease_until REAL NOT NULL", "lease_until REAL NOT NULL CHECK (abs(lease_until) > 0)"),
    "collation": _text("request", "id TEXT NOT NULL UNIQUE", "id TEXT COLLATE mine NOT NULL UNIQUE"),
    "another index": _text("request_by_idempotency_key", "IS NOT NULL", "IS NOT NULL AND abs(serial) > 0"),
    "virtual table": _sql(
        "INSERT INTO sqlite_master VALUES ('table', 'mine', 'mine', 0, 'CREATE VIRTUAL TABLE mine USING fts5(x)')"
    ),
    "schema that is no SQL": _text("run", "CREATE TABLE", "CREATE NOTHING"),
    "a hundred tables": _sql("BEGIN", *(f"CREATE TABLE t{n} (x)" for n in range(100)), "COMMIT"),
    "schema of an older version": _sql("PRAGMA user_version = 2"),
    "negative version": _sql("PRAGMA user_version = -3"),
    "no tables": _sql("DELETE FROM sqlite_master"),
}
"""What is defined in it is not ours."""


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _sparse(path: Path) -> None:
    path.write_bytes(b"")
    os.truncate(path, 1 << 40)


def _hot_journal(path: Path) -> None:
    """The journal of a transaction that was never ended, of another file."""
    path.with_name(path.name + "-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + os.urandom(4096))


FILES: Final[dict[str, Maker]] = {
    "truncated": _bytes(lambda data: data[: len(data) // 2]),
    "only a header": _bytes(lambda data: data[:100]),
    "text": _bytes(lambda _: b"this is a text file, and always was one\n" * 200),
    "sparse": _sparse,
    "pipe": _pipe,
    "directory": _directory,
    "another application": _sql("PRAGMA application_id = 1"),
    "zeros": _bytes(lambda data: bytes(len(data))),
}
"""What is no store at all."""


def pages_in_circles(path: Path) -> None:
    """A table of a few hundred rows whose tree of pages is 12 levels high and leads to each row 10**20 times."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        names = [row[1] for row in connection.execute("PRAGMA table_info(request)") if row[1] not in ("serial", "id")]
        copied = ", ".join("printf('%.3000c', 'e')" if name == "error" else name for name in names)
        connection.execute(
            f"{ENDLESS.replace('FROM n)', 'FROM n LIMIT 200)')} INSERT INTO request (id, {', '.join(names)})"
            f" SELECT printf('req_%012d', x), {copied} FROM request, n WHERE serial = 1"
        )
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'request'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    top = bytes(data[(root - 1) * size : root * size])
    assert top[0] == 5, "the table is too small for an inner page"
    cells = [*struct.unpack_from(f">{struct.unpack_from('>H', top, 3)[0]}H", top, 12), 8]
    pages = len(data) // size
    for level in range(12):
        page, below = bytearray(top), pages + level + 1
        if level < 11:
            for at in cells:
                struct.pack_into(">I", page, at, below + 1)
        data += page
    for at in cells:
        struct.pack_into(">I", data, (root - 1) * size + at, pages + 1)
    struct.pack_into(">I", data, 28, len(data) // size)
    path.write_bytes(data)


def _set(table: str, **changes: str) -> Maker:
    return _sql(f"UPDATE {table} SET " + ", ".join(f"{name} = {value}" for name, value in changes.items()))


def _long_error(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE request SET application = ?", ("\u202e" * 17_000_000,))


def printed(rows: int, text: str) -> Maker:
    """The second call printed `text`, an expression of SQL, so many times."""
    return _sql(
        f"{ENDLESS.replace('FROM n)', f'FROM n LIMIT {rows})')}"
        f" INSERT INTO log (request, identity, pass_no, at, stream, text) SELECT 1, 2, 1, 1.0, 'stdout', {text} FROM n"
    )


SLOW: Final[dict[str, Maker]] = {
    "long texts that were printed": printed(12, "printf('%.5000000c', '-')"),
    "printed texts that a pattern reads again and again": printed(1, "replace(hex(zeroblob(300000)), '00', '-eyJa')"),
    "many printed lines": printed(400_000, "'x'"),
}
"""What takes long in few steps of SQLite, or in what is made of it."""
ODD: Final[dict[str, Maker]] = {
    "empty": _empty,
    "hot journal": _hot_journal,
    "texts that are no UTF-8": _set("request", application="CAST(x'ff00fe' AS TEXT)", notebook="CAST(x'c328' AS TEXT)"),
    "bytes for texts": _set("request", application="x'0102'", status="x'00'", error="x'fe'"),
    "numbers without end": _set("request", accepted_at="9e999", finished_at="-9e999"),
    "runs without end": _set("run", started_at="9e999", saved="-9e999"),
    "times far away": _set("request", accepted_at="1e25", started_at="-1e25", finished_at="1e300"),
    "runs far away": _set("run", started_at="1e25", finished_at="-1e25", saved="1e300"),
    "large numbers": _set("request", run="9223372036854775807", epoch="-9223372036854775808"),
    "texts for numbers": _set("request", run="'many'", accepted_at="'then'", pid="'none'"),
    "negative durations": _set("call", duration="-1e9", started_at="-5"),
    "calls that are their own callers": _set("call", parent="identity"),
    "calls without end": _set("call", duration="9e999"),
    "a name of 50 MB": _long_error,
    "an unknown status": _set("request", status="'\u202elost'", kind="'\x1b[31m'"),
    "progress that is no JSON": _sql("INSERT INTO progress VALUES (1, 2, 1, 9, 'm', printf('%.9000c', '['), 1)"),
    "marks and lines in texts": _set("request", application="char(0x202e, 0x9b, 27, 10, 0x2028)", error="char(0x85)"),
    "pages that lead in circles": pages_in_circles,
    "every call below every other": lambda path: with_every_caller(path),
}
"""What reads, somehow: each verb gives an answer or a sentence."""


def more_calls(path: Path, calls: int) -> None:
    """As many calls as a large request of ours has, after the others."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(call)")]
        other = {"identity": "x + 100", "seq": "x + 100"}
        connection.execute(
            f"{ENDLESS.replace('FROM n)', f'FROM n LIMIT {calls})')} INSERT INTO call ({', '.join(columns)})"
            f" SELECT {', '.join(other.get(name, name) for name in columns)} FROM call, n WHERE identity = 2"
        )


def with_every_caller(path: Path, calls: int = 60) -> None:
    """Each call stands below each one before it: 2**60 ways lead to the last one."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(call)")]
        (first,) = connection.execute("SELECT * FROM call WHERE identity = 2").fetchall()
        row = dict(zip(columns, first, strict=True))
        every = [
            {**row, "parent": p, "identity": i, "seq": i, "children": 9} for i in range(2, calls) for p in range(1, i)
        ]
        connection.execute("BEGIN")
        connection.execute("DELETE FROM call WHERE identity > 1")
        connection.executemany(
            f"INSERT INTO call VALUES ({', '.join('?' * len(columns))})", [list(each.values()) for each in every]
        )
        connection.execute("COMMIT")


ALL: Final = {**SCHEMAS, **FILES, **ODD}
