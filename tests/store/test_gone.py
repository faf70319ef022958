"""A store whose files are deleted, replaced or moved under a running process says so, and what is open can be kept."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_durable.core.model import ROOT
from jupyter_durable.errors import SDKUsageError, StoreError, StoreGone
from jupyter_durable.store.sqlite.link import CHECKPOINT_EVERY
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import ME, ended, mark, new_request, new_run, outcome, started

LARGE = b"x" * 100_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A store with a running request of 20 calls, one of them with a large value."""
    made = SqliteStore(path)
    yield made
    made.close()


def deleted(path: Path) -> None:
    path.unlink()


def deleted_with_its_log(path: Path) -> None:
    for each in path.parent.glob("store.db*"):
        if each.is_file():
            each.unlink()


def folder_deleted(path: Path) -> None:
    shutil.rmtree(path.parent)


def replaced(path: Path) -> None:
    with sqlite3.connect(path.with_name("new")) as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    path.with_name("new").replace(path)


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def moved(path: Path) -> None:
    path.rename(path.with_name("old.db"))


def folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def folder_replaced(path: Path) -> None:
    folder_moved(path)
    path.parent.mkdir()
    SqliteStore(path).close()


def log_deleted(path: Path) -> None:
    path.with_name("store.db-wal").unlink()


def log_replaced(path: Path) -> None:
    log_deleted(path)
    path.with_name("store.db-wal").touch()


def index_deleted(path: Path) -> None:
    path.with_name("store.db-shm").unlink()


def values_deleted(path: Path) -> None:
    shutil.rmtree(path.with_name("store.db.blobs"))


WAYS: dict[Callable[[Path], None], str] = {
    deleted: "was deleted while it was in use",
    deleted_with_its_log: "was deleted while it was in use",
    folder_deleted: "was deleted while it was in use",
    replaced: "was replaced by another file while it was in use",
    replaced_by_a_folder: "was replaced by another file",
    moved: r"was moved to .*/old\.db while it was in use",
    folder_moved: r"was moved to .*/elsewhere/store\.db while",
    folder_replaced: r"was replaced by another file .*open here is .*/elsewhere/store\.db now",
    log_deleted: r"its write-ahead log .*store\.db-wal was deleted or moved while",
    log_replaced: r"its write-ahead log .*store\.db-wal was replaced while",
    index_deleted: r"the index of its log .*store\.db-shm was deleted or moved while",
    values_deleted: r"the folder of large values .*store\.db\.blobs was deleted or moved",
}
REMEDY = r".*Stopped: request r1\..*Put it back.*%durable copy NEW"


@pytest.mark.parametrize("way", WAYS)
def test_whoever_renews_ends_or_begins_is_told_what_happened_and_what_to_do(
    store: SqliteStore, path: Path, way: Callable[[Path], None]
) -> None:
    journal = started(store)
    store.put_blob(LARGE, [])
    journal.record(outcome(2))
    way(path)
    told = WAYS[way] + REMEDY
    with pytest.raises(StoreGone, match=told):
        journal.renew(200.0)
    with pytest.raises(StoreGone, match=told):
        journal.record(outcome(3))
    with pytest.raises(StoreGone, match=told):
        journal.record(outcome(3), [mark(9)])
    with pytest.raises(StoreGone, match=told):
        journal.finish(ended(outcome(ROOT, 0)))
    with pytest.raises(StoreGone, match=told):
        store.accept(new_request("r2"))


@pytest.mark.parametrize("way", WAYS)
def test_an_end_is_not_acknowledged_into_nothing(store: SqliteStore, path: Path, way: Callable[[Path], None]) -> None:
    journal = started(store)
    store.put_blob(LARGE, [])
    way(path)
    with pytest.raises(StoreGone, match=WAYS[way]):
        journal.finish(ended(outcome(ROOT, 0)))


def test_a_request_does_not_begin_in_a_store_that_is_gone(store: SqliteStore, path: Path) -> None:
    row, _ = store.accept(new_request())
    deleted(path)
    with pytest.raises(StoreGone, match=r"was deleted while it was in use.* Nothing was begun\."):
        store.begin(row.serial, ME, new_run(), 100.0)


@pytest.mark.parametrize("grouped", [False, True])
def test_at_the_latest_a_checkpoint_sees_it(store: SqliteStore, path: Path, grouped: bool) -> None:
    journal = started(store)
    deleted(path)
    acknowledged = 0

    def record_until_refused() -> None:
        nonlocal acknowledged
        for identity in range(2, 10 * CHECKPOINT_EVERY):
            journal.record(outcome(identity), [mark(5000 + identity)] if grouped else ())
            acknowledged += 1

    with pytest.raises(StoreGone, match="was deleted"):
        record_until_refused()
    assert acknowledged < 2 * CHECKPOINT_EVERY
    assert len(store.children(journal.lease.serial, 1, 0, 9999)) >= acknowledged


