"""How long a server keeps what ended, by its clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from jupyter_durable.core.model import ROOT
from jupyter_durable.server.app import create_app
from jupyter_durable.server.applications.ledger import Ledger, NewRequest
from jupyter_durable.server.applications.records import Deployed, Manifest, Outcome
from jupyter_durable.server.applications.service import Applications
from jupyter_durable.server.retention import Retention
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.server.state import Server
from jupyter_durable.server.tokens import TokenFile
from jupyter_durable.store.base import Filter, Store
from jupyter_durable.testing.conformance.rows import ended as finish
from jupyter_durable.testing.conformance.rows import outcome, started

DAY = 24 * 3600.0
MANIFEST = Manifest.model_validate({"name": "app", "tags": {"team": "blue"}, "entrypoint": {"function_name": "app"}})
DONE = Outcome("succeeded", "success", output=b"1", content_type="application/json")


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    TokenFile(tmp_path).create("default", "write", 0.0, None)
    return create_app(ServerSettings(tmp_path))


@pytest.fixture
def server(app: FastAPI) -> Iterator[Server]:
    with TestClient(app):
        yield app.state.server


@pytest.fixture
def store(server: Server) -> Store:
    return server.namespaces.store("default")


@pytest.fixture
def ledger(server: Server) -> Ledger:
    made: Ledger = server.kept[Applications].ledger
    made.deploy(Deployed("default", "app", "v1", MANIFEST, 1.0), b"code")
    return made


def sweep(server: Server, now: float) -> int:
    return Retention(server, 30 * DAY, lambda: now).sweep()


def ended(store: Store, id: str, at: float) -> None:
    """A request that ended then."""
    started(store, id, accepted_at=at).finish(finish(outcome(ROOT, 0), at=at))


def left(store: Store) -> set[str]:
    return {row.id for row in store.requests(Filter())}


def accept(ledger: Ledger, id: str, ended_at: float | None) -> None:
    ledger.accept(NewRequest(id, "default", "app", "v1", 1.0, None, {}, []))
    if ended_at is not None:
        ledger.end(id, DONE, ended_at)


def test_what_ended_long_ago_goes_and_what_is_pinned_or_may_go_on_stays(server: Server, store: Store) -> None:
    ended(store, "old", 1.0)
    ended(store, "new", 2 * DAY)
    ended(store, "pinned", 1.0)
    store.pin(store.request("pinned").serial, True)
    started(store, "running")
    assert sweep(server, 30 * DAY) == 0
    assert sweep(server, 31 * DAY) == 1
    assert left(store) == {"new", "pinned", "running"}
    assert sweep(server, 33 * DAY) == 1
    assert left(store) == {"pinned", "running"}


def test_requests_of_applications_leave_store_and_ledger_and_their_versions_stay(
    server: Server, store: Store, ledger: Ledger
) -> None:
    for id in ("old", "pinned"):
        ended(store, id, 1.0)
        accept(ledger, id, 1.0)
    accept(ledger, "never begun", 1.0)
    accept(ledger, "young", 2 * DAY)
    store.pin(store.request("pinned").serial, True)
    assert sweep(server, 31 * DAY) == 2
    assert left(store) == {"pinned"}
    assert [id for id in ("old", "never begun", "pinned", "young") if ledger.request(id)] == ["pinned", "young"]
    assert ledger.versions("default", "app")[0].manifest.tags == {"team": "blue"}


def test_a_request_that_waits_to_run_again_keeps_its_checkpoints(server: Server, store: Store, ledger: Ledger) -> None:
    """The store has it as ended until a worker begins."""
    ended(store, "again", 1.0)
    accept(ledger, "again", None)
    assert sweep(server, 31 * DAY) == 0
    assert left(store) == {"again"}


def test_a_replay_that_comes_first_wins(server: Server, store: Store, ledger: Ledger, monkeypatch: Any) -> None:
    ended(store, "raced", 1.0)
    accept(ledger, "raced", 1.0)
    found = Ledger.request

    def replayed(self: Ledger, id: str) -> Any:
        was = found(self, id)
        self.replay(id, "v1", strict=False)
        return was

    monkeypatch.setattr(Ledger, "request", replayed)
    assert sweep(server, 31 * DAY) == 0
    monkeypatch.undo()
    assert left(store) == {"raced"}
    assert ledger.request("raced") is not None


def test_namespaces_without_a_store_get_none_and_one_that_is_gone_holds_up_no_other(
    server: Server, store: Store, tmp_path: Path
) -> None:
    for name in ("unused", "broken"):
        server.tokens.create(name, "read", 0.0, None)
    broken = tmp_path / "namespaces" / "broken"
    broken.mkdir(mode=0o700)
    (broken / "store.db").write_bytes(b"not a store" * 1000)
    ended(store, "old", 1.0)
    assert sweep(server, 31 * DAY) == 1
    assert not (tmp_path / "namespaces" / "unused").exists()


def test_a_server_sweeps_when_it_starts_if_it_was_told_to(tmp_path: Path) -> None:
    TokenFile(tmp_path).create("default", "write", 0.0, None)
    for keep, ids in ((None, {"old"}), (60.0, set())):
        app = create_app(ServerSettings(tmp_path, keep_ended=keep))
        with TestClient(app):
            store = app.state.server.namespaces.store("default")
            if keep is None:
                ended(store, "old", time.time() - 61)
            end = time.monotonic() + 60
            while left(store) != ids:
                assert time.monotonic() < end
                time.sleep(0.01)
