"""How the SQLite store commits: alone, in groups, in which order, and who is told what."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_durable.core.model import ROOT, CallRow, Logged
from jupyter_durable.errors import CheckpointError, InternalError, SDKUsageError
from jupyter_durable.store.base import Journal
from jupyter_durable.store.sqlite import patience
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.store.rows import BODY, ME, ended, mark, new_run, outcome, started, taken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


@pytest.fixture
def witness(store: SqliteStore, path: Path) -> Iterator[SqliteStore]:
    """Another store on the same file: it sees only what was committed."""
    witness = SqliteStore(path)
    yield witness
    witness.close()


class Answers:
    """Collects what `post` tells, and what the witness saw at that moment."""

    def __init__(self, journal: Journal, witness: SqliteStore) -> None:
        self.journal, self.witness = journal, witness
        self.errors: dict[int, BaseException | None] = {}
        self.seen: dict[int, CallRow | None] = {}
        self._changed = threading.Condition()

    def post(self, row: CallRow) -> None:
        def done(error: BaseException | None) -> None:
            with self._changed:
                self.seen[row.identity] = self.witness.call(self.journal.lease.serial, row.parent, row.identity)
                self.errors[row.identity] = error
                self._changed.notify_all()

        self.journal.post(row, done)

    def wait(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.errors) == count, timeout=100)


def test_what_record_returned_from_is_seen_by_others(store: SqliteStore, witness: SqliteStore) -> None:
    journal = started(store)
    for identity in range(2, 20):
        journal.record(outcome(identity))
        assert witness.call(journal.lease.serial, 1, identity) == outcome(identity)


def test_nothing_is_acknowledged_before_its_commit(store: SqliteStore, witness: SqliteStore) -> None:
    journal = started(store)
    answers = Answers(journal, witness)
    for identity in range(2, 102):
        answers.post(outcome(identity))
    answers.wait(100)
    assert set(answers.errors.values()) == {None}
    assert answers.seen == {identity: outcome(identity) for identity in range(2, 102)}


def test_one_bad_write_of_a_group_fails_alone(store: SqliteStore, witness: SqliteStore) -> None:
    journal = started(store)
    answers = Answers(journal, witness)
    for identity in range(2, 12):
        answers.post(outcome(identity, children=2**70 if identity == 5 else 0))
    answers.wait(10)
    assert {i for i, error in answers.errors.items() if error is not None} == {5}
    assert isinstance(answers.errors[5], CheckpointError)
    assert answers.seen[5] is None
    assert answers.seen[6] == outcome(6)


def test_a_bad_side_write_takes_its_outcome_along_and_nothing_else(store: SqliteStore, witness: SqliteStore) -> None:
    journal = started(store)
    with pytest.raises(CheckpointError):
        journal.record(outcome(2), [Logged(2, 2**70, 1.0, "stdout", "x")])
    assert witness.call(journal.lease.serial, 1, 2) is None
    journal.record(outcome(2))
    assert witness.call(journal.lease.serial, 1, 2) == outcome(2)


def test_a_bad_queued_write_is_reported_by_the_next_flush_and_holds_nothing_up(store: SqliteStore) -> None:
    journal = started(store)
    journal.later(Logged(2, 2**70, 1.0, "stdout", "x"))
    journal.later(Logged(2, BODY, 1.0, "stdout", "good"))
    journal.record(outcome(2))
    assert [log.text for log in store.logs(journal.lease.serial)] == ["good"]
    with pytest.raises(CheckpointError):
        journal.flush()
    journal.flush()


def test_a_value_sqlite_cannot_hold_is_a_checkpoint_error_for_a_lone_record_too(store: SqliteStore) -> None:
    journal = started(store)
    with pytest.raises(CheckpointError, match="kept in memory"):
        journal.record(outcome(2, name="\ud800"))
    journal.record(outcome(2))


def test_a_mark_is_durable_within_the_flush_time_without_any_commit(store: SqliteStore, witness: SqliteStore) -> None:
    journal = started(store)
    journal.later(mark(2))
    pause = threading.Event()
    for _ in range(400):
        if witness.call(journal.lease.serial, 1, 2) is not None:
            break
        pause.wait(0.01)
    assert witness.call(journal.lease.serial, 1, 2) == mark(2)


def test_a_sequential_loop_commits_in_the_calling_thread(store: SqliteStore) -> None:
    journal = started(store)
    journal.flush()
    alone = 0
    for identity in range(2, 52):
        journal.later(mark(identity))
        assert not journal.alone()
        journal.record(outcome(identity))
        alone += journal.alone()
    assert alone > 45  # a checkpoint or a flush may have been under way


def test_two_stores_of_one_process_fence_each_other(store: SqliteStore, witness: SqliteStore) -> None:
    old = started(store)
    old.record(outcome(2))
    new = witness.journal(taken(witness, old.lease.serial))
    with pytest.raises(Exception, match="process 200 on there"):
        old.record(outcome(3))
    new.record(outcome(3, value=b"new"))
    new.finish(ended(outcome(ROOT, 0)))
    assert [row.value for row in store.children(old.lease.serial, 1, 0, 9)] == [b"value 2", b"new"]


def test_a_busy_store_is_an_error_that_says_so_and_loses_nothing(
    store: SqliteStore, witness: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = started(store)
    monkeypatch.setattr(patience, "OWN_SECONDS", 0.1)
    store._link.connection.execute("PRAGMA busy_timeout = 50")
    witness._link.connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(CheckpointError, match="locked"):
        journal.record(outcome(2))
    journal.later(mark(3))
    with pytest.raises(CheckpointError, match="locked"):
        journal.record(outcome(2))
    with pytest.raises(CheckpointError, match="locked"):
        store.cancel(journal.lease.serial)
    witness._link.connection.execute("ROLLBACK")
    journal.record(outcome(2))
    assert store.children(journal.lease.serial, 1, 0, 9) == [outcome(2), mark(3)]


def test_an_outcome_is_never_durable_before_the_marks_of_its_callers(store: SqliteStore, witness: SqliteStore) -> None:
    """The group fails on another journal's bad write; its members are then tried singly, marks first."""
    journal = started(store)
    other = started(store, "r2")
    journal.later(mark(2))
    other.later(Logged(2, 2**70, 1.0, "stdout", "x"))
    answers = Answers(journal, witness)
    answers.post(outcome(3, parent=2))
    answers.wait(1)
    assert answers.errors == {3: None}
    assert witness.call(journal.lease.serial, 1, 2) == mark(2)


