"""Records in a PostgreSQL database, one at a time and in groups, against the same rows by bare psycopg.

Rules of this file
- The server is that of the tests: on this machine, a socket, every commit synced. A network adds its way to each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.measure import Figure, Size, paired
from jupyter_durable.core.model import CallRow
from jupyter_durable.store import open_store
from jupyter_durable.testing.conformance.rows import outcome, started
from tests.store.database import Server


class Bare:
    """The table of the calls once more, and nothing of ours."""

    def __init__(self, url: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        self._connection.execute("CREATE TABLE bare (LIKE jupyter_durable.call INCLUDING ALL)")
        self._insert = f"INSERT INTO bare VALUES (1, {', '.join(['%s'] * len(CallRow._fields))})"

    def record(self, row: CallRow) -> None:
        """INSERT and COMMIT."""
        self._connection.execute(self._insert, row)

    def together(self, rows: list[CallRow]) -> None:
        """All in one transaction, sent without waiting."""
        with self._connection.transaction():
            self._connection.cursor().executemany(self._insert, rows)

    def close(self) -> None:
        self._connection.close()


def run(size: Size, _: Path) -> list[Figure]:
    """Needs Debian's server (apt-get install postgresql)."""
    server = Server()
    try:
        return _figures(size, server.url)
    finally:
        server.close()


def _figures(size: Size, url: str) -> list[Figure]:
    store = open_store(url)
    journal, bare = started(store), Bare(url)
    number = [1]
    singles: dict[str, list[float]] = {"ours": [], "bare": []}

    def fresh(count: int) -> list[CallRow]:
        number[0] += count
        return [outcome(number[0] - n, value=b"v" * 100) for n in range(count)]

    def one_by_one(name: str, record: Callable[[CallRow], None]) -> float:
        rows = fresh(size.block)
        for row in rows:
            start = time.perf_counter()
            record(row)
            singles[name].append(time.perf_counter() - start)
        return sum(singles[name][-size.block :]) / size.block

    def grouped(write: Callable[[list[CallRow]], None]) -> float:
        rows = fresh(size.items)
        start = time.perf_counter()
        write(rows)
        return (time.perf_counter() - start) / size.items

    def posted(rows: list[CallRow]) -> None:
        for row in rows:
            journal.post(row, _acknowledged)
        journal.flush()

    pairs = paired(
        {
            "bare": lambda: one_by_one("bare", bare.record),
            "ours": lambda: one_by_one("ours", journal.record),
            "bare group": lambda: grouped(bare.together),
            "our group": lambda: grouped(posted),
        },
        max(2, size.rounds // 3),
    )
    bare.close()
    store.close()
    return [
        _figure("a record, median", statistics.median(singles["ours"]), statistics.median(singles["bare"]),
                pairs.ratio("ours", "bare")),
        _figure("a record, p99", _p99(singles["ours"]), _p99(singles["bare"]), None),
        _figure(f"a record of {size.items:,} posted", pairs.median("our group"), pairs.median("bare group"),
                pairs.ratio("our group", "bare group")),
    ]  # fmt: skip


def _figure(name: str, value: float, floor: float, ratio: float | None) -> Figure:
    return Figure(
        "database", f"{name} ({1 / value:,.0f}/s)", value * 1e6, "us", None, floor * 1e6, "bare psycopg", ratio
    )


def _acknowledged(error: BaseException | None) -> None:
    if error is not None:
        raise error


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]
