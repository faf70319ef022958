"""One column of one row of a store becomes something else: nothing, another row's value, another type, an extreme."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from jupyter_durable.store.migrations import VERSIONS


def columns_of(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """The columns of all tables."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        for table in tables
        if not table.startswith("sqlite_")
    }


def all_columns() -> list[tuple[str, str]]:
    """Each column of each table that this version makes."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in chain.from_iterable(VERSIONS):
            connection.execute(statement)
        return [(table, column) for table, columns in columns_of(connection).items() for column in columns]


class Changed:
    """One change of one column, chosen by a seed."""

    def __init__(self, home: Path, table: str, column: str, seed: int) -> None:
        draw = random.Random(f"{table} {column} {seed}")
        with closing(sqlite3.connect(home / "store.db", isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            keys = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid"]
            key = ", ".join(keys)
            rows = connection.execute(f"SELECT {column}, {key} FROM {table}").fetchall()
            self.said = f"{table}.{column} (seed {seed})"
            if not rows:
                return
            value, *where = draw.choice(rows)
            ways = [
                None,
                "text of another type",
                b"\xff\xfe",
                -1,
                2**63 - 1,
                -(2**63),
                1e308,
                "",
                b"",
                7,
                "x" * 100_000,
            ]
            ways += [b"\0" * 36, b"\0" * 37, "succeeded", "failed", "running", "remove", "map", 0]
            ways += [other for other, *_ in draw.sample(rows, min(6, len(rows)))]
            ways += self._flipped(value, draw)
            new = ways[seed % len(ways)] if seed < len(ways) else draw.choice(ways)
            self.said += f": {value!r:.60} of {where} becomes {new!r:.60}"
            also = " AND ".join(f"{name} = ?" for name in keys)
            try:
                connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {also}", (new, *where))
            except sqlite3.Error as error:  # the schema does not take it
                self.said += f" (refused: {error})"

    @staticmethod
    def _flipped(value: Any, draw: random.Random) -> list[Any]:
        if not isinstance(value, bytes) or not value:
            return []
        at = draw.randrange(len(value))
        return [value[:at] + bytes([value[at] ^ (1 << draw.randrange(8))]) + value[at + 1 :], value[: len(value) // 2]]
