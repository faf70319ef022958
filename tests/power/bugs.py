"""Planted bugs of durability: in the code, or in the operations, as if the shim had swallowed or moved some.

Each names the journal of the stores in which it shows. The harness must find every one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_durable import files
from jupyter_durable.serializer import signing
from jupyter_durable.store import blobs
from jupyter_durable.store.sqlite import opening
from jupyter_durable.store.sqlite.link import Link
from jupyter_durable.store.sqlite.opening import Opener
from tests.crash.mutants import MUTANTS, replace
from tests.power.days import ROLLBACK, WAL
from tests.power.trace import Operation

Edit = Callable[[Sequence[Operation]], list[Operation]]
Matches = Callable[[str], bool]


class Bug(NamedTuple):
    """One planted bug."""

    kind: str = WAL
    plant: Callable[[], None] | None = None
    edit: Edit | None = None


def _with_paths(operations: Sequence[Operation]) -> Iterator[tuple[Operation, str]]:
    """Operations with the path that their file had then; those of marks have none."""
    paths: dict[int, str] = {}
    for operation in operations:
        if operation.kind in "CDL":
            paths[operation.inode] = operation.to or operation.path
        elif operation.kind == "R":
            paths[operation.inode] = operation.to
        yield operation, paths.get(operation.inode, "")


def _swallow(operations: Sequence[Operation], *, of: Matches, every: int = 1) -> list[Operation]:
    """Syncs of some files are not done; with `every`, one of so many is."""
    seen = 0
    left = []
    for operation, path in _with_paths(operations):
        if operation.kind == "S" and of(path):
            seen += 1
            if every == 1 or seen % every:
                continue
        left.append(operation)
    return left


def _late(operations: Sequence[Operation], *, of: Matches) -> list[Operation]:
    """A sync is done after the user was told."""
    left: list[Operation] = []
    held: list[Operation] = []
    for operation, path in _with_paths(operations):
        if operation.kind == "S" and of(path):
            held.append(operation)
            continue
        left.append(operation)
        if operation.kind == "M":
            left += held
            held.clear()
    return left + held


def _instead(operations: Sequence[Operation], *, of: Matches, other: Matches) -> list[Operation]:
    """The wrong file is synced."""
    target = next(operation.inode for operation, path in _with_paths(operations) if other(path))
    return [
        operation._replace(inode=target) if operation.kind == "S" and of(path) else operation
        for operation, path in _with_paths(operations)
    ]


def _ends(*suffixes: str) -> Matches:
    return lambda path: path.endswith(suffixes)


def _is_blob(path: str) -> bool:
    return ".blobs/" in path and ("." in path.rpartition("/")[2] or len(path.rpartition("/")[2]) > 2)


def _is_prefix(path: str) -> bool:
    return path.rpartition("/")[0].endswith(".blobs") and len(path.rpartition("/")[2]) == 2


def _is_key(path: str) -> bool:
    return path.rpartition("/")[2].lstrip(".").startswith("key")


def _is_key_folder(path: str) -> bool:
    return path.endswith("data/durable")


def _is_store_folder(path: str) -> bool:
    return path.endswith("made/by us")


def _synchronous(level: str) -> None:
    prepare = Opener._prepare

    def weaker(self: Opener, connection: sqlite3.Connection) -> None:
        prepare(self, connection)
        connection.execute(f"PRAGMA synchronous = {level}")

    replace(Opener, "_prepare", weaker)


def _journal(mode: str) -> None:
    """The rollback journal is ended in another way."""
    real = opening._set_journal_mode
    replace(opening, "_set_journal_mode", lambda connection, _: real(connection, mode))


def _no_folder_is_synced() -> None:
    for module in (files, blobs, signing):
        replace(module, "sync_directory", lambda path: None)


def _renamed_before_its_sync() -> None:
    """A large value gets its name at once, and is synced a little later."""
    write = blobs._write

    def unsynced(path: Path, pieces: list[memoryview]) -> tuple[bytes, int]:
        real = os.fsync
        replace(os, "fsync", lambda descriptor: None)
        try:
            key, held = write(path, pieces)
        finally:
            replace(os, "fsync", real)
        kept = os.open(path, os.O_RDONLY)

        def later() -> None:
            time.sleep(0.02)
            os.fsync(kept)
            os.close(kept)

        threading.Thread(target=later).start()
        return key, held

    replace(blobs, "_write", unsynced)


def _key_written_in_place() -> None:
    """The key is written where it belongs, and not synced."""

    def create(self: signing.KeyFile, data: bytes) -> None:
        files.make_folder(self.path.parent)
        descriptor = files.new_file(self.path)
        os.write(descriptor, data)
        os.close(descriptor)

    replace(signing.KeyFile, "_create", create)


def _key_rotated_in_place() -> None:
    """A new key is written over the file of the old ones."""

    def put(self: signing.KeyFile, data: bytes) -> None:
        self.path.write_bytes(data)

    replace(signing.KeyFile, "_replace", put)


def _checkpoint_resets_before_sync() -> None:
    """A checkpoint truncates the log, with a database that nobody syncs."""
    real = Link.checkpoint

    def early(self: Link) -> tuple[int, int]:
        moved = real(self)
        if self._second is not None:
            self._second.execute("PRAGMA synchronous = OFF")
            self._second.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return moved

    replace(Link, "checkpoint", early)


def _edited(edit: Callable[..., list[Operation]], kind: str = WAL, **arguments: Any) -> Bug:
    return Bug(kind, None, partial(edit, **arguments))


BUGS: Final = {
    "the log is never synced": _edited(_swallow, of=_ends("-wal")),
    "every third sync of the log only": _edited(_swallow, of=_ends("-wal"), every=3),
    "the log is synced after the user is told": _edited(_late, of=_ends("-wal")),
    "the database is synced in place of its log": _edited(_instead, of=_ends("-wal"), other=_ends("store.db")),
    "a checkpoint does not sync the database": _edited(_swallow, of=_ends("store.db")),
    "a checkpoint truncates the log too early": Bug(WAL, _checkpoint_resets_before_sync),
    "the name of the log is not synced": _edited(_swallow, of=_is_store_folder),
    "the names of new folders are not synced": Bug(WAL, _no_folder_is_synced),
    "a large value is not synced": _edited(_swallow, of=_is_blob),
    "the name of a large value is not synced": _edited(_swallow, of=_is_prefix),
    "the folder of a large value is not synced": _edited(_swallow, of=_ends(".blobs")),
    "a large value is renamed before its sync": Bug(WAL, _renamed_before_its_sync),
    "a large value is written after its row": Bug(WAL, MUTANTS["row before its blob"].plant),
    "the key is not synced": _edited(_swallow, of=_is_key),
    "the name of the key is not synced": _edited(_swallow, of=_is_key_folder),
    "the key is written in place": Bug(WAL, _key_written_in_place),
    "a new key is written over the old": Bug(WAL, _key_rotated_in_place),
    "synchronous is NORMAL": Bug(WAL, partial(_synchronous, "NORMAL")),
    "synchronous is OFF": Bug(WAL, partial(_synchronous, "OFF")),
    "acknowledged before the commit": Bug(WAL, MUTANTS["acknowledged before the commit"].plant),
    "the rollback journal is deleted, unsynced": Bug(ROLLBACK, partial(_journal, "DELETE")),
    "the rollback journal is in memory": Bug(ROLLBACK, partial(_journal, "MEMORY")),
    "the rollback journal is not synced": _edited(_swallow, ROLLBACK, of=_ends("-journal")),
    "the database is not synced before its journal is cut": _edited(_swallow, ROLLBACK, of=_ends("store.db")),
    "synchronous is NORMAL, with a rollback journal": Bug(ROLLBACK, partial(_synchronous, "NORMAL")),
}
