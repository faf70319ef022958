"""What a disk may hold after the power was cut: built from recorded operations, for two models of a file system.

posix    Nothing is durable without a sync: of the file for its bytes and its size, of the directory for a name in it.
         What was not synced may be lost, kept, or torn at sectors, each write and each name for itself, in any order.
ordered  As ext4 with data=ordered: names and sizes become durable in the order in which they were changed; a sync of a
         file whose name or size has changed makes all of them durable that came before; a file's bytes are there
         before its size is, and before a rename of it. Bytes that are written over others may be lost, kept or torn.

Rules of this file
- A file is an object; an inode number may be given again. A name maps to a file; a directory is a file without bytes.
- `Disk.draw` chooses one image; the same random numbers give the same one. It never changes the disk.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final, NamedTuple

from tests.power.trace import Operation

POSIX: Final = "posix"
ORDERED: Final = "ordered"
MODELS: Final = (POSIX, ORDERED)
SECTORS: Final = (512, 4096)
FATES: Final = ("lost", "kept", "some", "torn", "first")
"""What becomes of a file's unsynced operations: none, all, any, any sectors of any, those before some moment."""
_SHARED_INDEX: Final = "-shm"


class Change(NamedTuple):
    """An operation on a file's bytes that was not synced yet."""

    number: int
    kind: str
    at: int
    data: bytes


class Naming(NamedTuple):
    """An operation on one directory that was not synced yet."""

    number: int
    folder: str
    names: dict[str, File | None]
    moved: File | None
    """What a rename gave a new name."""


class File:
    """Bytes that are durable, and what was done since."""

    def __init__(self, *, folder: bool = False) -> None:
        self.folder = folder
        self.durable = bytearray()
        self.pending: list[Change] = []
        self.size = 0
        """With all that is pending."""
        self.resized = True
        """Since the last sync; a new file counts as resized."""


def _apply(data: bytearray, kind: str, at: int, written: bytes) -> None:
    if kind == "W":
        end = at + len(written)
        if len(data) < at:
            data.extend(bytes(at - len(data)))
        data[at:end] = written
    elif kind == "T" and at < len(data):
        del data[at:]
    elif at > len(data):
        data.extend(bytes(at - len(data)))


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


