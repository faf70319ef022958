"""A server whose database is restarted: clients wait, what was acknowledged is there, and once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_durable.store import open_store
from jupyter_durable.store.base import Filter
from jupyter_durable.testing.conformance.rows import new_request, outcome, started
from tests.server_app.load import flaws, write_all
from tests.server_app.serving import PATIENCE, Serving
from tests.store.database import Server, running

IMPATIENT = """
import pathlib, sys
from jupyter_durable.server.serving import serve
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.store.postgres import link
link.PATIENCE_SECONDS = 0.0
serve(ServerSettings(pathlib.Path(sys.argv[1]), store=sys.argv[2], port=0),
      lambda text: print(text, file=sys.stderr, flush=True))
"""
"""A server that asks a database that does not answer once: each outage is one that took longer than its patience."""


@pytest.fixture
def database() -> Iterator[Server]:
    """One for the test alone, which stops it."""
    yield from running()


@pytest.fixture
def own(database: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    folder = tmp_path / "server"
    server = Serving(folder, command=[sys.executable, "-c", IMPATIENT, str(folder), database.url]).start()
    monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", server.token("admin"))
    yield server
    server.kill()


def test_reads_and_large_values_wait_for_a_database_that_is_restarted(own: Serving, database: Server) -> None:
    waits = threading.Event()
    store = open_store(own.url, lambda text: waits.set())
    journal = started(store)
    journal.record(outcome(2))
    name = store.put_blob(b"head", [b"x" * 100])
    asks = {
        "list": lambda: [row.id for row in store.requests(Filter())],
        "accept": lambda: store.accept(new_request("r2"))[1],
        "record": lambda: journal.record(outcome(3)),
        "read": lambda: store.get_blob(name)[0],
        "write": lambda: store.put_blob(b"other", [b"y" * 100]) != name,
    }
    database.stop()
    found: dict[str, object] = {}

    def ask(what: str) -> None:
        try:
            found[what] = asks[what]()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is to tell
            found[what] = error

    threads = [threading.Thread(target=ask, args=(what,)) for what in asks]
    for thread in threads:
        thread.start()
    assert waits.wait(PATIENCE)
    assert found == {}, own.log
    database.start()
    for thread in threads:
        thread.join(PATIENCE)
    ids = found.pop("list")
    assert set(ids) in ({"r1"}, {"r1", "r2"})  # type: ignore[call-overload]
    assert found == {"accept": True, "record": None, "read": b"head", "write": True}
    store.close()


def test_a_database_that_is_killed_again_and_again_loses_nothing_and_has_nothing_twice(
    own: Serving, database: Server
) -> None:
    store = open_store(own.url)
    failures: list[BaseException] = []
    more = threading.Semaphore(0)
    worker = threading.Thread(target=lambda: failures.extend(write_all(store, 3, 150, more.release)))
    worker.start()
    for how in (signal.SIGQUIT, signal.SIGINT, signal.SIGQUIT, signal.SIGINT, signal.SIGQUIT):
        for _ in range(60):
            assert more.acquire(timeout=PATIENCE)
        database.stop(how)
        database.start()
    worker.join(PATIENCE)
    assert failures == []
    assert flaws(store, 3, 150) == []
    store.close()
