"""What we make is for its user alone, whatever the umask and whoever makes it first; what is there already stays."""

from __future__ import annotations

import itertools
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from typer.testing import CliRunner

from jupyter_durable.cli.app import app
from jupyter_durable.client.process import key_file
from jupyter_durable.errors import CheckpointError, DeserializationError, StoreError
from jupyter_durable.serializer.signing import KeyFile
from jupyter_durable.store import default_url, listed, open_store
from jupyter_durable.store.blobs import BlobFolder
from jupyter_durable_server.stores import Stores
from tests.store.rows import outcome, started

UMASKS = (0o000, 0o002, 0o022, 0o077, 0o777)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Jupyter data directory that nobody has made yet."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "home" / "data"))
    before = os.umask(0o022)
    yield tmp_path / "home" / "data"
    os.umask(before)


def a_key() -> None:
    key_file().keys()


def a_store(url: str = "") -> None:
    store = open_store(url or default_url())
    started(store).record(outcome(2))
    store.put_blob(b"h" * 100_000, [])
    store.close()


def a_store_elsewhere() -> None:
    a_store(f"sqlite:///{key_file().path.parent.parent.parent / 'other' / 'deep' / 'store.db'}")


def a_blob() -> None:
    BlobFolder(key_file().path.with_name("store.db.blobs")).put(b"b" * 10, [])


def a_server() -> None:
    Stores().each(lambda store: store.name)


def a_command() -> None:
    assert CliRunner().invoke(app, ["list"]).exit_code == 0


MAKERS: tuple[Callable[[], None], ...] = (a_key, a_store_elsewhere, a_store, a_blob, a_server, a_command)


def made_in_order(root: Path, umask: int, order: tuple[Callable[[], None], ...]) -> None:
    os.umask(umask)
    for make in order:
        make()
    os.umask(0o022)
    for folder, _, names in os.walk(root):
        if Path(folder) != root:
            assert (folder, oct(os.stat(folder).st_mode & 0o777)) == (folder, "0o700")
        for name in names:
            path = Path(folder, name)
            assert (str(path), oct(path.stat().st_mode & 0o777)) == (str(path), "0o600")


@pytest.mark.parametrize("umask", UMASKS)
@pytest.mark.parametrize("first", range(len(MAKERS)))
def test_folders_are_0700_and_files_0600_whoever_comes_first(data: Path, umask: int, first: int) -> None:
    made_in_order(data.parent.parent, umask, (*MAKERS[first:], *MAKERS[:first])[:3])


@pytest.mark.full
@pytest.mark.parametrize("umask", UMASKS)
@pytest.mark.parametrize("order", [*itertools.permutations(MAKERS, 3)])
def test_folders_are_0700_and_files_0600_in_every_order(
    data: Path, umask: int, order: tuple[Callable[[], None], ...]
) -> None:
    made_in_order(data.parent.parent, umask, order)


def test_a_folder_that_was_there_keeps_its_rights(data: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o775)
    data.mkdir(parents=True)
    data.chmod(0o755)
    a_store(f"sqlite:///{theirs}/store.db")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (theirs, data)] == [0o775, 0o755]
    assert stat.S_IMODE((data / "durable").stat().st_mode) == 0o700


@pytest.mark.parametrize("make", MAKERS)
def test_the_folder_of_an_earlier_version_loses_the_rights_of_others(data: Path, make: Callable[[], None]) -> None:
    """Under umask 002 it was 0775, and refused for the key from then on."""
    (data / "durable").mkdir(parents=True)
    (data / "durable").chmod(0o775)
    make()
    a_key()
    assert stat.S_IMODE((data / "durable").stat().st_mode) == 0o700


# what is no file


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        before = Path.cwd()
        os.chdir(path.parent)  # the path of a socket is short
        try:
            made.bind(path.name)
        finally:
            os.chdir(before)


def a_device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except OSError:
        pytest.skip("devices may not be made here")


def a_link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def a_link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


