"""A file is foreign until its schema is ours: what somebody else wrote must not run, not for a moment.

Rules of this file
- Nothing is read of a file before `restrict` and `refuse_other_schemas`. A view may stand where a table should, and
  never end; a trigger, a generated column, a default, a check and an index on an expression run what they like.
- So the schema is compared as text, whole, with that of the version the file says it has. Blanks, and quotes round a
  plain name, do not count: SQLite, and sqlite-utils in earlier versions, have written them in several ways.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Final

from jupyter_durable.errors import StoreError
from jupyter_durable.hashes import blake2b
from jupyter_durable.store.sqlite.faults import broken

SCHEMAS: Final = {
    0: "7ebb3c7c2a87b1a2f8a7ed729ecb040d",
    1: "987357496b4ad829555aa52fc6bd6a47",
    2: "5c4c13af01ada638f0044da14ca8fa92",
    3: "f54e27e4a2f9291db7b2eee34b5dd477",
    4: "ee672fca764d153d32336177bf8056af",
    5: "b8f98f131cf03d652b1dc1c40c14eaf4",
    6: "b210cff26b9580fc4181b5b23383411f",
}
"""Digest of the schema of each version, as `store/migrations` makes it; 0 has nothing yet."""
OBJECTS: Final = (
    "SELECT type, substr(name, 1, 200), substr(tbl_name, 1, 200), substr(coalesce(sql, ''), 1, 20000)"
    " FROM sqlite_master LIMIT 60"
)
"""What a file defines, as much of it as any of our schemas has, and more."""
_STATISTICS: Final = (
    ("table", "sqlite_stat1", "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
    ("table", "sqlite_stat4", "sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"),
)
"""Left by ANALYZE, whoever ran it."""
_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 60,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 10,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_NAME: Final = r'"(\w+)"|\[(\w+)\]|`(\w+)`'
_QUOTES: Final = frozenset('"[`')
_Object = tuple[str, ...]


def restrict(connection: sqlite3.Connection) -> None:
    """What holds for every connection, before it reads its first page."""
    for limit, value in _LIMITS.items():
        connection.setlimit(limit, value)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")


def refuse_other_schemas(found: Sequence[_Object], name: str, version: int) -> None:
    """Raise `StoreError` unless `found`, all that is defined in the file (`OBJECTS`), is what `version` defines."""
    if digest_of(found) != SCHEMAS.get(version):
        raise _other(name, version, found)


def digest_of(objects: Sequence[_Object]) -> str:
    """What a schema comes to."""
    plain = sorted((*map(str, each[:3]), _plain(str(each[3]))) for each in objects if each not in _STATISTICS)
    return blake2b(repr(plain).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def _plain(sql: str) -> str:
    if not _QUOTES.isdisjoint(sql):
        sql = re.sub(_NAME, lambda found: next(filter(None, found.groups())), sql)
    plain = " ".join(sql.split())
    for mark in "(),":
        plain = plain.replace(f" {mark}", mark).replace(f"{mark} ", mark)
    return plain


def _other(name: str, version: int, found: Sequence[_Object]) -> StoreError:
    odd = next((f"the {kind} {label[:60]!r}" for kind, label, _, _ in found if kind not in ("table", "index")), None)
    said = f"it has {odd}, which no store has" if odd else f"what it defines is not schema {version}"
    return broken(name, ValueError(said))
