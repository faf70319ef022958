"""A server for the tests of a file; each test has a namespace of its own in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_durable.store import open_store
from jupyter_durable.store.base import Store
from tests.server_app.serving import Serving
from tests.store.database import Server, running

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    server = Serving(tmp_path_factory.mktemp("server")).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server of this worker."""
    yield from running()


@pytest.fixture
def namespace() -> str:
    return f"test-{next(_numbers)}"


@pytest.fixture
def another(
    serving: Serving, namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[], Store]]:
    """Opens the store of the test's own namespace, as often as it is called."""
    monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", serving.token("admin", namespace))
    opened: list[Store] = []

    def another() -> Store:
        opened.append(open_store(serving.url))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


@pytest.fixture
def store(another: Callable[[], Store]) -> Store:
    return another()
