"""What the tests of stores share: a PostgreSQL server, started by the first test that asks for a database."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.store.database import Server, running

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One of this worker."""
    yield from running()


@pytest.fixture
def database(server: Server) -> str:
    """URL of a store that is not there yet, in a schema of its own: to make a database takes half a second."""
    return f"{server.url}&schema=t{next(_NUMBERS)}"


@pytest.fixture
def psql(server: Server, database: str) -> Iterator[Callable[..., list]]:
    """Asks the database beside the store."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"SET search_path = {database.rpartition('=')[2]}")

        def ask(sql: str, *values: object) -> list:
            cursor = connection.execute(sql, values or None)
            return cursor.fetchall() if cursor.description is not None else []

        yield ask
