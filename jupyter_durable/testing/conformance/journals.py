"""Journals: what is recorded, queued, refused, read back."""

from __future__ import annotations

import threading
import time

from jupyter_durable.core.model import (
    ROOT,
    ArgumentsDecide,
    Attempted,
    CallRow,
    Dropped,
    Logged,
    Metric,
    Progressed,
    Reached,
    Write,
)
from jupyter_durable.store.base import Settled, Store
from jupyter_durable.testing.conformance.expecting import raises
from jupyter_durable.testing.conformance.rows import BODY, mark, outcome, started


class JournalLaws:
    """Each takes an empty store."""

    # recording

    def test_a_recorded_call_reads_back_field_by_field(self, store: Store) -> None:
        journal = started(store)
        blob = store.put_blob(b"head", [])
        full = outcome(
            2, flags=5, inputs=b"in", writes=b"w", children=3, result=b"r" * 16, blob=blob, value=None, attempts=4
        )
        journal.record(full)
        assert store.call(journal.lease.serial, 1, 2) == full
        assert isinstance(store.children(journal.lease.serial, 1, 0, 1)[0], CallRow)
        assert store.call(journal.lease.serial, 1, 3) is None

    def test_a_call_has_one_outcome(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2))
        with raises(Settled, match="identity 2"):
            journal.record(outcome(2, value=b"another"))
        with raises(Settled):
            journal.record(outcome(2, value=b"another"), [Reached(1, BODY, 0, 2, 1, 0)])
        assert store.children(journal.lease.serial, 1, 0, 10) == [outcome(2)]
        assert store.reached(journal.lease.serial, 1) == []

    def test_an_older_attempt_or_pass_never_overwrites_a_newer_one(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2, pass_no=BODY + 1, attempts=1))
        for late in (outcome(2, pass_no=BODY, attempts=9), mark(2, pass_no=BODY, attempts=9)):
            with raises(Settled):
                journal.record(late._replace(status="succeeded"))
            journal.later(late._replace(status="running"))
        journal.flush()
        newer = outcome(2, pass_no=BODY + 1, attempts=2, status="failed")
        journal.record(newer)
        assert store.call(journal.lease.serial, 1, 2) == newer

    def test_a_mark_is_durable_after_flush_and_superseded_by_its_outcome(self, store: Store) -> None:
        journal = started(store)
        journal.later(mark(2))
        journal.later(mark(3))
        journal.record(outcome(2))
        journal.flush()
        assert store.children(journal.lease.serial, 1, 0, 10) == [outcome(2), mark(3)]

    def test_a_late_mark_never_reopens_a_settled_call_but_a_new_attempt_does(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2, status="failed"))
        journal.later(mark(2))
        journal.flush()
        assert store.call(journal.lease.serial, 1, 2) == outcome(2, status="failed")
        journal.later(mark(2, attempts=2))
        journal.flush()
        assert store.call(journal.lease.serial, 1, 2) == mark(2, attempts=2)

    def test_marks_of_callers_are_durable_with_the_outcome_of_a_call(self, store: Store) -> None:
        journal = started(store)
        journal.later(mark(ROOT, 0))
        journal.later(mark(2))
        journal.record(outcome(3, parent=2))
        assert store.children(journal.lease.serial, 0, 0, 10) == [mark(ROOT, 0)]
        assert store.children(journal.lease.serial, 1, 0, 10) == [mark(2)]

    def test_a_posted_outcome_is_durable_when_done_is_called(self, store: Store) -> None:
        journal, seen = started(store), list[object]()
        settled = threading.Event()

        def done(error: BaseException | None) -> None:
            seen.append((error, store.call(journal.lease.serial, 1, 2)))
            settled.set()

        journal.post(outcome(2), done, [Logged(2, BODY, 1.0, "stdout", "hello")])
        assert settled.wait(100)
        assert seen == [(None, outcome(2))]
        assert store.logs(journal.lease.serial) == [Logged(2, BODY, 1.0, "stdout", "hello")]

    def test_of_many_posted_outcomes_the_settled_ones_alone_are_refused(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(3))
        journal.record(outcome(5))
        errors: dict[int, BaseException | None] = {}
        for identity in range(2, 8):
            journal.post(outcome(identity, value=b"new"), lambda error, i=identity: errors.__setitem__(i, error))  # type: ignore[misc]
        journal.flush()
        end = time.monotonic() + 100
        while len(errors) < 6 and time.monotonic() < end:
            time.sleep(0.001)
        assert {i for i, error in errors.items() if error is not None} == {3, 5}
        values = {row.identity: row.value for row in store.children(journal.lease.serial, 1, 0, 10)}
        assert values == {2: b"new", 3: b"value 3", 4: b"new", 5: b"value 5", 6: b"new", 7: b"new"}

    def test_threads_share_a_journal(self, store: Store) -> None:
        journal = started(store)

        def run(first: int) -> None:
            for identity in range(first, first + 25):
                journal.later(mark(identity))
                journal.record(outcome(identity))

        threads = [threading.Thread(target=run, args=(100 * n,)) for n in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = store.children(journal.lease.serial, 1, 0, 1000)
        assert [row.identity for row in found] == [100 * n + i for n in range(1, 5) for i in range(25)]
        assert {row.status for row in found} == {"succeeded"}

    # everything else a journal keeps

    def test_side_writes_read_back_in_order(self, store: Store) -> None:
        journal = started(store)
        reached = [Reached(1, BODY + 1, 0, 2, 1, 0), Reached(1, BODY, 5, 9, 2, 0), Reached(1, BODY, 0, 2, 3, 16)]
        attempts = [Attempted(2, BODY, 2, 1.0, 0.1, b"e2"), Attempted(2, BODY, 1, 1.0, 0.1, b"e1")]
        logs = [Logged(2, BODY, 2.0, "stdout", "b"), Logged(3, BODY, 1.0, "stderr", "\ud800")]
        metrics = [Metric(2, "counter", "n", 1.0), Metric(2, "timer", "t", 0.5)]
        progress = [Progressed(2, 1.0, 3.0, "m", "{}", 5.0), Progressed(2, 2.0, 3.0, None, None, 6.0)]
        decided = [ArgumentsDecide(1, "g", BODY), ArgumentsDecide(1, "f", BODY), ArgumentsDecide(1, "f", BODY)]
        journal.record(outcome(2), [*reached, *attempts, *logs])
        later: list[Write] = [*metrics, *progress, *decided]
        for write in later:
            journal.later(write)
        journal.flush()
        serial = journal.lease.serial
        assert store.reached(serial, 1) == [reached[2], reached[1], reached[0]]
        assert store.attempts(serial, 2) == attempts[::-1]
        assert [log.text for log in store.logs(serial, 2)] == ["b"]
        assert len(store.logs(serial)) == 2
        assert store.metrics(serial) == metrics
        assert store.progress(serial) == progress[1:]
        assert store.decided(serial, 1) == [ArgumentsDecide(1, "f", BODY), ArgumentsDecide(1, "g", BODY)]
        assert (store.reached(serial, 2), store.decided(serial, 2), store.attempts(serial, 3)) == ([], [], [])

    def test_what_a_call_read_and_measured_reads_back(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2, files=b"\0files", metrics='[["counter", "n", 1.0]]'))
        journal.record(outcome(3))
        found = store.children(journal.lease.serial, 1, 0, 10)
        assert [(row.files, row.metrics) for row in found] == [(b"\0files", '[["counter", "n", 1.0]]'), (None, None)]

    def test_a_stretch_that_grows_replaces_itself(self, store: Store) -> None:
        journal = started(store)
        journal.later(Reached(1, BODY, 0, 2, 1, 0))
        journal.record(outcome(9), [Reached(1, BODY, 0, 2, 4, 0)])
        assert store.reached(journal.lease.serial, 1) == [Reached(1, BODY, 0, 2, 4, 0)]

    def test_a_dropped_value_is_gone_and_its_digest_stays(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2, kind="reduce_step", result=b"r" * 16))
        journal.record(outcome(3, kind="reduce_step"), [Dropped(1, 2, b"d" * 37)])
        row = store.call(journal.lease.serial, 1, 2)
        assert row is not None
        assert (row.status, row.codec, row.value, row.mac, row.result) == ("succeeded", "", None, b"d" * 37, b"r" * 16)

    def test_children_come_in_pages_by_identity(self, store: Store) -> None:
        journal = started(store)
        for identity in (5, 2, 9, 7):
            journal.record(outcome(identity))
        journal.record(outcome(6, parent=2))
        serial = journal.lease.serial
        assert [row.identity for row in store.children(serial, 1, 0, 3)] == [2, 5, 7]
        assert [row.identity for row in store.children(serial, 1, 7, 3)] == [9]
        assert store.children(serial, 1, 9, 3) == []
