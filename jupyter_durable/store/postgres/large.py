"""Large values in the database, in parts.

Rules of this file
- Durable on return, before the row that names it; writing one again makes it young again, so that no sweep takes it.
- Nothing is handed out before its hash was checked. A damaged one is marked, and mended when it is written again.
- Another connection than that of the rows: neither waits for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import psycopg

from jupyter_durable.errors import CheckpointError, DeserializationError
from jupyter_durable.store.base import Buffer, StoreAway
from jupyter_durable.store.blob_format import checked, hashed, pieces_of, refused
from jupyter_durable.store.postgres.faults import FAULTS, read_failed, write_failed
from jupyter_durable.store.postgres.link import Connection, Link

T = TypeVar("T")
_PART: Final = 1 << 20
"""Bytes of a part."""


class LargeValues:
    """Writes and reads them on a connection of their own."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def put(self, head: bytes, buffers: Sequence[Buffer]) -> bytes:
        """Write a value; its name. Raises `BlobRefused`, which holds the value."""
        pieces = pieces_of(head, buffers)
        key = hashed(pieces)
        try:
            self._patiently(lambda connection: _put(connection, key, pieces))
        except FAULTS as error:
            error.__traceback__ = None  # its frames hold the value, and psycopg makes a cycle of them
            raise refused(self._why(error), head, buffers) from error
        return key

    def _why(self, error: BaseException) -> CheckpointError:
        failed = write_failed(self._link.address, error)
        return failed if isinstance(failed, CheckpointError) else CheckpointError(str(failed))

    def get(self, key: bytes) -> tuple[bytes, list[memoryview]]:
        """Head and buffers (writable). Raises `DeserializationError`."""
        try:
            data = self._patiently(lambda connection: _get(connection, key))
        except FAULTS as error:
            failed = read_failed(self._link.address, error)
            raise failed if isinstance(failed, StoreAway) else DeserializationError(str(failed)) from error
        if data is None:
            raise DeserializationError(
                f"the value {key.hex()[:12]} is missing from {self._link.address.shown}; run the call again (rerun=) to"
                " make it anew"
            )
        found = checked(memoryview(data), key)
        if found is None:
            self._patiently(
                lambda connection: connection.execute("UPDATE blob SET damaged = true WHERE key = %s", (key,))
            )
            raise DeserializationError(
                f"the value {key.hex()[:12]} in {self._link.address.shown} is damaged. Run the call again (rerun=) to"
                " make it anew"
            )
        return found

    def _patiently(self, act: Callable[[Connection], T]) -> T:
        """`act` can be repeated: it is, when the connection was lost."""
        waits = self._link.waits()
        while True:
            try:
                with self._link.lock, self._link.connection() as connection:
                    return act(connection)
            except psycopg.OperationalError as error:
                if not waits.again(error):
                    raise


def _put(connection: Connection, key: bytes, pieces: Sequence[memoryview]) -> None:
    size = sum(map(len, pieces))
    with connection.transaction():
        known = connection.execute(
            "UPDATE blob SET written_at = clock_timestamp() WHERE key = %s RETURNING damaged", (key,)
        ).fetchone()
        if known == (False,):
            return
        connection.execute("DELETE FROM blob_part WHERE key = %s", (key,))
        connection.execute(
            "INSERT INTO blob (key, size) VALUES (%s, %s)"
            " ON CONFLICT (key) DO UPDATE SET damaged = false, written_at = clock_timestamp()",
            (key, size),
        )
        for number, part in enumerate(_parts(pieces)):
            connection.execute(
                "INSERT INTO blob_part VALUES (%b, %b, %b) ON CONFLICT (key, part) DO NOTHING", (key, number, part)
            )


def _parts(pieces: Sequence[memoryview]) -> Iterator[bytes]:
    """The pieces as parts of equal length."""
    part = bytearray()
    for piece in pieces:
        while piece:
            room = _PART - len(part)
            part += piece[:room]
            piece = piece[room:]
            if len(part) == _PART:
                yield bytes(part)
                part.clear()
    if part:
        yield bytes(part)


def _get(connection: Connection, key: bytes) -> bytearray | None:
    found = connection.execute("SELECT size FROM blob WHERE key = %s", (key,)).fetchone()
    if found is None:
        return None
    data = bytearray()
    while len(data) < found[0]:
        part = connection.cursor(binary=True).execute(
            "SELECT data FROM blob_part WHERE key = %s AND part = %s", (key, len(data) // _PART)
        )
        row = part.fetchone()
        if row is None or not row[0]:
            break  # damaged: its hash says so
        data += row[0]
    return data