@pytest.mark.parametrize("way", WAYS)
def test_what_is_open_is_kept_with_its_large_values_and_goes_on_elsewhere(
    store: SqliteStore, path: Path, tmp_path: Path, way: Callable[[Path], None]
) -> None:
    journal = started(store)
    blob = store.put_blob(LARGE, [])
    journal.record(outcome(2, value=None, blob=blob))
    for identity in range(3, 50):
        journal.record(outcome(identity))
    way(path)
    with pytest.raises(StoreGone):
        journal.renew(200.0)
    assert store.unkept()
    copied = store.copy(tmp_path / "kept" / "new.db")
    assert not store.unkept()
    lost = way in (folder_deleted, values_deleted)
    assert copied.missing == int(lost)
    kept = SqliteStore(tmp_path / "kept" / "new.db")
    assert {row.identity for row in kept.children(journal.lease.serial, 1, 0, 999)} == set(range(2, 50))
    assert lost or kept.get_blob(blob)[0] == LARGE
    assert {finding.level for finding in kept.check()} == ({"ok", "error"} if lost else {"ok"})
    row = kept.request("r1")
    again = kept.journal(kept.begin(row.serial, ME, new_run(50.0), 100.0, epoch=row.epoch))
    again.record(outcome(60))
    again.finish(ended(outcome(ROOT, 0)))
    assert kept.request("r1").status == "succeeded"
    modes = {oct(each.stat().st_mode & 0o777) for each in (tmp_path / "kept").rglob("*") if each.is_file()}
    assert modes == {"0o600"}
    kept.close()


def test_a_file_that_is_put_back_goes_on(store: SqliteStore, path: Path) -> None:
    journal = started(store)
    path.rename(path.with_name("aside"))
    with pytest.raises(StoreGone):
        journal.renew(200.0)
    with pytest.raises(StoreGone):
        journal.record(outcome(2))
    path.with_name("aside").rename(path)
    journal.renew(200.0)
    journal.record(outcome(2))
    journal.record(outcome(3), [mark(4)])
    journal.finish(ended(outcome(ROOT, 0)))
    assert not store.gone()


def test_a_link_that_leads_elsewhere_is_told_from_a_file_that_was_replaced(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "one.db")
    store = SqliteStore(link)
    journal = started(store)
    SqliteStore(tmp_path / "two.db").close()
    link.unlink()
    link.symlink_to(tmp_path / "two.db")
    with pytest.raises(StoreGone, match=r"link\.db leads to .*two\.db now, the store that is in use is .*one\.db"):
        journal.finish(ended(outcome(ROOT, 0)))
    store.close()


def test_a_copy_replaces_nothing_and_leaves_nothing_half_done(store: SqliteStore, tmp_path: Path) -> None:
    started(store)
    taken = tmp_path / "taken.db"
    taken.write_text("mine")
    with pytest.raises(SDKUsageError, match="there already"):
        store.copy(taken)
    assert taken.read_text() == "mine"
    with pytest.raises(StoreError, match="could not be copied"):
        store.copy(taken / "below.db")


def test_a_store_in_use_can_be_copied_as_it_is(store: SqliteStore, tmp_path: Path) -> None:
    journal = started(store)
    journal.record(outcome(2))
    store.copy(tmp_path / "copy.db")
    journal.record(outcome(3))
    copy = SqliteStore(tmp_path / "copy.db")
    assert [row.identity for row in copy.children(journal.lease.serial, 1, 0, 9)] == [2]
    copy.close()


_OTHER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import outcome, started
store = SqliteStore(Path(sys.argv[1]))
journal = started(store, "other")
for identity in range(2, 100):
    journal.record(outcome(identity))
print("ready", flush=True)
sys.stdin.readline()
for identity in range(100, 150):
    journal.record(outcome(identity))
store.close()
again = SqliteStore(Path(sys.argv[1]))
print(len(again.children(journal.lease.serial, 1, 0, 999)), again.check()[-1].text)
"""


@pytest.mark.parametrize("way", [deleted, deleted_with_its_log, folder_deleted, folder_moved])
def test_two_processes_of_which_one_has_a_new_store_at_the_same_path_do_not_harm_each_other(
    store: SqliteStore, path: Path, tmp_path: Path, way: Callable[[Path], None]
) -> None:
    """The second makes a new store where the first one's was: neither reads the other's log, nor removes it."""
    journal = started(store)
    for identity in range(2, 50):
        journal.record(outcome(identity))
    way(path)
    command = [sys.executable, "-c", _OTHER, str(path), str(Path.cwd())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        with pytest.raises(StoreGone, match="was replaced by another file"):
            journal.renew(200.0)
        store.copy(tmp_path / "kept.db")
        store.close()
        said, _ = other.communicate("go on\n", timeout=60)
    assert said.startswith("148 integrity check passed"), said
    kept = SqliteStore(tmp_path / "kept.db")
    assert len(kept.children(journal.lease.serial, 1, 0, 999)) == 48
    kept.close()