NO_FILES = (a_pipe, a_folder, a_socket, a_device, a_link_to_a_device, a_link_to_itself, a_link_to_a_pipe)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_in_the_place_of_a_key_is_named_with_what_to_do(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "durable"
    folder.mkdir(mode=0o700)
    make(folder / "key")
    with pytest.raises(StoreError, match=r"signing key .*key cannot be read: it is a .*not a file.*aside"):
        KeyFile(folder / "key").keys()
    own = KeyFile(tmp_path / "mine" / "key")
    with pytest.raises(StoreError, match="cannot be read: it is a "):
        own.trust(folder / "key")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_in_the_place_of_a_store_is_named_with_what_to_do(
    tmp_path: Path, make: Callable[[Path], None], suffix: str
) -> None:
    make(tmp_path / f"store.db{suffix}")
    with pytest.raises(StoreError, match=r"the store .*cannot be opened: .*(Move it aside|move aside|check)"):
        open_store(f"sqlite:///{tmp_path}/store.db")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_in_the_place_of_a_large_value_is_a_typed_error(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    blobs = BlobFolder(tmp_path / "blobs")
    key = blobs.put(b"head", [b"x" * 1000])
    (path,) = (found for found, _, _ in blobs.files())
    path.unlink()
    make(path)
    with pytest.raises(DeserializationError, match=r"is damaged; it was moved|cannot be read"):
        blobs.get(key)
    if path.is_symlink():
        path.unlink()
    assert blobs.put(b"head", [b"x" * 1000]) == key
    assert blobs.get(key)[0] == b"head"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_folder_in_the_place_of_the_large_values_is_a_typed_error(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    if make is a_folder:
        return
    make(tmp_path / "blobs")
    with pytest.raises(CheckpointError, match=r"large value could not be written.*move aside what stands there"):
        BlobFolder(tmp_path / "blobs").put(b"head", [])


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [a_pipe, a_folder, a_device, a_link_to_a_pipe])
def test_what_is_no_file_in_the_place_of_the_list_of_stores_stops_nobody(
    data: Path, make: Callable[[Path], None]
) -> None:
    a_key()
    make(data / "durable" / "stores")
    a_store_elsewhere()
    assert listed.known() == []


def test_a_link_to_where_no_store_is_yet_makes_a_private_one(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "store.db")
    os.umask(0o002)
    a_store(f"sqlite:///{tmp_path}/link.db")
    assert stat.S_IMODE((tmp_path / "real" / "store.db").stat().st_mode) == 0o600
    assert (tmp_path / "link.db").is_symlink()


_AS_NOBODY = """
import os, sys
from pathlib import Path
from jupyter_durable.errors import StoreError
from jupyter_durable.serializer.signing import KeyFile
os.setuid(65534)
try:
    KeyFile(Path(sys.argv[1])).keys()
except StoreError as error:
    print(error)
"""


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that others can look into; those of pytest are its user's alone."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_key_that_its_user_may_not_read_or_make_says_what_to_do(open_to_all: Path) -> None:
    home = open_to_all / "home"
    home.mkdir()
    home.chmod(0o500)
    os.chown(home, 65534, 65534)

    def said(path: Path) -> str:
        done = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, path], capture_output=True, text=True, check=False, cwd=Path.cwd()
        )
        return done.stdout + done.stderr

    assert "cannot be written: Permission denied; check the permissions" in said(home / "key")
    (home / "key").write_bytes(b"k" * 32)
    (home / "key").chmod(0)
    os.chown(home / "key", 65534, 65534)
    assert "cannot be read: Permission denied; check the permissions" in said(home / "key")


def test_a_key_on_a_full_disk_is_an_error_and_leaves_no_half_of_one(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from jupyter_durable.serializer.signing import KeyFile\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))\n"
        "KeyFile(Path(sys.argv[1])).keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "durable" / "key"], capture_output=True, text=True, check=False
    )
    assert "StoreError: the signing key" in done.stderr
    assert "free some space" in done.stderr
    assert list((tmp_path / "durable").iterdir()) == []
