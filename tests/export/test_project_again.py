"""Exporting into a directory again, and what an error or a kill leaves there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_durable.errors import ExportError
from jupyter_durable.export.project import Plan, plan, write
from jupyter_durable.export.selection import Piece
from jupyter_durable.export.writing import folder
from tests.conftest import ROOT
from tests.export.selections import brief_selection

MODULE = "src/made/application.py"


@pytest.fixture(scope="module")
def first() -> Plan:
    return plan(brief_selection(), "server", "made")


@pytest.fixture(scope="module")
def second() -> Plan:
    """The notebook has changed: one constant is another, and what the environment example holds is gone."""
    usual = brief_selection()
    pieces = [
        replace(each, text="RATE = 5") if isinstance(each, Piece) and each.binds == ("RATE",) else each
        for each in usual.pieces
    ]
    made = plan(replace(usual, pieces=pieces), "server", "made")
    return replace(made, files={path: data for path, data in made.files.items() if path != ".env.example"})


@pytest.fixture
def directory(tmp_path: Path, first: Plan) -> Path:
    """A directory with the first export in it."""
    write(first, tmp_path / "project")
    return tmp_path / "project"


def content(directory: Path) -> dict[str, bytes]:
    """All files below a directory, and below the one that it is in, where exports are prepared."""
    around = directory.parent
    return {path.relative_to(around).as_posix(): path.read_bytes() for path in around.rglob("*") if path.is_file()}


def test_exporting_the_same_again_changes_nothing(directory: Path, first: Plan) -> None:
    before = {path: os.stat(directory / path).st_mtime_ns for path in first}
    written = write(first, directory)
    assert (*written.created, *written.updated, *written.removed, *written.kept) == ()
    assert before == {path: os.stat(directory / path).st_mtime_ns for path in first}


def test_what_is_as_it_was_written_is_updated_and_what_is_gone_removed(directory: Path, second: Plan) -> None:
    (directory / "notes.txt").write_text("mine")
    written = write(second, directory)
    assert written.updated == (MODULE,)
    assert written.removed == (".env.example",)
    assert "RATE = 5" in (directory / MODULE).read_text()
    assert not (directory / ".env.example").exists()
    assert (directory / "notes.txt").read_text() == "mine"
    assert list(directory.parent.iterdir()) == [directory]


def test_what_was_edited_is_never_written_over_and_the_difference_is_shown(directory: Path, second: Plan) -> None:
    text = (directory / MODULE).read_text()
    (directory / MODULE).write_text(text.replace("RATE = 3", "RATE = 4  # mine"))
    before = content(directory)
    with pytest.raises(ExportError, match="--force") as caught:
        write(second, directory)
    assert content(directory) == before
    assert f"--- {MODULE} (there)" in caught.value.message
    assert "-RATE = 4  # mine\n+RATE = 5" in caught.value.message


def test_a_long_difference_is_shortened(directory: Path, second: Plan) -> None:
    (directory / MODULE).write_text("\n".join(map(str, range(10_000))))
    with pytest.raises(ExportError, match="more lines") as caught:
        write(second, directory)
    assert caught.value.message.count("\n") < 60


def test_force_writes_over_edits(directory: Path, second: Plan) -> None:
    (directory / MODULE).write_text("# mine")
    assert MODULE in write(second, directory, force=True).updated
    assert "RATE = 5" in (directory / MODULE).read_text()
    assert write(second, directory).updated == ()


def test_an_edit_of_what_would_be_written_as_before_stays(directory: Path, second: Plan) -> None:
    """A README that was made better does not stand in the way of every later export."""
    (directory / "README.md").write_text("# Better")
    written = write(second, directory)
    assert written.kept == ("README.md",)
    assert (directory / "README.md").read_text() == "# Better"
    assert write(second, directory).kept == ("README.md",)


def test_a_file_that_is_no_longer_written_stays_when_it_was_edited(directory: Path, second: Plan) -> None:
    (directory / ".env.example").write_text("MINE=\n")
    assert write(second, directory).kept == (".env.example",)
    assert (directory / ".env.example").read_text() == "MINE=\n"


def test_a_file_of_somebody_else_in_the_way_is_not_written_over(tmp_path: Path, first: Plan) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "README.md").write_text("of another project")
    with pytest.raises(ExportError, match="README"):
        write(first, tmp_path / "project")
    assert content(tmp_path / "project") == {"project/README.md": b"of another project"}


def test_a_directory_in_the_way_is_told(directory: Path, second: Plan) -> None:
    (directory / MODULE).unlink()
    (directory / MODULE).mkdir()
    before = content(directory)
    with pytest.raises(ExportError):
        write(second, directory)
    assert content(directory) == before


def test_a_damaged_manifest_is_told(directory: Path, second: Plan) -> None:
    (directory / ".durable-export.json").write_text("{")
    with pytest.raises(ExportError, match=r"\.durable-export\.json"):
        write(second, directory)


def test_the_manifest_names_no_place_and_no_time(directory: Path) -> None:
    said = json.loads((directory / ".durable-export.json").read_text())
    assert set(said) == {"format", "target", "notebook", "files"}
    assert str(directory.parent) not in json.dumps(said)


class Refusing:
    """Lets so many files be put into their place, and then fails as a full or broken disk does."""

    def __init__(self, after: int, error: BaseException) -> None:
        self._left = after
        self._error = error
        self._replace = os.replace

    def __call__(self, source: os.PathLike[str], target: os.PathLike[str]) -> None:
        if self._left == 0 and ".durable-export-" not in str(target):
            self._left = -1
            raise self._error
        if ".durable-export-" not in str(target):
            self._left -= 1
        self._replace(source, target)


@pytest.mark.parametrize("after", range(3))
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_between_two_files_puts_back_what_was_there(
    directory: Path, second: Plan, after: int, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Dockerfile", "README.md"):  # to be written, too
        (directory / name).unlink()
    before = content(directory)
    monkeypatch.setattr(os, "replace", Refusing(after, error))
    with pytest.raises((ExportError, KeyboardInterrupt)):
        write(second, directory)
    assert content(directory) == before


KILLED = """
import os, pickle, signal, sys
from jupyter_durable.export.writing import folder
files, removed, directory, after = pickle.loads(bytes.fromhex(sys.argv[1]))
replace, rename, seen = os.replace, os.rename, 0
def killing(way):
    def act(*args):
        global seen
        if seen == after:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
        way(*args)
    return act
