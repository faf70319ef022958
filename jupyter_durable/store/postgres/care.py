"""Checking, sweeping, deleting, measuring.

Rules of this file
- Nothing is deleted by itself. A sweep takes only requests that ended (not the interrupted ones, which may go on) and
  are not pinned; large values only when no row names them and they are older than a day, by the clock of the server.
- Deleting goes in chunks, so that others can write in between; a request that is half deleted is already invisible, and
  the next sweep finishes it.
- Whether a row names a large value is for the database to say (its foreign keys), in the moment in which it goes.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from jupyter_durable.core.model import Status
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.base import Finding, Swept, not_as_read
from jupyter_durable.store.postgres import requests
from jupyter_durable.store.postgres.link import Connection
from jupyter_durable.store.postgres.schema import LOCK, VERSIONS
from jupyter_durable.store.postgres.transactions import Transaction
from jupyter_durable.store.writer import Writer

_CHUNK: Final = 1_000
_SWEPT: Final = [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED]
OF_REQUESTS: Final = ("call", "history", "reached", "decided", "attempt", "progress", "run", "log", "metric")
_UNNAMED: Final = (
    "NOT EXISTS (SELECT 1 FROM call WHERE call.blob = blob.key {0})"
    " AND NOT EXISTS (SELECT 1 FROM history WHERE history.blob = blob.key {0})"
)
_OLD: Final = "written_at < clock_timestamp() - interval '1 day'"


def condemn(transaction: Transaction, serial: int) -> None:
    """Make a request invisible and refuse its writers; what is left of it is removed in chunks."""
    row = requests.by_serial(transaction, serial)
    if row.status in (Status.RUNNING, Status.WAITING):
        raise SDKUsageError(f"{not_as_read(row)}; only then can it be deleted")
    transaction.execute(
        "UPDATE request SET deleted = true, epoch = epoch + 1, idempotency_key = NULL WHERE serial = %s", (serial,)
    )


def remove(writer: Writer[Transaction], serial: int) -> None:
    """Remove a condemned request, a chunk a transaction."""
    for table in OF_REQUESTS:
        while writer.run(partial(_remove_chunk, serial=serial, table=table)) == _CHUNK:
            pass
    writer.run(partial(_remove_row, serial=serial))


def _remove_chunk(transaction: Transaction, serial: int, table: str) -> int:
    return transaction.changed(
        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE request = %s LIMIT {_CHUNK}))",
        (serial,),
    )


def _remove_row(transaction: Transaction, serial: int) -> None:
    transaction.execute("DELETE FROM request WHERE serial = %s AND deleted", (serial,))
    # Not while one is accepted, whose code nobody names yet.
    transaction.execute("SELECT pg_advisory_xact_lock(%s::int, hashtext(current_schema()) + 1)", (LOCK,))
    transaction.execute(
        "DELETE FROM code WHERE NOT EXISTS (SELECT 1 FROM request WHERE code_key = code.key)"
        " AND NOT EXISTS (SELECT 1 FROM run WHERE code_key = code.key)"
    )


def gc(writer: Writer[Transaction], *, older_than: float, now: float, dry_run: bool) -> Swept:
    """Sweep requests that ended more than `older_than` seconds before `now`, and blobs that no row names."""
    doomed = writer.run(partial(_ended_before, moment=now - older_than))
    swept = [id for _, id in doomed]
    if not dry_run:
        swept = []
        for serial, id in doomed:
            if writer.run(partial(_condemn_again, serial=serial, moment=now - older_than)):
                remove(writer, serial)
                swept.append(id)
        for serial in writer.run(_half_deleted):
            remove(writer, serial)
    spared = [serial for serial, _ in doomed] if dry_run else []
    count, size = writer.run(partial(sweep_blobs, without=spared, dry_run=dry_run))
    return Swept(tuple(swept), count, size)


def _ended_before(transaction: Transaction, moment: float) -> list[tuple[int, str]]:
    return transaction.execute(
        "SELECT serial, id FROM request WHERE status = ANY(%s) AND NOT pinned AND NOT deleted"
        " AND coalesce(finished_at, accepted_at) < %s ORDER BY serial",
        (_SWEPT, moment),
    ).fetchall()


def _condemn_again(transaction: Transaction, serial: int, moment: float) -> bool:
    """Condemn, unless the request was replayed or pinned since it was listed."""
    transaction.execute("SELECT 1 FROM request WHERE serial = %s FOR UPDATE", (serial,)).fetchone()
    if serial not in {found for found, _ in _ended_before(transaction, moment)}:
        return False
    condemn(transaction, serial)
    return True


def _half_deleted(transaction: Transaction) -> list[int]:
    return [serial for (serial,) in transaction.execute("SELECT serial FROM request WHERE deleted").fetchall()]


def sweep_blobs(transaction: Transaction, without: list[int], dry_run: bool) -> tuple[int, int]:
    """Remove old large values that no row names; how many, and their bytes. Others' rows hold theirs."""
    transaction.execute("DELETE FROM writer WHERE at < clock_timestamp() - interval '30 days'")
    spared = ("AND request <> ALL(%s)", (without, without)) if dry_run else ("", ())
    loose = transaction.execute(f"SELECT key, size FROM blob WHERE {_UNNAMED.format(spared[0])} AND {_OLD}", spared[1])
    found = loose.fetchall()
    if dry_run:
        return len(found), sum(size for _, size in found)
    swept = [size for key, size in found if discard(transaction, key)]
    return len(swept), sum(swept)


