"""Large values on disk: damage is always found, moved aside, and mended by writing again."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import time
from pathlib import Path
from queue import SimpleQueue

import pytest

from jupyter_durable.errors import CheckpointError, DeserializationError
from jupyter_durable.store.base import BlobLost, Filter
from jupyter_durable.store.blobs import _MOST_HELD, BlobFolder
from jupyter_durable.store.sqlite import care
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import ended, outcome, started

BUFFERS = [bytes(range(256)) * 40, b"", b"x" * 1001]


@pytest.fixture
def folder(tmp_path: Path) -> BlobFolder:
    return BlobFolder(tmp_path / "blobs")


def file_of(folder: BlobFolder, key: bytes) -> Path:
    return folder.path / key.hex()[:2] / key.hex()


def test_buffers_are_aligned_to_64_bytes(folder: BlobFolder) -> None:
    numpy = pytest.importorskip("numpy")
    key = folder.put(b"head", [b"abc", numpy.arange(100.0)])
    array = numpy.frombuffer(folder.get(key)[1][1])
    assert array.ctypes.data % 64 == 0
    assert (array == numpy.arange(100.0)).all()
    array += 1
    assert numpy.frombuffer(folder.get(key)[1][1])[0] == 0


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_anywhere_is_found(folder: BlobFolder, seed: int) -> None:
    key = folder.put(b"head" * 20, BUFFERS)
    path = file_of(folder, key)
    data = bytearray(path.read_bytes())
    # The first bytes are structure; every second seed aims there.
    bit = random.Random(seed).randrange(8 * (len(data) if seed % 2 else 100))
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    with pytest.raises(DeserializationError, match="damaged"):
        folder.get(key)


@pytest.mark.parametrize("keep", [0, 1, 23, 24, 100, 5000, -1])
def test_a_cut_file_is_found(folder: BlobFolder, keep: int) -> None:
    key = folder.put(b"head", BUFFERS)
    path = file_of(folder, key)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DeserializationError, match="damaged"):
        folder.get(key)


def test_bytes_added_and_swapped_files_are_found(folder: BlobFolder) -> None:
    one, other = folder.put(b"one", []), folder.put(b"other", [])
    os.replace(file_of(folder, other), file_of(folder, one))
    with pytest.raises(DeserializationError, match="damaged"):
        folder.get(one)
    key = folder.put(b"head", BUFFERS)
    with open(file_of(folder, key), "ab") as file:
        file.write(b"\0")
    with pytest.raises(DeserializationError, match="damaged"):
        folder.get(key)


def test_a_damaged_file_is_moved_aside_and_writing_again_repairs(folder: BlobFolder) -> None:
    key = folder.put(b"head", BUFFERS)
    path = file_of(folder, key)
    path.write_bytes(b"broken")
    with pytest.raises(DeserializationError, match=r"damaged.*\.damaged"):
        folder.get(key)
    assert path.with_name(path.name + ".damaged").read_bytes() == b"broken"
    with pytest.raises(DeserializationError, match="missing"):
        folder.get(key)
    assert folder.put(b"head", BUFFERS) == key
    assert [bytes(b) for b in folder.get(key)[1]] == BUFFERS


def test_writing_again_repairs_also_what_was_not_noticed(folder: BlobFolder) -> None:
    key = folder.put(b"head", BUFFERS)
    file_of(folder, key).write_bytes(b"broken")
    folder.put(b"head", BUFFERS)
    assert folder.get(key)[0] == b"head"


def test_files_are_private_and_no_temporary_one_stays(folder: BlobFolder) -> None:
    key = folder.put(b"head", BUFFERS)
    assert stat.S_IMODE(file_of(folder, key).stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of(folder, key).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert [path for path, _, _ in folder.files()] == [file_of(folder, key)]


def test_a_value_that_cannot_be_written_is_a_checkpoint_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="kept in memory"):
        BlobFolder(tmp_path / "blobs").put(b"head", [])


def test_a_sweep_names_what_it_has_removed_and_no_request_that_was_pinned_since_it_was_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = SqliteStore(tmp_path / "store.db"), SqliteStore(tmp_path / "store.db")
    for id in ("a", "b"):
        started(store, id).finish(ended(None, at=50.0))
    ended_before = care._ended_before

    def listed(cursor: sqlite3.Cursor, moment: float) -> list[tuple[int, str]]:
        found = ended_before(cursor, moment)
        cursor.execute("UPDATE request SET pinned = 1 WHERE id = 'b'")
        return found

    monkeypatch.setattr(care, "_ended_before", listed)
    assert store.gc(older_than=1.0, now=1000.0, dry_run=False).requests == ("a",)
    assert [row.id for row in other.requests(Filter())] == ["b"]
    store.close()
    other.close()


def test_a_sweep_takes_only_old_values_that_no_row_names(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    blobs = BlobFolder(tmp_path / "store.db.blobs")
    used, loose, young, gone = (store.put_blob(name, [b"x" * 100]) for name in (b"used", b"loose", b"young", b"gone"))
    kept, doomed = started(store, "kept"), started(store, "doomed")
    kept.record(outcome(2, blob=used, value=None))
    doomed.record(outcome(2, blob=gone, value=None))
    doomed.finish(ended(None, at=50.0))
    damaged = file_of(blobs, used)
    damaged.with_name(damaged.name + ".damaged").write_bytes(b"evidence")
    now = file_of(blobs, used).stat().st_mtime
    for key in (used, loose, gone):
        os.utime(file_of(blobs, key), (now - 90_000, now - 90_000))
    os.utime(damaged.with_name(damaged.name + ".damaged"), (now - 90_000, now - 90_000))
    would = store.gc(older_than=1.0, now=now, dry_run=True)
    assert (would.requests, would.blobs) == (("doomed",), 2)
    assert blobs.has(loose)
    assert store.gc(older_than=1.0, now=now, dry_run=False) == would
    assert [blobs.has(key) for key in (used, loose, young, gone)] == [True, False, True, False]
    assert damaged.with_name(damaged.name + ".damaged").exists()
    store.close()


def test_a_delete_takes_values_that_no_row_names_once_they_are_a_day_old(tmp_path: Path) -> None:
    """And its own at once, but not what another request names, however old that is."""
    store = SqliteStore(tmp_path / "store.db")
    blobs = BlobFolder(tmp_path / "store.db.blobs")
    own, shared, old, young = (store.put_blob(name, [b"x" * 100]) for name in (b"own", b"shared", b"old", b"young"))
    doomed, other = started(store, "doomed"), started(store, "other")
    doomed.record(outcome(2, blob=own, value=None))
    for journal in (doomed, other):
        journal.record(outcome(3, blob=shared, value=None))
    doomed.finish(ended(None, at=time.time()))
    for key, age in ((shared, 90_000), (old, 86_460), (young, 86_340)):
        os.utime(file_of(blobs, key), (time.time() - age,) * 2)
    store.delete(doomed.lease.serial)
    assert [blobs.has(key) for key in (own, shared, old, young)] == [False, True, False, True]
    store.close()


def test_a_value_that_is_written_again_while_it_is_swept_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was listed as old and loose; a call has written the same value since, and its row is about to name it."""
    store = SqliteStore(tmp_path / "store.db")
    blobs = BlobFolder(tmp_path / "store.db.blobs")
    key = store.put_blob(b"again", [b"x" * 100])
    now = file_of(blobs, key).stat().st_mtime
    os.utime(file_of(blobs, key), (now - 90_000, now - 90_000))
    files = BlobFolder.files

    def listed(self: BlobFolder) -> list[tuple[Path, int, float]]:
        found = list(files(self))
        blobs.put(b"again", [b"x" * 100])
        return found

    monkeypatch.setattr(BlobFolder, "files", listed)
    assert store.gc(older_than=1.0, now=now, dry_run=False).blobs == 0
    monkeypatch.undo()
    assert store.get_blob(key)[0] == b"again"
    assert [path.name for path, _, _ in blobs.files()] == [key.hex()]
    store.close()


