"""How a store is made and found: by two at one moment, one finds nothing or all of it; under one name only."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable.errors import StoreError
from jupyter_durable.store.sqlite.store import SqliteStore
from jupyter_durable.store.sqlite.watch import Watch
from tests.store.rows import new_request

LONG = 30.0


def test_a_store_that_another_one_makes_while_it_is_looked_at_is_no_foreign_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its version, whose it is and what it defines are read as of one moment."""
    SqliteStore(tmp_path / "first.db").close()  # loads what every store that is made needs
    path, failed = tmp_path / "store.db", []

    def make() -> None:
        try:
            SqliteStore(path).close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
            failed.append(error)

    other = threading.Thread(target=make)
    read = Watch.read

    def between(self: Watch, connection: Any, sql: str, values: Any = ()) -> Any:
        if sql == "PRAGMA application_id" and other.ident is None:
            other.start()
            other.join(0.5)
        return read(self, connection, sql, values)

    other.daemon = True
    monkeypatch.setattr(Watch, "read", between)
    SqliteStore(path).close()
    other.join(LONG)
    assert not failed


def _copied_whole(path: Path) -> Path:
    other = path.parent.with_name("copy")
    subprocess.run(["cp", "-al", path.parent, other], check=True)
    return other / path.name


def _linked_beside(path: Path) -> Path:
    os.link(path, path.with_name("other.db"))
    return path.with_name("other.db")


def _linked_behind_a_link(path: Path) -> Path:
    os.link(path, path.with_name("hard.db"))
    path.with_name("soft.db").symlink_to("hard.db")
    return path.with_name("soft.db")


@pytest.mark.parametrize("link", [_copied_whole, _linked_beside, _linked_behind_a_link])
def test_a_store_of_two_names_is_opened_under_neither(tmp_path: Path, link: Callable[[Path], Path]) -> None:
    """Each would have a log of its own. Who has it open is told once and goes on; what is said helps."""
    path = tmp_path / "folder" / "store.db"
    told: list[str] = []
    store = SqliteStore(path, tell=told.append)
    row, _ = store.accept(new_request())
    other = link(path)
    for name in (other, path):
        with pytest.raises(StoreError, match=r"has another name, a hard link.*mv NEW OTHER.*Nothing was opened"):
            SqliteStore(name)
    for pinned in (True, False):
        store.pin(row.serial, pinned)
    assert [text for text in told if "has another name" in text] == told[:1] != []
    store.close()
    apart = other.resolve().with_name("apart")
    shutil.copyfile(other, apart)
    apart.replace(other.resolve())
    for name in (other, path):
        opened = SqliteStore(name)
        assert opened.request("r1").id == "r1"
        opened.close()


def test_a_store_whose_maker_died_between_its_two_names_opens(tmp_path: Path) -> None:
    """It is made under a name of its own, which the maker could not remove. Other files are left alone."""
    path, left = tmp_path / "store.db", tmp_path / ".store.db.0123456789abcdef"
    path.touch()
    os.link(path, left)
    beside = [tmp_path / ".store.db.mine", tmp_path / ".store.db.0123456789abcdee"]
    for each in beside:
        each.touch()
    SqliteStore(path).close()
    assert not left.exists()
    assert all(each.exists() for each in beside)
