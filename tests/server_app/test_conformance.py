"""The store behind a server keeps the laws of every store: over SQLite and over PostgreSQL, through a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_durable.testing.conformance import SharedStoreConformance
from tests.server_app.serving import Serving
from tests.store.database import Server


class TestHttpOverSqlite(SharedStoreConformance):
    """`store` and `another` are fixtures of this folder."""


class TestHttpOverPostgres(SharedStoreConformance):
    """The same, and the server keeps each namespace in a schema of its own."""

    @pytest.fixture(scope="class")
    @classmethod
    def serving(cls, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
        own = Serving(tmp_path_factory.mktemp("server"), "--store", f"{server.url}&schema={{namespace}}").start()
        yield own
        own.kill()