class Disk:
    """A disk of a model, to which operations are done one after the other."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.done = 0
        self._inodes: dict[int, File] = {}
        self._folders: dict[int, str] = {}
        self._live: dict[str, File] = {}
        self._names: dict[str, File] = {}
        """Those that are durable."""
        self._pending: list[Naming] = []

    def do(self, operation: Operation) -> None:
        """Do the next operation."""
        self.done += 1
        kind = operation.kind
        if kind == "S":
            self._sync(operation.inode)
        elif kind in "WTF":
            file = self._inodes.get(operation.inode)
            if file is not None:
                self._change(file, operation)
        elif kind in "CDLRU" and not operation.path.endswith(_SHARED_INDEX):
            self._name(operation)

    def _change(self, file: File, operation: Operation) -> None:
        file.pending.append(Change(self.done, operation.kind, operation.at, operation.data))
        end = operation.at + len(operation.data)
        size = operation.at if operation.kind == "T" else max(file.size, end)
        file.resized |= size != file.size
        file.size = size

    def _name(self, operation: Operation) -> None:
        kind, path, to = operation.kind, operation.path, operation.to
        if kind == "D" and not path:  # the folder itself was there before
            self._inodes[operation.inode] = File(folder=True)
            self._folders[operation.inode] = ""
            return
        file = self._inodes.get(operation.inode)
        if kind in "CD" or file is None:
            file = self._inodes[operation.inode] = File(folder=kind == "D")
            if kind == "D":
                self._folders[operation.inode] = path
        changes: dict[str, File | None] = {to or path: None if kind == "U" else file}
        if kind == "R":
            changes = {path: None, to: file}
        for name, given in changes.items():
            self._live.pop(name, None)
            if given is not None:
                self._live[name] = given
        for folder in {_parent(name): None for name in changes}:
            inside = {name: given for name, given in changes.items() if _parent(name) == folder}
            self._pending.append(Naming(self.done, folder, inside, file if kind == "R" else None))

    def _sync(self, inode: int) -> None:
        file = self._inodes.get(inode)
        if file is None:
            return
        folder = self._folders.get(inode) if file.folder else None
        for change in file.pending:
            _apply(file.durable, change.kind, change.at, change.data)
        file.pending.clear()
        if self.model == POSIX:
            self._settle([naming for naming in self._pending if naming.folder == folder])
        elif file.resized or file.folder or any(file in naming.names.values() for naming in self._pending):
            self._settle(list(self._pending))
        file.resized = False

    def _settle(self, namings: list[Naming]) -> None:
        for naming in namings:
            self._pending.remove(naming)
            _rename(self._names, naming)

    def draw(self, draw: random.Random) -> dict[str, bytes | None]:
        """One image: the bytes of each file by its path; None for a directory."""
        names = dict(self._names)
        limit = draw.choice((self.done, 0, draw.randint(0, self.done)))
        fate = draw.choice(FATES)
        kept = []
        for naming in self._pending:
            if naming.number <= limit if self.model == ORDERED or fate == "first" else _is_kept(fate, draw):
                _rename(names, naming)
                kept.append(naming)
        moved = {id(naming.moved): naming.number for naming in kept if naming.moved is not None}
        there = {path: file for path, file in names.items() if _reached(path, names)}
        contents: dict[int, bytes] = {}
        for file in there.values():
            if not file.folder and id(file) not in contents:
                contents[id(file)] = self._bytes(file, draw, limit, moved.get(id(file), 0))
        return {path: None if file.folder else contents[id(file)] for path, file in sorted(there.items())}

    def _bytes(self, file: File, draw: random.Random, limit: int, moved: int) -> bytes:
        if not file.pending:
            return bytes(file.durable)
        fate, sector = draw.choice(FATES), draw.choice(SECTORS)
        data = bytearray(file.durable)
        if self.model == ORDERED:
            _draw_ordered(data, file.pending, fate, sector, draw, limit, moved)
        else:
            _draw_posix(data, file.pending, fate, sector, draw)
        return bytes(data)


def _rename(names: dict[str, File], naming: Naming) -> None:
    for name, given in naming.names.items():
        if given is None:
            names.pop(name, None)
        else:
            names[name] = given


def _reached(path: str, names: dict[str, File]) -> bool:
    while path := _parent(path):
        if path not in names:
            return False
    return True


def _is_kept(fate: str, draw: random.Random) -> bool:
    return fate == "kept" or (fate not in ("lost", "kept") and draw.random() < 0.5)


def _torn(data: bytearray, change: Change, sector: int, draw: random.Random) -> None:
    """Some of the sectors that a write touches."""
    at, end = change.at, change.at + len(change.data)
    while at < end:
        to = min(end, (at // sector + 1) * sector)
        if draw.random() < 0.5:
            _apply(data, "W", at, change.data[at - change.at : to - change.at])
        at = to


def _draw_posix(data: bytearray, pending: Iterable[Change], fate: str, sector: int, draw: random.Random) -> None:
    changes = list(pending)
    last = draw.randrange(len(changes))
    for place, change in enumerate(changes):
        if change.kind == "W" and (fate == "torn" or (fate == "first" and place == last)):
            _torn(data, change, sector, draw)
        elif place < last if fate == "first" else _is_kept(fate, draw):
            _apply(data, change.kind, change.at, change.data)


def _draw_ordered(
    data: bytearray, pending: Iterable[Change], fate: str, sector: int, draw: random.Random, limit: int, moved: int
) -> None:
    changes = list(pending)
    grown = draw.choice((changes[-1].number, 0, draw.choice(changes).number))
    """Up to here the file's growth has reached the disk."""
    end: int | None = None
    """Where a truncation that did not reach the disk begins: what was written behind it since is nowhere."""
    for change in changes:
        sure = change.number < moved
        if change.kind == "T":
            if sure or change.number <= limit:
                _apply(data, "T", change.at, b"")
            else:
                end = change.at if end is None else min(end, change.at)
            continue
        if change.kind == "F":
            continue  # blocks that hold nothing yet
        written = change.data if end is None else change.data[: max(0, end - change.at)]
        inside = max(0, min(len(written), len(data) - change.at))
        over, behind = written[:inside], written[inside:]
        if sure or _is_kept(fate, draw):
            _apply(data, "W", change.at, over)
        elif fate == "torn":
            _torn(data, change._replace(data=over), sector, draw)
        if behind and (sure or change.number <= grown):
            _apply(data, "W", change.at + inside, behind)
