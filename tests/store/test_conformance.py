"""Every store against the one suite, and the suite against stores that break its laws."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from jupyter_durable.core.model import CallRow, Lease, Write
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Store
from jupyter_durable.store.memory import MemoryJournal, MemoryStore
from jupyter_durable.testing.conformance import SharedStoreConformance, StoreConformance, broken_laws
from tests.store.rows import new_request

Another = Callable[[], Store]


class TestMemory(StoreConformance):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = open_store("memory:")
        yield store
        store.close()


class TestSqlite(SharedStoreConformance):
    @pytest.fixture
    def another(self, tmp_path: Path) -> Iterator[Another]:
        opened: list[Store] = []

        def another() -> Store:
            opened.append(open_store(f"sqlite:///{tmp_path}/private/store.db"))
            return opened[-1]

        yield another
        for store in opened:
            store.close()

    @pytest.fixture
    def store(self, another: Another) -> Store:
        return another()


class Careless(MemoryStore):
    """Breaks laws: writes of those who lost the request are taken."""

    def journal(self, lease: Lease) -> MemoryJournal:
        return CarelessJournal(self, lease)


class CarelessJournal(MemoryJournal):
    def record(self, row: CallRow, writes: Sequence[Write] = ()) -> None:
        self.lease = self.lease._replace(epoch=self._store.request(self.lease.id).epoch)
        super().record(row, writes)


def test_a_store_that_takes_the_writes_of_those_who_lost_the_request_breaks_the_laws_of_that() -> None:
    broken = {law for law, _ in broken_laws(StoreConformance, Careless)}
    assert "take over fences the old owner in every verb" in broken
    assert "an id is given once" not in broken


def test_a_store_with_requests_is_not_held_to_the_laws(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    store = open_store(url)
    store.accept(new_request("mine"))
    with pytest.raises(SDKUsageError, match="mine"):
        broken_laws(StoreConformance, lambda: open_store(url))
    assert store.request("last").id == "mine"
    store.close()


def test_the_command_says_which_laws_are_kept_and_which_are_broken(tmp_path: Path) -> None:
    kept = run_suite(f"sqlite:///{tmp_path}/store.db")
    assert (kept.returncode, kept.stderr) == (0, "")
    assert "kept    who takes over elsewhere fences the owner here" in kept.stdout
    assert kept.stdout.endswith("all laws are kept\n")
    broken = run_suite("--alone", "tests.store.test_conformance:Careless")
    assert broken.returncode == 1
    assert "BROKEN  take over fences the old owner in every verb" in broken.stdout
    assert run_suite("no_such_module:open").returncode == 2
    assert run_suite("ftp://host/store").returncode == 2


def run_suite(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyter_durable.testing.conformance", *arguments],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
