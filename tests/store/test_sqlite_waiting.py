"""A process that holds the file: it is waited for as long as it lives, and named; nothing that waits is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable.errors import CheckpointError
from jupyter_durable.store.sqlite import patience
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import mark, outcome, started

HOLDER = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE IF NOT EXISTS other (x)")
print("holds", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
connection.execute("ROLLBACK")
"""


class Told:
    """What a store says while it waits."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.heard = threading.Event()

    def __call__(self, text: str) -> None:
        self.texts.append(text)
        self.heard.set()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TELL_SECONDS", 0.1)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path, told: Told) -> Iterator[SqliteStore]:
    store = SqliteStore(path, tell=told)
    yield store
    store.close()


@pytest.fixture
def hold(path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start a process that is stopped in the middle of a transaction."""
    holders: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
        holders.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        while "T (stopped)" not in Path(f"/proc/{holder.pid}/status").read_text():
            time.sleep(0.005)
        return holder

    yield begin
    for holder in holders:
        holder.kill()
        holder.communicate()


def beside(act: Callable[[], Any]) -> Future[Any]:
    done: Future[Any] = Future()

    def body() -> None:
        try:
            done.set_result(act())
        except BaseException as error:  # noqa: BLE001 - told to whoever asks
            done.set_exception(error)

    threading.Thread(target=body, daemon=True).start()
    return done


@pytest.mark.full
def test_a_process_that_was_stopped_in_a_commit_is_waited_for_and_named(
    store: SqliteStore, told: Told, hold: Callable[[], subprocess.Popen[str]]
) -> None:
    """Calls, marks and requests: all of them are there when it goes on. Reading does not wait."""
    journal = started(store)
    holder = hold()
    journal.later(mark(3))
    waiting = [beside(lambda: journal.record(outcome(2))), beside(lambda: store.cancel(journal.lease.serial))]
    assert told.heard.wait(60)
    assert f"process {holder.pid} (python" in told.texts[0]
    assert f"kill -CONT {holder.pid}" in told.texts[0]
    assert store.request("r1").status == "running"
    assert not any(each.done() for each in waiting)
    os.kill(holder.pid, signal.SIGCONT)
    for each in waiting:
        each.result(60)
    journal.flush()
    assert store.children(journal.lease.serial, 1, 0, 9) == [outcome(2), mark(3)]
    assert store.request("r1").cancel_requested


def test_one_that_is_killed_while_it_holds_the_file_is_waited_for_no_longer(
    store: SqliteStore, told: Told, hold: Callable[[], subprocess.Popen[str]]
) -> None:
    journal = started(store)
    holder = hold()
    waiting = beside(lambda: journal.record(outcome(2)))
    assert told.heard.wait(60)
    holder.kill()
    waiting.result(60)
    assert store.children(journal.lease.serial, 1, 0, 9) == [outcome(2)]


def test_when_patience_is_over_the_error_names_it_and_nothing_is_lost(
    store: SqliteStore, hold: Callable[[], subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = started(store)
    monkeypatch.setattr(patience, "LIVING_SECONDS", 0.2)
    holder = hold()
    with pytest.raises(CheckpointError, match=rf"locked.*held by process {holder.pid} .*since"):
        journal.record(outcome(2))
    os.kill(holder.pid, signal.SIGCONT)
    holder.wait(60)
    journal.record(outcome(2))
    assert store.children(journal.lease.serial, 1, 0, 9) == [outcome(2)]


def test_a_store_is_opened_when_who_holds_the_file_lets_go(
    path: Path, told: Told, hold: Callable[[], subprocess.Popen[str]]
) -> None:
    """A process was stopped while it made the tables of the store."""
    holder = hold()
    opening = beside(lambda: SqliteStore(path, tell=told))
    assert told.heard.wait(60)
    assert str(holder.pid) in told.texts[0]
    os.kill(holder.pid, signal.SIGCONT)
    opening.result(60).close()


def test_what_hears_of_it_may_fail(
    path: Path, hold: Callable[[], subprocess.Popen[str]], caplog: pytest.LogCaptureFixture
) -> None:
    heard = threading.Event()

    def tell(text: str) -> None:
        heard.set()
        raise ValueError(text)

    store = SqliteStore(path, tell=tell)
    journal = started(store)
    holder = hold()
    waiting = beside(lambda: journal.record(outcome(2)))
    assert heard.wait(60)
    os.kill(holder.pid, signal.SIGCONT)
    waiting.result(60)
    store.close()
    assert "waits raised" in caplog.text


RUN = """
import sys
from jupyter_durable import configure, function
configure(store="sqlite:///" + sys.argv[1])
@function()
def f(n): return n
print(sum(f(n) for n in range(int(sys.argv[2]))))
"""


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_run_is_not_lost_to_pauses_of_another_one(tmp_path: Path) -> None:
    """Two scripts on one store; one of them is stopped at odd moments for longer than SQLite's usual patience."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(RUN)
    command = [str(tmp_path / "store.db"), "20000"]
    runs = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / f"{name}.py"), *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=tmp_path,
        )
        for name in ("a", "b")
    ]  # fmt: skip
    try:
        for n in range(6):
            time.sleep(0.31 + n * 0.007)
            if runs[0].poll() is None:
                os.kill(runs[0].pid, signal.SIGSTOP)
                time.sleep(7)
                os.kill(runs[0].pid, signal.SIGCONT)
        said = [run.communicate(timeout=300) for run in runs]
    finally:
        for run in runs:
            run.kill()
    assert [out for out, _ in said] == [f"{sum(range(20000))}\n"] * 2, said
