"""Commits that stand in a write-ahead log and that SQLite does not read back.

SQLite reads a log up to the first frame whose checksum is wrong, and drops the rest without a word: after a crash that
is what was being written. But a commit is synced before the next one is written, so a frame that was written after the
end of a dropped commit says that the dropped one was durable, and that the log was damaged since. Each frame's checksum
goes on from that of the frame before it, as it stands there: so a good frame after a damaged one can be told.

Rules of this file
- The log is read, never written. It carries no locks, so that opening it costs none.
- What a crash can leave is no damage: a last commit that is not whole, frames of before the log began anew, a header
  of which only a part was written. So damage of the last commit of all is not seen. A header that may be one or the
  other tells by the store: before the next round begins, all of this one is in it.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from blake3 import blake3

from jupyter_durable.files import new_file, open_file, sync_directory
from jupyter_durable.records import NamedTuple

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = 0x377F0682 | (sys.byteorder == "big")
_VERSION: Final = 3007000
_WORD: Final = 0xFFFFFFFF
_PAGES: Final = frozenset(1 << power for power in range(9, 17))
_FLIPPED: Final = 8
"""Bits that differ at most between a header that was damaged and the one it was; more: another one was half written."""
Sum = tuple[int, int]


class _Frame(NamedTuple):
    commit: bool
    salts: Sum
    checksum: Sum
    data: bytes
    """What the checksum is over."""


def file_size(path: str) -> int:
    """Bytes of a file; 0 when there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def lost_commits(log: Path, recovered: int, stored: Callable[[], bytes]) -> int:
    """How many commits stand after the first `recovered` frames though later ones were written; 0 for a good log.

    `stored` reads all pages of the store without its log. The caller keeps others from writing. Raises `OSError`.
    """
    try:
        descriptor = open_file(log)
    except FileNotFoundError:  # SQLite removes that of a store without a page: the power failed while it was made
        return 0
    with os.fdopen(descriptor, "rb") as file:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return 0
        page = _HEADER.unpack(header)[2]
        page = page if page in _PAGES else 4096
        salts = _salts(header, file, page, stored)
        if salts is None or (recovered and salts != _HEADER.unpack(header)[4:6]):
            return 0
        file.seek(_HEADER.size + recovered * (_FRAME.size + page))
        return _lost(file, page, salts)


def _lost(file: BinaryIO, page: int, salts: Sum) -> int:
    before = _next(file, page)  # the damaged one, or one of its commit
    commits, odd, proved = int(before is not None and before.commit), 0, False
    while before is not None:
        frame = _next(file, page)
        if frame is None or (frame.salts != salts and before.salts != salts):
            break  # two in a row are of an earlier round; one is damaged
        if frame.salts != salts:
            odd = int(frame.commit)
        else:
            proved = proved or (before.commit and checksum(frame.data, before.checksum) == frame.checksum)
            commits, odd = commits + odd + frame.commit, 0
        before = frame
    return max(1, commits) if proved else 0


def _next(file: BinaryIO, page: int) -> _Frame | None:
    head, content = file.read(_FRAME.size), file.read(page)
    if len(content) < page:
        return None
    _, size, first, second, *summed = _FRAME.unpack(head)
    return _Frame(size != 0, (first, second), (summed[0], summed[1]), head[:8] + content)


def _salts(header: bytes, file: BinaryIO, page: int, stored: Callable[[], bytes]) -> Sum | None:
    """What the frames of this log are marked with; None where its header is one that was being written."""
    *_, first, second, one, two = _HEADER.unpack(header)
    if checksum(header[:24], (0, 0)) == (one, two) and header[:8] == struct.pack(">2I", _MAGIC, _VERSION):
        return first, second
    frame = _next(file, page)
    if frame is None:
        return None
    sequence = _HEADER.unpack(header)[3]
    if _differs(header, page, (sequence - 1) & _WORD, frame.salts) <= _FLIPPED:
        # Either the next round had begun to write its header, or a bit of the number of this one turned.
        return None if _all_in(stored(), file, page, frame.salts) else frame.salts
    numbers = (sequence, *(sequence ^ 1 << bit for bit in range(32)))
    damaged = min(_differs(header, page, each, frame.salts) for each in numbers) <= _FLIPPED
    return frame.salts if damaged else None


def _all_in(stored: bytes, file: BinaryIO, page: int, salts: Sum) -> bool:
    """Whether all that the commits of a log wrote is in the store."""
    file.seek(_HEADER.size)
    newest: dict[int, bytes] = {}
    begun: dict[int, bytes] = {}
    size = 0
    while (frame := _next(file, page)) is not None and frame.salts == salts:
        number, pages = struct.unpack(">2I", frame.data[:8])
        begun[number] = frame.data[8:]
        if frame.commit:
            newest |= begun
            begun, size = {}, pages
    return all(stored[(number - 1) * page : number * page] == data for number, data in newest.items() if number <= size)


def _differs(header: bytes, page: int, sequence: int, salts: Sum) -> int:
    """In how many bits a header is another than that of a log of this number and these salts."""
    was = struct.pack(">6I", _MAGIC, _VERSION, page, sequence, *salts)
    was += struct.pack(">2I", *checksum(was, (0, 0)))
    return (int.from_bytes(was) ^ int.from_bytes(header)).bit_count()


def checksum(data: bytes, before: Sum) -> Sum:
    """SQLite's, going on from `before`, over words in the order of this machine."""
    one, two = before
    words = iter(struct.unpack(f"={len(data) // 4}I", data))
    for first in words:
        one = (one + first + two) & _WORD
        two = (two + next(words) + one) & _WORD
    return one, two


def kept_logs(store: Path) -> list[str]:
    """What is told, while they stand beside it, to whoever opens a store whose damaged logs were kept."""
    return [
        f"results that were recorded in the store {store} are missing: its log was damaged, and is kept as {path}. The "
        "calls that are missing execute again. Move that file away to be told no more"
        for path in kept_beside(store)
    ]


def kept_beside(store: Path) -> list[str]:
    """Paths of the damaged logs of a store that were kept."""
    folder, name = os.path.split(os.path.realpath(store))
    try:
        found = os.listdir(folder)
    except OSError:
        found = []
    return sorted(os.path.join(folder, each) for each in found if each.startswith(f"{name}-wal.damaged-"))


def kept_aside(log: Path) -> Path | None:
    """A copy of a damaged log; None when there is one already. Raises `OSError`."""
    with os.fdopen(open_file(log), "rb") as file:
        data = file.read()
    aside = log.with_name(f"{log.name}.damaged-{blake3(data).hexdigest(4)}")
    try:
        descriptor = new_file(aside)
    except FileExistsError:
        return None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    sync_directory(aside.parent)
    return aside
