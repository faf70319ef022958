"""Writes the store that is kept for each schema, once it is settled: `python -m tests.store.make_fixture`."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from jupyter_durable.core.model import ROOT, ArgumentsDecide, Attempted, Logged, Metric, Progressed, Reached, Write
from jupyter_durable.store.sqlite.opening import SCHEMA
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import BODY, ended, mark, outcome, started


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store.db")
        store = SqliteStore(path)
        started(store, "v1-interrupted").later(mark(ROOT, 0))
        journal = started(store, "v1-failed", idempotency_key="key", notebook="n.ipynb", cell="c", headers="[]")
        journal.later(mark(ROOT, 0))
        for identity in range(2, 11):
            journal.record(outcome(identity))
        journal.later(Progressed(11, 1.0, 2.0, "half", "{}", 12.0))
        journal.later(Metric(11, "counter", "n", 1.0))
        journal.later(Logged(11, BODY, 12.0, "stdout", "printed"))
        writes: list[Write] = [
            Attempted(11, BODY, 1, 11.0, 0.1, b"error"),
            Reached(1, BODY, 20, 2, 3, 0),
            ArgumentsDecide(1, "f", BODY),
        ]
        journal.record(outcome(11, status="failed", attempts=2), writes)
        journal.finish(ended(outcome(ROOT, 0, status="failed"), "failed"))
        store.close()
        target = Path(__file__).parent / "fixtures" / f"v{SCHEMA}.db.gz"
        target.write_bytes(gzip.compress(path.read_bytes(), mtime=0))


if __name__ == "__main__":
    main()
