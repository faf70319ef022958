"""Checking, sweeping, deleting, measuring.

Rules of this file
- Nothing is deleted by itself. A sweep takes only requests that ended (not the interrupted ones, which may go on) and
  are not pinned; blobs only when no row names them and they are older than a day, under the write lock.
- What is deleted is overwritten in the file, its large values go with it (those of a sweep later), and the log is
  emptied: nothing of it is left to be found.
- Deleting goes in chunks, so that the WAL stays small and others can write in between; a request that is half deleted
  is already invisible, and the next sweep finishes it.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any, Final

from jupyter_durable.core.model import Status
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.records import NamedTuple
from jupyter_durable.store.base import Finding, Swept, not_as_read
from jupyter_durable.store.blobs import BlobFolder
from jupyter_durable.store.sqlite import requests
from jupyter_durable.store.sqlite.frames import kept_logs
from jupyter_durable.store.sqlite.link import WORK_SECONDS, Link
from jupyter_durable.store.sqlite.watch import Watch
from jupyter_durable.store.writer import Writer

_DAY: Final = 86_400.0
_CHUNK: Final = 1_000
_A_MOMENT: Final = 2.0
"""Seconds that the clocks of a request and of its files may differ by."""
_SWEPT: Final = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
_BLOB: Final = "lower(hex(blob))"
"""The name of a large value, whatever type a damaged file gives it."""
_WITH_BLOBS: Final = ("call", "history")
_NAMED: Final = f"SELECT DISTINCT {_BLOB} FROM {{}} WHERE blob IS NOT NULL"
OF_REQUESTS: Final = {
    "call": "request, parent, identity",
    "history": "request, identity, generation",
    "reached": "request, parent, pass_no, seq",
    "decided": "request, parent, name, pass_no",
    "attempt": "request, identity, pass_no, attempt",
    "progress": "request, identity",
    "run": "request, run",
    "log": "id",
    "metric": "id",
}


def condemn(cursor: sqlite3.Cursor, serial: int) -> None:
    """Make a request invisible and refuse its writers; what is left of it is removed in chunks."""
    row = requests.by_serial(cursor, serial)
    if row.status in (Status.RUNNING, Status.WAITING):
        raise SDKUsageError(f"{not_as_read(row)}; only then can it be deleted")
    cursor.execute(
        "UPDATE request SET deleted = 1, epoch = epoch + 1, idempotency_key = NULL WHERE serial = ?", (serial,)
    )


def remove(writer: Writer[sqlite3.Cursor], serial: int) -> None:
    """Remove a condemned request, a chunk a transaction."""
    for table, key in OF_REQUESTS.items():
        while writer.run(partial(_remove_chunk, serial=serial, table=table, key=key)) == _CHUNK:
            pass
    writer.run(partial(_remove_row, serial=serial))


def _remove_chunk(cursor: sqlite3.Cursor, serial: int, table: str, key: str) -> int:
    cursor.execute(
        f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE request = ? LIMIT {_CHUNK})", (serial,)
    )
    return int(cursor.rowcount)


def _remove_row(cursor: sqlite3.Cursor, serial: int) -> None:
    cursor.execute("DELETE FROM request WHERE serial = ? AND deleted", (serial,))
    cursor.execute(
        "DELETE FROM code WHERE key NOT IN (SELECT code_key FROM request) AND key NOT IN (SELECT code_key FROM run)"
    )


class Own(NamedTuple):
    """The large values that a request names, and when it last wrote one, Unix seconds."""

    blobs: frozenset[str]
    until: float


def own_blobs(cursor: sqlite3.Cursor, serial: int) -> Own:
    """What is to be looked at when the request is gone."""
    row = requests.by_serial(cursor, serial)
    named = {
        blob
        for table in ("call", "history")
        for (blob,) in cursor.execute(f"SELECT {_BLOB} FROM {table} WHERE request = ? AND blob IS NOT NULL", (serial,))
    }
    return Own(frozenset(named), (row.finished_at or row.accepted_at) + _A_MOMENT)


def discard_own(cursor: sqlite3.Cursor, blobs: BlobFolder, own: Own, now: float) -> None:
    """Remove the large values that only a deleted request named. The transaction holds the write lock.

    One that was written again after the request had ended stays for a day: its row may not be committed yet.
    """
    left = own.blobs - {
        blob
        for table in ("call", "history")
        for (blob,) in cursor.execute(f"SELECT {_BLOB} FROM {table} WHERE blob IS NOT NULL")
    }
    for path, _, changed in blobs.files() if left else ():
        before = max(own.until, now - _DAY)
        if path.name.removesuffix(".damaged") in left and changed < before:
            blobs.discard(path, before)


def gc(writer: Writer[sqlite3.Cursor], blobs: BlobFolder, *, older_than: float, now: float, dry_run: bool) -> Swept:
    """Sweep requests that ended more than `older_than` seconds before `now`, and blobs that no row names."""
    doomed = writer.run(partial(_ended_before, moment=now - older_than))
    swept = [id for _, id in doomed]
    if not dry_run:
        swept = []
        for serial, id in doomed:
            if writer.run(partial(_condemn_again, serial=serial, moment=now - older_than)):
                remove(writer, serial)
                swept.append(id)
        for (serial,) in writer.run(_half_deleted):
            remove(writer, serial)
    spared = [serial for serial, _ in doomed] if dry_run else []
    count, size = writer.run(partial(sweep_blobs, blobs=blobs, without=spared, now=now, dry_run=dry_run))
    return Swept(tuple(swept), count, size)


def _ended_before(cursor: sqlite3.Cursor, moment: float) -> list[tuple[int, str]]:
    return cursor.execute(
        "SELECT serial, id FROM request WHERE status IN (?, ?, ?) AND NOT pinned AND NOT deleted"
        " AND coalesce(finished_at, accepted_at) < ? ORDER BY serial",
        (*_SWEPT, moment),
    ).fetchall()


def _condemn_again(cursor: sqlite3.Cursor, serial: int, moment: float) -> bool:
    """Condemn, unless the request was replayed or pinned since it was listed."""
    if serial not in {found for found, _ in _ended_before(cursor, moment)}:
        return False
    condemn(cursor, serial)
    return True


def _half_deleted(cursor: sqlite3.Cursor) -> list[tuple[int]]:
    return cursor.execute("SELECT serial FROM request WHERE deleted").fetchall()


def sweep_blobs(
    cursor: sqlite3.Cursor, blobs: BlobFolder, without: list[int], now: float, dry_run: bool
) -> tuple[int, int]:
    """Remove blobs that no row names. The transaction holds the write lock: no row can name one meanwhile.

    Those younger than a day stay: one may have been written for a row that is not committed yet.
    """
    gone = set(without)
    named = {
        blob
        for table in ("call", "history")
        for request, blob in cursor.execute(f"SELECT request, {_BLOB} FROM {table} WHERE blob IS NOT NULL")
        if request not in gone
    }
    count = size = 0
    for path, length, changed in blobs.files():
        if path.name.removesuffix(".damaged") in named or changed >= now - _DAY:
            continue
        if dry_run or blobs.discard(path, now - _DAY):
            count, size = count + 1, size + length
    return count, size


def named_blobs(link: Link) -> list[bytes]:
    """The large values that rows name. The caller holds the lock."""
    found = link.connection.execute(
        "SELECT blob FROM call WHERE blob IS NOT NULL UNION SELECT blob FROM history WHERE blob IS NOT NULL"
    )
    return [blob for (blob,) in found if isinstance(blob, bytes)]


def check(link: Link, blobs: BlobFolder) -> list[Finding]:
    """What is right and wrong with the store. The caller holds the lock."""
    try:
        ((version,),) = _checked(link, "PRAGMA user_version")
        problems = [text for (text,) in _checked(link, "PRAGMA integrity_check(20)") if text != "ok"]
        named = {blob for table in _WITH_BLOBS if not problems for (blob,) in _checked(link, _NAMED.format(table))}
    except sqlite3.Error as error:
        return [Finding("error", f"{link.name} is damaged: {error}; move it aside to start with an empty store")]
    missing = {blob for blob in named if not blobs.has(bytes.fromhex(blob))}
    found = [Finding("ok", f"{link.name}: schema {version}")]
    found += [Finding("error", f"{link.name} is damaged: {text}; move it aside") for text in problems]
    found += [Finding("ok", "integrity check passed")] * (not problems)
    found += [
        Finding("error", f"the large value {name} is missing; rerun= its call to make it anew")
        for name in sorted(missing)
    ]
    damaged = [path for path, _, _ in blobs.files() if path.suffix == ".damaged"]
    found += [Finding("warning", f"{path} is a damaged value that was moved aside") for path in damaged]
    return found + [Finding("warning", text) for text in kept_logs(link.path)]


def _checked(link: Link, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query that reads the whole file, and can be interrupted."""
    return Watch(None if link.limit is None else WORK_SECONDS).read(link.connection, sql)


def file_size(path: Path) -> int:
    """Bytes of the file, its WAL and its index. `stat` only: nothing else may open them."""
    total = 0
    for suffix in ("", "-wal", "-shm"):
        try:
            total += path.with_name(path.name + suffix).stat().st_size
        except FileNotFoundError:
            continue
    return total
