"""A bit of the write-ahead log that turned: what was acknowledged after it is not dropped without a word."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from jupyter_durable.errors import StoreError
from jupyter_durable.store.base import Filter
from jupyter_durable.store.sqlite.frames import lost_commits
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import outcome, started

CALLS = 150
_FRAME = 24 + 4096
_MADE = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import outcome, started
store = SqliteStore(Path(sys.argv[1]))
journal = started(store)
for identity in range(2, 2 + int(sys.argv[3])):
    journal.record(outcome(identity))
os._exit(0)
"""


class Crashed(NamedTuple):
    """The files that a kill left behind."""

    store: bytes
    log: bytes


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Crashed:
    path = tmp_path_factory.mktemp("crashed") / "store.db"
    subprocess.run([sys.executable, "-c", _MADE, path, Path.cwd(), str(CALLS)], check=True)
    return Crashed(path.read_bytes(), path.with_name("store.db-wal").read_bytes())


def found(folder: Path, store: bytes, log: bytes) -> int | str:
    """How many calls the store holds when it is opened, or the error."""
    path = folder / "store.db"
    for each in folder.glob("store.db*"):
        each.unlink()
    path.write_bytes(store)
    path.with_name("store.db-wal").write_bytes(log)
    try:
        opened = SqliteStore(path)
    except StoreError as error:
        return str(error)
    try:
        return len(opened.children(1, 1, 0, 9999)) if opened.requests(Filter(limit=1)) else 0
    finally:
        opened.close()