def test_a_callback_that_would_wait_for_itself_is_told(store: SqliteStore) -> None:
    journal, raised = started(store), list[BaseException]()
    settled = threading.Event()

    def done(_: BaseException | None) -> None:
        try:
            journal.flush()
        except InternalError as error:
            raised.append(error)
        settled.set()

    journal.post(outcome(2), done)
    assert settled.wait(100)
    assert len(raised) == 1


def test_a_callback_that_raises_does_not_end_the_thread(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    journal = started(store)

    def done(_: BaseException | None) -> None:
        raise ValueError("mine")

    journal.post(outcome(2), done)
    journal.flush()
    journal.flush()
    assert "callback" in caplog.text


def test_the_log_is_recycled_about_every_hundred_commits(store: SqliteStore, path: Path) -> None:
    journal = started(store)
    for identity in range(2, 402):
        journal.record(outcome(identity))
    assert path.with_name("store.db-wal").stat().st_size < 2_500_000
    names = ("journal_mode", "synchronous", "wal_autocheckpoint")
    settings = [store._link.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    assert settings == ["wal", 2, 0]


def test_a_race_of_processes_for_one_request_has_one_winner(store: SqliteStore, witness: SqliteStore) -> None:
    journal = started(store)
    journal.close()
    for round in range(30):
        epoch = store.request("r1").epoch
        barrier, results = threading.Barrier(2), list[object]()

        def race(mine: SqliteStore, barrier: threading.Barrier, results: list[object], at: float, epoch: int) -> None:
            barrier.wait()
            try:
                results.append(mine.begin(journal.lease.serial, ME, new_run(at), at + 1, epoch=epoch))
            except SDKUsageError as error:
                results.append(error)

        at = 1000.0 * (round + 1)
        threads = [threading.Thread(target=race, args=(mine, barrier, results, at, epoch)) for mine in (store, witness)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(isinstance(result, SDKUsageError) for result in results) == 1
