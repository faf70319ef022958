"""One column of one row of a store becomes something else: nothing, another row's value, another type, an extreme."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, Final

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


Way = Callable[[Any, list[Any], random.Random], Any]
"""What becomes of a value, of those of the other rows that differ from it, by chance."""


def _constant(value: Any) -> Way:
    return lambda *_: value


def _of_another_row(_: Any, others: list[Any], draw: random.Random) -> Any:
    return draw.choice(others) if others else None


def _flipped(value: Any, _: list[Any], draw: random.Random) -> Any:
    """One bit is another one."""
    if isinstance(value, int):
        return value ^ (1 << draw.randrange(16))
    data = bytearray(value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else b"")
    if not data:
        return b"\x01"
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(7)
    return data.decode(errors="replace") if isinstance(value, str) else bytes(data)


def _cut(value: Any, *_: Any) -> Any:
    return value[: len(value) // 2] if isinstance(value, (bytes, str)) else 0


_STATES: Final = ("succeeded", "failed", "running", "interrupted", "cancelled", "remove", "map")
WAYS: Final[dict[str, Way]] = {
    "nothing": _constant(None),
    "another type": _constant("text of another type"),
    "bytes": _constant(b"\xff\xfe"),
    "-1": _constant(-1),
    "largest": _constant(2**63 - 1),
    "smallest": _constant(-(2**63)),
    "real": _constant(1e308),
    "empty text": _constant(""),
    "no bytes": _constant(b""),
    "0": _constant(0),
    "7": _constant(7),
    "long": _constant("x" * 100_000),
    "zeros": _constant(bytes(36)),
    "zeros and one more": _constant(bytes(37)),
    **{name: _constant(name) for name in _STATES},
    **{f"another row's {n}": _of_another_row for n in ("value", "value again", "value once more")},
    **{f"a bit turned{n}": _flipped for n in ("", " again")},
    "cut": _cut,
}
"""What may become of a column, by name; the last ones are drawn."""


class Changed:
    """One change of one column, in one of the ways; `seed` chooses the row and what is drawn."""

    def __init__(self, home: Path, table: str, column: str, way: str, seed: int = 0) -> None:
        draw = random.Random(f"{table} {column} {way} {seed}")
        self.said = f"{table}.{column} ({way}, seed {seed})"
        self.made = False
        """Whether the column is another one now: the schema may not take it, or it was so before."""
        with closing(sqlite3.connect(home / "store.db", isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            keys = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid"]
            rows = connection.execute(f"SELECT {column}, {', '.join(keys)} FROM {table}").fetchall()
            if not rows:
                return
            value, *where = draw.choice(rows)
            new = WAYS[way](value, [other for other, *_ in rows if other != value], draw)
            self.said += f": {value!r:.60} of {where} becomes {new!r:.60}"
            also = " AND ".join(f"{name} = ?" for name in keys)
            try:
                connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {also}", (new, *where))
                self.made = new != value
            except sqlite3.Error as error:  # the schema does not take it
                self.said += f" (refused: {error})"
