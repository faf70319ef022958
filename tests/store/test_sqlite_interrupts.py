"""Interrupts never land inside a commit: no open transaction, no hang, no acknowledged outcome missing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_STORM = """
import signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from jupyter_durable.errors import StoreError
from jupyter_durable.store.base import Settled
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import mark, new_request, outcome, started
store = SqliteStore(Path(sys.argv[1]))
journal = started(store)
armed, hits, stuck, acknowledged, maybe = False, 0, 0, [], []
def on_signal(*_):
    global armed, hits
    if armed:
        armed = False
        hits += 1
        raise KeyboardInterrupt
signal.signal(signal.SIGINT, on_signal)
print("ready", flush=True)
identity = 1
while hits < int(sys.argv[3]):
    identity += 1
    try:
        armed = True
        journal.later(mark(identity))
        if identity % 3 == 0:
            journal.later(mark(1_000_000 + identity))
        if identity % 50 == 0:
            store.accept(new_request(f"id{identity}"))
        store.children(1, 1, identity - 10, 5)
        journal.record(outcome(identity))
        acknowledged.append(identity)
        armed = False
    except KeyboardInterrupt:
        maybe.append(identity)
        try:
            journal.record(outcome(identity))
        except Settled:
            pass
        acknowledged.append(identity)
        with store._link.lock:
            stuck += store._link.connection.in_transaction
armed = False
journal.flush()
found = {row.identity for row in store.children(1, 1, 0, 10_000_000) if row.status == "succeeded"}
store.close()
print(hits, stuck, len(set(acknowledged) - found), len(acknowledged), flush=True)
"""


def storm(path: Path, interrupts: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _STORM, str(path), str(Path.cwd()), str(interrupts)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        draw = random.Random(7)
        deadline = time.monotonic() + 30 + interrupts / 20
        while process.poll() is None:
            assert time.monotonic() < deadline, "hangs"
            os.kill(process.pid, signal.SIGINT)
            time.sleep(draw.random() * 0.003)
        hits, stuck, missing, acknowledged = map(int, process.stdout.read().split())
        process.stdout.close()
        assert (hits, stuck, missing) == (interrupts, 0, 0)
        assert acknowledged >= interrupts
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to others here")
def test_a_storm_of_interrupts_leaves_nothing_open_and_nothing_out(tmp_path: Path) -> None:
    storm(tmp_path / "store.db", 200)


@pytest.mark.full
@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to others here")
def test_a_long_storm_of_interrupts(tmp_path: Path) -> None:
    storm(tmp_path / "store.db", 2000)


_ASYNCHRONOUS = """
import ctypes, sys, threading, time, random
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from jupyter_durable.errors import StoreError
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import mark, outcome, started
class Hit(BaseException): pass
store = SqliteStore(Path(sys.argv[1]))
journal = started(store)
stop, acknowledged = time.monotonic() + float(sys.argv[3]), set()
counter = iter(range(2, 10_000_000))
def loop():
    while time.monotonic() < stop:
        identity = next(counter)
        journal.later(mark(identity))
        journal.later(mark(5_000_000 + identity))
        journal.record(outcome(identity))
        acknowledged.add(identity)
def work():
    while time.monotonic() < stop:
        try:
            try:
                loop()
            except Hit:
                continue
        except Hit:
            continue
threads, hits, draw = [], 0, random.Random(3)
threading.excepthook = lambda arguments: None
while time.monotonic() < stop:
    while sum(thread.is_alive() for thread in threads) < 2:
        threads.append(threading.Thread(target=work, daemon=True))
        threads[-1].start()
    for thread in threads:
        if thread.is_alive():
            hits += ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Hit))
    time.sleep(draw.random() * 0.002)
for thread in threads:
    thread.join(5)
hung = sum(thread.is_alive() for thread in threads)
journal.flush()
found = {row.identity for row in store.children(1, 1, 0, 10_000_000) if row.status == "succeeded"}
stuck = store._link.connection.in_transaction or store._link.lock.locked()
print(hung, int(stuck), len(acknowledged - found), hits, len(found), flush=True)
store.close()
"""


@pytest.mark.parametrize("seconds", [1.0, pytest.param(20.0, marks=pytest.mark.full)])
def test_asynchronous_exceptions_hang_nobody(tmp_path: Path, seconds: float) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASYNCHRONOUS, str(tmp_path / "store.db"), str(Path.cwd()), str(seconds)],
        capture_output=True, text=True, check=False, timeout=seconds + 60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    hung, stuck, missing, hits, found = map(int, done.stdout.split())
    assert (hung, stuck, missing) == (0, 0, 0)
    assert hits > 100
    assert found > 0