os.replace, os.rename = killing(replace), killing(rename)
folder.put(files, removed, directory)
"""


def killed(files: dict[str, bytes], removed: list[str], directory: Path, after: int) -> int:
    """Put files into a directory in a process that is killed before a rename; its exit status."""
    import pickle

    given = pickle.dumps((files, removed, directory, after)).hex()
    return subprocess.run([sys.executable, "-c", KILLED, given], cwd=ROOT, check=False).returncode


@pytest.mark.parametrize(
    "after", [0, pytest.param(1, marks=pytest.mark.full), 2, pytest.param(3, marks=pytest.mark.full)]
)
def test_what_a_kill_left_is_put_back_before_the_next_export(directory: Path, second: Plan, after: int) -> None:
    before = content(directory)
    files = {"Dockerfile": b"FROM x", MODULE: b"half", "new/file": b"new"}
    status = killed(files, [".env.example"], directory, after)
    assert status == -signal.SIGKILL
    folder.restore(directory)
    assert content(directory) == before
    write(second, directory)
    assert "RATE = 5" in (directory / MODULE).read_text()


def test_exports_into_one_directory_at_once_take_turns(directory: Path, first: Plan, second: Plan) -> None:
    """What stands there in the end is one of them, whole, and nothing that was prepared is left."""
    with ThreadPoolExecutor(6) as pool:
        for each in [pool.submit(write, (first, second)[n % 2], directory, force=True) for n in range(18)]:
            each.result()
    found = content(directory)
    for path in [path for path in found if path.endswith(".durable-export.json")]:
        del found[path]
    assert found in [{f"project/{path}": data for path, data in each.files.items()} for each in (first, second)]


def test_an_edit_that_comes_after_the_look_is_not_written_over(
    directory: Path, second: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = folder._write

    def edited_meanwhile(path: Path, data: bytes) -> None:
        (directory / MODULE).write_text("# mine")
        prepare(path, data)

    monkeypatch.setattr(folder, "_write", edited_meanwhile)
    before = {path: data for path, data in content(directory).items() if not path.endswith(MODULE)}
    with pytest.raises(ExportError, match=r"was changed .* while the export was being written"):
        write(second, directory)
    after = content(directory)
    assert after.pop(f"project/{MODULE}") == b"# mine"
    assert after == before


def test_a_new_directory_appears_whole_or_not_at_all(tmp_path: Path, first: Plan) -> None:
    place = tmp_path / "project"
    assert killed(dict(first.files), [], place, 0) == -signal.SIGKILL
    assert not place.exists()
    write(first, place)
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing can be made."""
    if os.geteuid() == 0:
        (tmp_path / "file").write_text("")
        yield tmp_path / "file"
        return
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    yield folder
    shutil.rmtree(folder)


def test_a_place_that_cannot_be_written_is_told(closed: Path, first: Plan) -> None:
    with pytest.raises(ExportError, match="nothing was"):
        write(first, closed / "project")