def test_doctor_names_missing_and_damaged_values(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    blobs = BlobFolder(tmp_path / "store.db.blobs")
    journal = started(store)
    key = store.put_blob(b"head", [])
    journal.record(outcome(2, blob=key, value=None))
    file_of(blobs, key).write_bytes(b"broken")
    with pytest.raises(DeserializationError):
        store.get_blob(key)
    found = {finding.level: finding.text for finding in store.check()}
    assert key.hex() in found["error"]
    assert ".damaged" in found["warning"]
    store.close()


COMMITS = ("record", "post", "finish")


def committed(store: SqliteStore, how: str, key: bytes) -> None:
    """Commit a row that names a large value, in one of the ways there are. Raises what the store says."""
    journal = started(store)
    row = outcome(1 if how == "finish" else 2, 0 if how == "finish" else 1, blob=key, value=None)
    if how == "record":
        journal.record(row)
    elif how == "finish":
        journal.finish(ended(row))
    else:
        told: SimpleQueue[BaseException | None] = SimpleQueue()
        journal.post(row, told.put)
        if (error := told.get(timeout=60)) is not None:
            raise error


@pytest.mark.parametrize("how", COMMITS)
@pytest.mark.parametrize("writings", [1, 2])
def test_a_value_that_is_swept_before_its_row_commits_is_there_when_the_row_is(
    tmp_path: Path, how: str, writings: int
) -> None:
    """The clock of another process is two days ahead, or this one was stopped for as long."""
    store, other = (SqliteStore(tmp_path / "store.db") for _ in range(2))
    for _ in range(writings):
        key = store.put_blob(b"head", [b"x" * 100_000])
    assert other.gc(older_than=1.0, now=time.time() + 200_000, dry_run=False).blobs == 1
    committed(store, how, key)
    assert other.gc(older_than=1e12, now=time.time() + 200_000, dry_run=False).blobs == 0
    head, (buffer,) = other.get_blob(key)
    assert (head, bytes(buffer)) == (b"head", b"x" * 100_000)
    assert len(list(store._blobs.files())) == 1
    assert not store._blobs._held
    store.close()
    other.close()


@pytest.mark.parametrize("how", COMMITS)
def test_a_value_that_is_gone_for_good_is_not_acknowledged(tmp_path: Path, how: str) -> None:
    """An error says so, and no row names it."""
    store = SqliteStore(tmp_path / "store.db")
    key = store.put_blob(b"head", [b"x" * 100])
    store._blobs.close()
    store.gc(older_than=1.0, now=time.time() + 200_000, dry_run=False)
    with pytest.raises(BlobLost, match="executes the call again"):
        committed(store, how, key)
    assert store.children(1, 0, 0, 9) + store.children(1, 1, 0, 9) == []
    store.close()


def test_values_whose_rows_never_commit_keep_few_files_open(tmp_path: Path) -> None:
    """Calls that were given up leave theirs behind; closing the store lets go of all."""
    store = SqliteStore(tmp_path / "store.db")
    open_files = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    for number in range(_MOST_HELD + 5):
        store.put_blob(b"%d" % number, [])
    assert len(store._blobs._held) == _MOST_HELD
    store.close()
    assert not store._blobs._held
    assert not open_files or len(os.listdir("/proc/self/fd")) <= open_files
