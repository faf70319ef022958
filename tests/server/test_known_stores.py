"""The list of the stores that were opened, and what the package costs to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_durable.store import open_store
from jupyter_durable.store.listed import MOST, known, list_path
from jupyter_durable.store.location import default_url


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_store_is_listed_once_and_as_long_as_its_file_is_there(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.db" for name in "abc"]
    for path in [*paths, *paths]:
        open_store(url(path)).close()
    assert known() == [url(path) for path in reversed(paths)]
    assert len(list_path().read_text().splitlines()) == 3
    paths[1].unlink()
    assert known() == [url(paths[2]), url(paths[0])]


def test_the_default_store_is_known_without_being_listed_and_memory_is_not(tmp_path: Path) -> None:
    assert known() == []
    open_store(default_url()).close()
    open_store("memory:").close()
    assert known() == [default_url()]
    assert not list_path().exists()


@pytest.mark.parametrize(
    "line",
    ["", "postgresql://me:secret@host/db", "sqlite:///relative.db", "sqlite:////dev/null\0x", "\ufffd", "x" * 9000],
)
def test_a_line_that_is_no_file_is_passed_over(tmp_path: Path, line: str) -> None:
    open_store(url(tmp_path / "a.db")).close()
    with list_path().open("a") as file:
        file.write(f"{line}\n")
    assert known() == [url(tmp_path / "a.db")]


def test_a_list_that_cannot_be_written_costs_no_store(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the directory should be")
    open_store(url(tmp_path / "a.db")).close()
    assert known() == []


def test_processes_that_open_stores_at_once_lose_none(tmp_path: Path) -> None:
    source = (
        "import sys\nfrom jupyter_durable.store import open_store\n"
        "for n in range(5):\n open_store(f'{sys.argv[1]}{n}').close()"
    )
    starts = [subprocess.Popen([sys.executable, "-c", source, url(tmp_path / f"s{n}-")]) for n in range(4)]
    assert [process.wait(100) for process in starts] == [0, 0, 0, 0]
    assert len(known()) == 20 <= MOST


def test_importing_the_server_package_loads_nothing_else() -> None:
    source = "import sys, jupyter_durable_server\nprint([n for n in sys.modules if 'jupyter' in n or 'tornado' in n])"
    found = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['jupyter_durable_server']"
