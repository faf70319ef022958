"""`record` against a bare INSERT + COMMIT of the same row: paired blocks, same disk, same settings, WAL warm.

Run as `python tests/store/measure_record.py [DIRECTORY]`. Prints medians in microseconds and their ratio.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from jupyter_durable.core.model import CallRow, CodeVersion, NewRequest, NewRun, Owner
from jupyter_durable.store import open_store

BLOCKS, CALLS = 40, 100
ROW = CallRow(
    1, 2, 1 << 16, 0, "function_call", "f", "succeeded", 0, b"d" * 16, b"c" * 16,
    1, 1.0, 0.1, "plain", b"value" * 2, None, b"m" * 32, None, None, 0, None,
)  # fmt: skip


def main(directory: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        store = open_store(f"sqlite:///{folder}/store.db")
        new = NewRequest("r", "a", "script", 1.0, None, b"", CodeVersion(b"k", b"", b""), None, None, None, None, None)
        row, _ = store.accept(new)
        journal = store.journal(
            store.begin(row.serial, Owner("h", "b", "n", 1, "s"), NewRun("adaptive", 1.0, None, ()), 9.0)
        )
        bare = sqlite3.connect(Path(folder, "bare.db"), isolation_level=None)
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        columns = ", ".join(("request", *CallRow._fields))
        bare.execute(f"CREATE TABLE call ({columns}, PRIMARY KEY (request, parent, identity)) WITHOUT ROWID")
        insert = f"INSERT INTO call VALUES ({', '.join('?' * (len(CallRow._fields) + 1))})"
        identity = 2

        def run_bare(rows: list[CallRow]) -> None:
            for one in rows:
                bare.execute("BEGIN")
                bare.execute(insert, (1, *one))
                bare.execute("COMMIT")

        def run_one_statement(rows: list[CallRow]) -> None:
            for one in rows:
                bare.execute(insert, (1, *one))

        def run_record(rows: list[CallRow]) -> None:
            for one in rows:
                journal.record(one)

        def run_marked(rows: list[CallRow]) -> None:
            for one in rows:
                journal.later(one._replace(status="running"))
                journal.record(one)

        variants = {"bare": run_bare, "one statement": run_one_statement, "record": run_record, "marked": run_marked}
        times: dict[str, list[float]] = {name: [] for name in variants}
        for block in range(BLOCKS + 10):
            for name, run in variants.items():
                rows = [ROW._replace(identity=identity + n) for n in range(CALLS)]
                identity += CALLS
                start = time.perf_counter()
                run(rows)
                if block >= 10:
                    times[name].append((time.perf_counter() - start) / CALLS * 1e6)
        for name, values in times.items():
            ratio = statistics.median(v / b for v, b in zip(values, times["bare"], strict=True))
            print(f"{name:14} {statistics.median(values):7.1f} us  {ratio:.3f}x")
        store.close()
        bare.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
