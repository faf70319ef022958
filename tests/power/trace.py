"""What the recorder wrote: operations on files, and marks of the workload, in the order in which they happened."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final, NamedTuple

from tests.crash.witness import Event, read_log

_HEAD: Final = struct.Struct("<QQQQQ")


class Operation(NamedTuple):
    """One operation, by its letter: Directory, Create, Link, Rename, Unlink, Write, Truncate, Fallocate, Sync, Mark."""

    kind: str
    inode: int
    at: int
    """Offset of a write; size of a truncated or reserved file."""
    data: bytes
    """What was written; text of a mark."""
    path: str
    """Relative to the folder."""
    to: str


def read_trace(path: Path) -> list[Operation]:
    """All operations of a trace."""
    raw, at, found = path.read_bytes(), 0, []
    while at < len(raw):
        kind, inode, offset, first, second = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        data, to = raw[at : at + first], raw[at + first : at + first + second].decode()
        at += first + second
        holds_data = chr(kind) in "WM"
        name = "" if holds_data else data.decode()
        found.append(Operation(chr(kind), inode, offset, data if holds_data else b"", name, to))
    return found


def event(operation: Operation) -> Event | None:
    """What a mark says; None for other operations."""
    return read_log(operation.data.decode())[0] if operation.kind == "M" else None