def discard(transaction: Transaction, key: bytes) -> bool:
    """Remove an old large value that no row names; whether it was."""
    # Locked first: a row that is to name it waits, or is there and is seen by the second statement.
    transaction.execute("SELECT 1 FROM blob WHERE key = %s FOR UPDATE", (key,))
    return transaction.changed(f"DELETE FROM blob WHERE key = %s AND {_UNNAMED.format('')} AND {_OLD}", (key,)) == 1


def discard_own(transaction: Transaction, own: list[bytes]) -> None:
    """Remove the large values that only a deleted request named. One that was written within a day stays for `gc`."""
    for key in own:
        discard(transaction, key)


def own_blobs(transaction: Transaction, serial: int) -> list[bytes]:
    """The large values that a request names."""
    found = transaction.execute(
        "SELECT blob FROM call WHERE request = %s AND blob IS NOT NULL"
        " UNION SELECT blob FROM history WHERE request = %s AND blob IS NOT NULL",
        (serial, serial),
    )
    return [key for (key,) in found.fetchall()]


def check(connection: Connection, name: str, absent: list[str]) -> list[Finding]:
    """What is right and wrong with the store."""
    found = [Finding("ok", f"{name}: version {len(VERSIONS)}, PostgreSQL {connection.info.server_version // 10_000}")]
    found += [Finding("error", f"{name} is damaged: it lacks the table {table}; restore it") for table in absent]
    if absent:
        return found
    for setting, why in (
        ("fsync", "a crash of the server's machine can lose or damage the whole database"),
        ("full_page_writes", "a crash of the server's machine can damage the database"),
    ):
        if _one(connection, "SELECT current_setting(%s)", setting) == "off":
            found.append(Finding("warning", f"{setting} is off in the database: {why}"))
    parts = "(SELECT coalesce(sum(length(data)), 0) FROM blob_part WHERE blob_part.key = blob.key)"
    for (key,) in connection.execute(f"SELECT key FROM blob WHERE damaged OR size <> {parts}").fetchall():
        found.append(Finding("error", f"the large value {key.hex()} is damaged; rerun= its call to make it anew"))
    return found


def _one(connection: Connection, sql: str, *values: object) -> Any:
    found = connection.execute(sql, values).fetchone()
    return None if found is None else found[0]


def size(connection: Connection) -> int:
    """Bytes of all tables with their indexes, on the disk of the server."""
    return int(
        _one(
            connection,
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'",
        )
    )
