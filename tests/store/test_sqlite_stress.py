"""Several processes on one file, checkpoints under way all the time, some of the writers killed with -9."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_durable.store.base import Filter
from jupyter_durable.store.sqlite.store import SqliteStore

ACKNOWLEDGED = 40
"""So many outcomes a writer has said are durable before it is killed."""
_WRITER = """
import os, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from jupyter_durable.store.sqlite.store import SqliteStore
from jupyter_durable.store.writer import TEND
from tests.store.rows import mark, outcome, started
store = SqliteStore(Path(sys.argv[1]))
log = os.open(sys.argv[3], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
every = int(sys.argv[4])
journal = started(store, Path(sys.argv[3]).name)
def acknowledge(identity):
    os.write(log, b"%d\\n" % identity)
identity = 1
while True:
    identity += 1
    row = outcome(identity, value=os.urandom(identity % 700))
    if identity % 5:
        journal.later(mark(identity))
        journal.record(row)
        acknowledge(identity)
    else:
        done = threading.Event()
        journal.post(row, lambda error, i=identity: (error is None and acknowledge(i), done.set()))
    if identity % every == 0:
        store._writer.thread.say(TEND)
"""


def stress(folder: Path, seconds: float, writers: int) -> int:
    """Acknowledged outcomes, all of them found again."""
    path = folder / "store.db"
    SqliteStore(path).close()
    draw, count = random.Random(11), 0

    def start() -> tuple[subprocess.Popen[bytes], Path]:
        nonlocal count
        count += 1
        log = folder / f"log{count:04}"
        return subprocess.Popen([sys.executable, "-c", _WRITER, path, Path.cwd(), log, str(1 + count % 7)]), log

    running = [start() for _ in range(writers)]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(draw.uniform(0.5, 1.5))
        victim = draw.randrange(writers)
        process, log = running[victim]
        while not (log.exists() and log.read_text().count("\n") > ACKNOWLEDGED):  # a busy machine begins late
            assert process.poll() is None, "a writer died by itself"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        running[victim] = start()
    for process, _ in running:
        process.kill()
        process.wait()
    store = SqliteStore(path)
    total = 0
    requests = {row.id: row.serial for row in store.requests(Filter(limit=10_000))}
    for log in folder.glob("log*"):
        acknowledged = {int(line) for line in log.read_text().split("\n")[:-1]}
        total += len(acknowledged)
        if acknowledged:
            found = {row.identity for row in store.children(requests[log.name], 1, 0, 10_000_000) if row.duration}
            assert acknowledged <= found
    assert {finding.level for finding in store.check()} == {"ok"}
    store.close()
    return total


def test_acknowledged_outcomes_survive_kills_and_checkpoints_of_others(tmp_path: Path) -> None:
    assert stress(tmp_path, 4, writers=3) > 100


@pytest.mark.full
@pytest.mark.timeout(900)
def test_acknowledged_outcomes_survive_two_minutes_of_it(tmp_path: Path) -> None:
    assert stress(tmp_path, 120, writers=4) > 10_000