def flipped(log: bytes, bit: int) -> bytes:
    turned = bytearray(log)
    turned[bit // 8] ^= 1 << bit % 8
    return bytes(turned)


def commits(log: bytes, frame: int) -> bool:
    """Whether a frame ends a commit."""
    return any(log[32 + frame * _FRAME + 4 : 32 + frame * _FRAME + 8])


def seen(folder: Path, crashed: Crashed, bits: list[int]) -> None:
    unseen = 0
    for bit in bits:
        result = found(folder, crashed.store, flipped(crashed.log, bit))
        if isinstance(result, str):
            assert "commits in it cannot be read back" in result, (bit, result)
        else:
            assert result >= CALLS - 1, f"bit {bit}: {CALLS - result} acknowledged calls were dropped silently"
            unseen += result < CALLS
    assert unseen <= 3 + len(bits) // 20, "more than what hit the last commit"


def test_a_bit_of_the_log_that_turned_is_an_error_unless_it_is_of_the_last_commit(
    tmp_path: Path, crashed: Crashed
) -> None:
    """In its header, in the frames that hold the schema, in the marks of a commit of several frames, and anywhere."""
    draw = random.Random(5)
    end = next(n for n in range(100, 235) if not commits(crashed.log, n - 1) and commits(crashed.log, n))
    bits = [(32 + (end - before) * _FRAME + at) * 8 for before in range(3) for at in (0, 4, 8, 13, 16, 24)]
    bits += [*range(0, 256, 37), 120, *(draw.randrange(256, 20 * _FRAME * 8) for _ in range(8))]
    seen(tmp_path, crashed, bits + [draw.randrange(len(crashed.log) * 8) for _ in range(20)])


@pytest.mark.full
@pytest.mark.timeout(900)
def test_every_bit_of_the_header_and_three_thousand_others(tmp_path: Path, crashed: Crashed) -> None:
    draw = random.Random(6)
    seen(tmp_path, crashed, [*range(256), *(draw.randrange(len(crashed.log) * 8) for _ in range(3000))])


def test_what_a_crash_leaves_of_a_log_is_no_damage(tmp_path: Path, crashed: Crashed) -> None:
    """It ends anywhere, its last pages are empty, or the header of its next round is half written."""
    draw = random.Random(7)
    path = tmp_path / "log"
    last = len(crashed.log) // _FRAME
    logs = [crashed.log, b"", crashed.log[:20], crashed.log[:32]]
    logs += [crashed.log[: draw.randrange(32, len(crashed.log))] for _ in range(10)]
    logs += [crashed.log[: 32 + n * _FRAME] + bytes(3 * _FRAME) for n in range(last - 3, last)]
    for log in logs:
        result = found(tmp_path, crashed.store, log)
        assert isinstance(result, int), result
    for each in tmp_path.glob("store.db*"):
        each.unlink()
    store = tmp_path / "store.db"
    store.write_bytes(crashed.store)
    store.with_name("store.db-wal").write_bytes(crashed.log)
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        moved = connection.serialize()
    number, salt = (int.from_bytes(crashed.log[at : at + 4]) + 1 for at in (12, 16))
    began = crashed.log[:12] + number.to_bytes(4) + salt.to_bytes(4) + draw.randbytes(12)
    for size in range(16, 32):
        path.write_bytes(began[:size] + crashed.log[size:])
        assert lost_commits(path, 0, lambda: moved) == 0, size


def test_a_log_that_is_removed_while_it_is_looked_at_is_no_damage(tmp_path: Path, crashed: Crashed) -> None:
    """SQLite does so where a journal that came back empties the store: the power failed while the store was made."""
    journal = bytes.fromhex("d9d505f920a163d7") + (0xFFFFFFFF).to_bytes(4) + bytes(8) + (512).to_bytes(4)
    tmp_path.joinpath("store.db-journal").write_bytes((journal + (4096).to_bytes(4)).ljust(512, b"\0"))
    tmp_path.joinpath("store.db").write_bytes(crashed.store)
    tmp_path.joinpath("store.db-wal").write_bytes(crashed.log[: 32 + _FRAME])
    SqliteStore(tmp_path / "store.db").close()


def test_it_is_told_once_and_the_damaged_log_is_kept(tmp_path: Path, crashed: Crashed) -> None:
    """The store opens again without repair, with what was before the damage."""
    damaged = flipped(crashed.log, (32 + 100 * _FRAME + 500) * 8)
    assert "cannot be read back" in str(found(tmp_path, crashed.store, damaged))
    (kept,) = tmp_path.glob("store.db-wal.damaged-*")
    assert kept.read_bytes() == damaged
    assert oct(kept.stat().st_mode & 0o777) == "0o600"
    store = SqliteStore(tmp_path / "store.db")
    assert 0 < len(store.children(1, 1, 0, 9999)) < CALLS
    assert any("damaged" in finding.text for finding in store.check() if finding.level == "warning")
    store.close()


def test_everybody_who_opens_it_later_is_told_while_the_damaged_log_is_there(tmp_path: Path, crashed: Crashed) -> None:
    """The error was for the first; who opens it next, who only reads, and who names it by a link hear of it, too."""
    (tmp_path / "link.db").symlink_to(tmp_path / "store.db")
    damaged = flipped(crashed.log, (32 + 100 * _FRAME + 500) * 8)
    assert "cannot be read back" in str(found(tmp_path, crashed.store, damaged))
    (kept,) = tmp_path.glob("store.db-wal.damaged-*")
    for name, limit in (("store.db", None), ("store.db", None), ("store.db", lambda: 5.0), ("link.db", None)):
        told: list[str] = []
        SqliteStore(tmp_path / name, tell=told.append, limit=limit).close()
        (text,) = told
        assert str(kept) in text
        assert "execute again" in text
    kept.rename(tmp_path / "looked at")
    told.clear()
    SqliteStore(tmp_path / "store.db", tell=told.append).close()
    assert told == []


def test_a_live_process_reads_its_own_log_as_it_is(tmp_path: Path) -> None:
    """A second one that opens the store beside it finds all, and nothing to complain of."""
    first = SqliteStore(tmp_path / "store.db")
    journal = started(first)
    for identity in range(2, 50):
        journal.record(outcome(identity))
    second = SqliteStore(tmp_path / "store.db")
    assert len(second.children(1, 1, 0, 999)) == 48
    journal.record(outcome(60))
    assert len(second.children(1, 1, 0, 999)) == 49
    second.close()
    first.close()
