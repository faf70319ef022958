"""An fsync or a write that fails: never repeated and taken for good; the store is reopened, and goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_durable.store.sqlite.store import SqliteStore

_CALLS = """
import sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from jupyter_durable.errors import CheckpointError
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import mark, outcome, started
store = SqliteStore(Path(sys.argv[1]))
journal = started(store)
reopened = []
reopen = store._link.reopen
store._link.reopen = lambda: (reopened.append(1), reopen())
acknowledged, refused = [], []
for identity in range(2, 60):
    row = outcome(identity, value=b"v" * 3000)
    if identity % 3 == 0:
        journal.later(mark(1000 + identity))
    try:
        journal.record(row)
        acknowledged.append(identity)
    except CheckpointError as error:
        refused.append(identity)
        assert "input/output" in str(error), error
        journal.record(row)
journal.flush()
rows = store.children(journal.lease.serial, 1, 0, 9999)
missing = set(range(2, 60)) - {row.identity for row in rows if row.duration}
marks = {1000 + identity for identity in range(3, 60, 3)} - {row.identity for row in rows}
store.close()
print(len(reopened), len(refused), len(missing), len(marks))
"""


def injected(path: Path, fault: str, file: str) -> list[int]:
    """Run the calls with a fault of the system call; [reopened, refused, missing, missing marks]."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    SqliteStore(path).close()
    command = [
        strace,
        "-f",
        "-o",
        f"{path}.trace",
        "-P",
        str(path.with_name(path.name + file)),
        "-e",
        f"inject={fault}",
    ]
    done = subprocess.run(
        [*command, sys.executable, "-B", "-c", _CALLS, str(path), str(Path.cwd())],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    if "ptrace" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    assert "(INJECTED)" in Path(f"{path}.trace").read_text(), "no fault was injected"
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize("when", [5, 20, 21])
def test_a_failed_fsync_is_not_repeated_but_the_store_reopened(tmp_path: Path, when: int) -> None:
    reopened, refused, missing, marks = injected(tmp_path / "store.db", f"fdatasync:error=EIO:when={when}", "-wal")
    assert reopened >= 1
    assert refused <= 1
    assert (missing, marks) == (0, 0)


@pytest.mark.parametrize("when", [25, 26, 27])
def test_a_failed_write_is_not_taken_for_good(tmp_path: Path, when: int) -> None:
    _, refused, missing, marks = injected(tmp_path / "store.db", f"pwrite64:error=EIO:when={when}", "-wal")
    assert refused <= 1
    assert (missing, marks) == (0, 0)
