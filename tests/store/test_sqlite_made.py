"""A new store that two open at one moment: one makes it, the other finds nothing or all of it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable.store.sqlite.store import SqliteStore
from jupyter_durable.store.sqlite.watch import Watch

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
