"""Files that are damaged, foreign, newer, full, read-only, on a network; and what this process does to its own."""

from __future__ import annotations

import gzip
import os
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from jupyter_durable.core.model import ROOT
from jupyter_durable.errors import CheckpointError, SDKUsageError, StoreError, StoreVersionError
from jupyter_durable.store import default_url, open_store
from jupyter_durable.store.location import data_directory
from jupyter_durable.store.mounts import filesystem_of
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import ME, ended, new_request, new_run, outcome, started

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def filled(path: Path, calls: int = 50) -> None:
    """A closed store with one ended request."""
    store = SqliteStore(path)
    journal = started(store)
    for identity in range(2, 2 + calls):
        journal.record(outcome(identity, value=b"v" * 300))
    journal.finish(ended(outcome(ROOT, 0)))
    store.close()


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh interpreter; its output."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


# files that are not as they should be


def test_a_file_that_is_no_database_is_named_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is a text file, long enough to have a header\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"store\.db is damaged.*aside.*doctor"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_unchanged(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_newer_store_is_refused_unchanged(path: Path) -> None:
    filled(path)
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(StoreVersionError, match=r"schema 99.*upgrade"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == before


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_store_gives_typed_errors_only(path: Path, seed: int) -> None:
    filled(path)
    data = bytearray(path.read_bytes())
    draw = random.Random(seed)
    for _ in range(3):
        start = draw.randrange(0 if seed % 4 == 0 else 100, len(data) - 600)
        data[start : start + 600] = draw.randbytes(600)
    path.write_bytes(data if seed % 3 else data[: len(data) // 2])
    try:
        store = open_store(f"sqlite:///{path}")
    except StoreError:
        assert path.exists()
        return
    try:
        levels = {finding.level for finding in store.check()}
        for use in (lambda: store.request("last"), lambda: store.children(1, 1, 0, 100), lambda: store.runs(1)):
            try:
                use()
            except (StoreError, SDKUsageError):
                continue
        assert "error" in levels or store.children(1, 1, 0, 100)
    finally:
        store.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="another path"):
        open_store(f"sqlite:///{tmp_path}/file/store.db")


def test_a_directory_in_the_place_of_the_file_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a directory, not a file"):
        open_store(f"sqlite:///{tmp_path}")


_FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from jupyter_durable.errors import CheckpointError
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import mark, outcome, started
store = SqliteStore(Path(sys.argv[1]))
journal = started(store)
def limit(size):
    if sys.argv[3] == "rlimit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
limit(400_000)
acknowledged, refused = [], None
for identity in range(2, 5000):
    row = outcome(identity, value=b"v" * 5000)
    try:
        journal.later(mark(identity))
        journal.record(row, [] if identity % 3 else [mark(10_000 + identity)])
    except CheckpointError as error:
        assert "kept in memory" in str(error), error
        refused = row
        break
    acknowledged.append(identity)
assert refused is not None and len(acknowledged) > 3, len(acknowledged)
for _ in range(3):
    try:
        journal.record(refused)
    except CheckpointError:
        continue
    assert sys.argv[3] == "tmpfs"
    break
assert {row.identity for row in store.children(journal.lease.serial, 1, 0, 9999)} >= set(acknowledged)
if sys.argv[3] == "rlimit":
    limit(resource.RLIM_INFINITY)
else:
    Path(sys.argv[1]).with_name("ballast").unlink()
if store.call(journal.lease.serial, 1, refused.identity) != refused:
    journal.record(refused)
for identity in range(20_000, 20_050):
    journal.record(outcome(identity, value=b"v" * 5000))
journal.flush()
found = {row.identity for row in store.children(journal.lease.serial, 1, 0, 99999)}
assert found >= {*acknowledged, refused.identity, *range(20_000, 20_050)}
assert all(finding.level == "ok" for finding in store.check())
store.close()
print("held", len(acknowledged))
"""


def test_a_file_that_may_not_grow_loses_nothing_and_goes_on_when_it_may(path: Path) -> None:
    done = run_python(_FULL, path, Path.cwd(), "rlimit")
    assert done.stdout.startswith("held"), done.stderr


def test_a_full_disk_loses_nothing_and_goes_on_when_space_returns(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=5m", "none", str(mount)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (mount / "ballast").write_bytes(bytes(3_000_000))
        done = run_python(_FULL, mount / "store.db", Path.cwd(), "tmpfs")
    finally:
        subprocess.run(["umount", str(mount)], check=True)
    assert done.stdout.startswith("held"), done.stderr


def test_a_read_only_store_lists_or_says_so_and_is_not_written(tmp_path: Path) -> None:
    folder, mount = tmp_path / "folder", tmp_path / "mount"
    folder.mkdir()
    mount.mkdir()
    filled(folder / "store.db")
    made = subprocess.run(["mount", "--bind", "-o", "ro", str(folder), str(mount)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(StoreError, match=r"is read-only here.*copy store\.db,.*to a place that you can write"):
            SqliteStore(mount / "store.db")
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_store_that_turns_read_only_is_a_checkpoint_error(path: Path) -> None:
    store = SqliteStore(path)
    journal = started(store)
    store._link.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(CheckpointError, match="read-only"):
        journal.record(outcome(2))
    store._link.connection.execute("PRAGMA query_only = OFF")
    journal.record(outcome(2))
    store.close()


# what this process does to its own files


def test_files_are_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = SqliteStore(tmp_path / "private" / "store.db")
        started(store).record(outcome(2))
    finally:
        os.umask(old)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "private").iterdir()}
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700
    store.close()


_AUDIT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from jupyter_durable.store import open_store
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
from tests.store.rows import ended, outcome, started
store = open_store(f"sqlite:///{sys.argv[1]}")
journal = started(store)
for identity in range(2, 300):
    journal.record(outcome(identity))
store.put_blob(b"h", [])
journal.finish(ended(None))
store.check(), store.size(), store.gc(older_than=0, now=1e9, dry_run=False)
store.close()
print([name for name in opened if name.endswith(("store.db", "-wal", "-shm"))])
"""


def test_the_live_files_are_opened_by_sqlite_only(path: Path) -> None:
    done = run_python(_AUDIT, path, Path.cwd())
    assert done.stdout.strip() == "[]", done.stderr


_LAZY = """
import sys
sys.path.insert(0, sys.argv[2])
from jupyter_durable.store import open_store
store = open_store(f"sqlite:///{sys.argv[1]}")
store.close()
print("jupyter_durable.store.migrations" in sys.modules)
"""


def test_the_migrations_are_imported_for_a_new_store_only(path: Path) -> None:
    assert run_python(_LAZY, path, Path.cwd()).stdout.strip() == "True"
    assert run_python(_LAZY, path, Path.cwd()).stdout.strip() == "False"


def test_two_processes_create_one_store(path: Path) -> None:
    code = _LAZY + "print('made')"
    both = [
        subprocess.Popen([sys.executable, "-c", code, path, Path.cwd()], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert all("made" in process.communicate(timeout=100)[0] for process in both)


# network file systems


def test_on_a_network_file_system_there_is_no_wal_and_one_notice(path: Path) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        store = SqliteStore(path, network=True)
        journal = started(store)
        for identity in range(2, 150):
            journal.record(outcome(identity))
    (notice,) = told
    assert re.search("network file system.*remote backend", str(notice.message))
    assert store._link.connection.execute("PRAGMA journal_mode").fetchone() == ("truncate",)
    assert store._link.connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert not path.with_name("store.db-wal").exists()
    store.close()


MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /home rw shared:2 - nfs4 server:/home rw
31 30 0:27 / /home/me/local\040disk rw - xfs /dev/vdb rw
32 22 0:28 / /mnt/over rw - ext4 /dev/x rw
33 22 0:29 / /mnt/over rw - fuse.sshfs me@there: rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/x", "ext4"),
        ("/home/me/x", "nfs4"),
        ("/home", "nfs4"),
        ("/homes/x", "ext4"),
        ("/home/me/local disk/x", "xfs"),
        ("/mnt/over/x", "fuse.sshfs"),
    ],
)
def test_the_innermost_and_last_mount_counts(path: str, expected: str) -> None:
    assert filesystem_of(path, MOUNTS) == expected


def test_without_mounts_nothing_is_known() -> None:
    assert filesystem_of("/x", "") == ""


# URLs and places


@pytest.mark.parametrize(
    "url", ["", "store.db", "sqlite:", "sqlite://", "sqlite:///", "memory", "memory:x", "redis://x"]
)
def test_what_is_no_store_url_is_refused(url: str) -> None:
    with pytest.raises(SDKUsageError, match="sqlite:///PATH"):
        open_store(url)


@pytest.mark.parametrize("place", ["example.org:1", "[fe80::1]:9", "example.org"])
def test_what_is_offered_for_a_way_that_others_can_read_is_the_same_place(place: str) -> None:
    with pytest.raises(SDKUsageError) as refused:
        open_store(f"http://{place}")
    assert f"http+insecure://{place} if" in str(refused.value)


def test_three_slashes_are_relative_and_four_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relative = open_store("sqlite:///here.db")
    absolute = open_store(relative.url)
    relative.accept(new_request("r1"))
    assert absolute.request("r1").id == "r1"
    assert relative.url == f"sqlite:///{tmp_path}/here.db"
    relative.close()
    absolute.close()


def test_the_default_store_lies_where_jupyter_keeps_its_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jupyter_core = pytest.importorskip("jupyter_core.paths")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    assert default_url() == f"sqlite:///{tmp_path}/durable/store.db"
    monkeypatch.delenv("JUPYTER_DATA_DIR")
    for name, value in (("XDG_DATA_HOME", str(tmp_path)), ("XDG_DATA_HOME", ""), ("JUPYTER_PLATFORM_DIRS", "1")):
        monkeypatch.setenv(name, value)
        assert data_directory(os.environ, sys.platform, Path.home()) == Path(jupyter_core.jupyter_data_dir())


def test_other_platforms_have_their_places() -> None:
    home = Path("/home/me")
    assert data_directory({}, "darwin", home) == home / "Library/Jupyter"
    assert data_directory({"APPDATA": "/roaming"}, "win32", home) == Path("/roaming/jupyter")
    assert data_directory({}, "win32", home) == home / ".jupyter/data"


# stores of released versions


def test_a_store_of_schema_1_opens_lists_and_goes_on(path: Path) -> None:
    with gzip.open(FIXTURES / "v1.db.gz") as packed, open(path, "wb") as file:
        shutil.copyfileobj(packed, file)
    store = SqliteStore(path)
    row = store.request("last")
    assert (row.id, row.status, row.error, row.idempotency_key) == ("v1-failed", "failed", "it failed", "key")
    calls = store.children(row.serial, ROOT, 0, 100)
    assert [call.status for call in calls] == ["succeeded"] * 9 + ["failed"]
    assert calls[0] == outcome(2)
    assert (len(store.reached(row.serial, 1)), len(store.decided(row.serial, 1))) == (1, 1)
    assert (len(store.runs(row.serial)), len(store.attempts(row.serial, 11)), len(store.logs(row.serial))) == (1, 1, 1)
    assert (len(store.progress(row.serial)), len(store.metrics(row.serial))) == (1, 1)
    journal = store.journal(store.begin(row.serial, ME, new_run(50.0, set_aside=((1, 2),)), 100.0))
    assert journal.lease.next_identity == 12
    journal.record(outcome(11, pass_no=2 << 16))
    journal.finish(ended(outcome(ROOT, 0, pass_no=2 << 16)))
    assert store.request("v1-failed").status == "succeeded"
    assert {finding.level for finding in store.check()} == {"ok"}
    store.close()
