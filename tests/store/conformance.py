"""What every store does. A subclass says how to open one."""

from __future__ import annotations

import os
import threading

import pytest

from jupyter_durable.core.model import (
    ROOT,
    ArgumentsDecide,
    Attempted,
    CallRow,
    CodeVersion,
    Dropped,
    Flag,
    Logged,
    Metric,
    Owner,
    Progressed,
    Reached,
    Write,
)
from jupyter_durable.errors import DeserializationError, LeaseLost, SDKUsageError, StoreError
from jupyter_durable.store.base import Filter, Journal, Settled, Store
from tests.store.rows import BODY, CODE, ME, OTHER, ended, mark, new_request, new_run, outcome, started


class StoreConformance:
    """The laws; `store` is a fixture of the subclass."""

    # requests

    def test_an_accepted_request_is_found_as_it_was_given(self, store: Store) -> None:
        row, fresh = store.accept(new_request("abc", notebook="n.ipynb", cell="c", headers="[]", forked_from="x"))
        assert fresh
        assert row == store.request("abc")
        assert (row.status, row.run, row.epoch, row.owner, row.input) == ("queued", 0, 0, None, b"input")
        assert (row.notebook, row.cell, row.headers, row.forked_from) == ("n.ipynb", "c", "[]", "x")
        assert (row.cancel_requested, row.pinned) == (False, False)
        assert store.code(CODE.key) == CODE

    def test_the_same_idempotency_key_of_one_application_is_the_same_request(self, store: Store) -> None:
        first, _ = store.accept(new_request("a", idempotency_key="key"))
        again, fresh = store.accept(new_request("b", idempotency_key="key"))
        other, other_fresh = store.accept(new_request("c", idempotency_key="key", application="another"))
        assert (again, fresh) == (first, False)
        assert other_fresh
        assert other.serial != first.serial

    def test_requests_without_a_key_are_never_the_same(self, store: Store) -> None:
        store.accept(new_request("a"))
        assert store.accept(new_request("b"))[1]

    def test_an_id_is_given_once(self, store: Store) -> None:
        store.accept(new_request("a"))
        with pytest.raises(SDKUsageError, match="a already"):
            store.accept(new_request("a"))

    def test_a_fork_starts_with_the_calls_it_was_given_even_when_read_from_the_same_store(self, store: Store) -> None:
        journal = started(store, "a")
        journal.record(outcome(2))
        journal.finish(ended(outcome(ROOT, 0)))
        serial = journal.lease.serial
        fork, _ = store.accept(
            new_request("b"), (row for parent in (0, 1) for row in store.children(serial, parent, 0, 10))
        )
        assert store.children(fork.serial, 1, 0, 10) == [outcome(2)]
        assert store.begin(fork.serial, ME, new_run(), 100.0).next_identity == 3

    def test_a_request_is_found_by_prefix_and_by_last(self, store: Store) -> None:
        for id in ("aa1", "aa2", "b%_"):
            store.accept(new_request(id))
        assert store.request("aa1").id == "aa1"
        assert store.request("b").id == store.request("last").id == "b%_"
        with pytest.raises(SDKUsageError, match=r"aa1, aa2"):
            store.request("aa")
        for missing in ("zz", "", "b_", "%"):
            with pytest.raises(SDKUsageError, match="there is no request"):
                store.request(missing)

    def test_an_exact_id_wins_over_longer_ones(self, store: Store) -> None:
        for id in ("aa", "aab"):
            store.accept(new_request(id))
        assert store.request("aa").id == "aa"

    def test_last_of_an_empty_store_says_that_there_is_none(self, store: Store) -> None:
        with pytest.raises(SDKUsageError, match="no request yet"):
            store.request("last")

    def test_requests_are_listed_newest_first_by_every_filter(self, store: Store) -> None:
        for n in range(6):
            store.accept(new_request(f"id{n}", notebook=f"n{n % 2}", cell=f"c{n % 3}", accepted_at=float(n)))
        store.accept(new_request("other", application="100% sure_thing", accepted_at=9.0))

        def ids(**changes: object) -> list[str]:
            return [row.id for row in store.requests(Filter(**changes))]  # type: ignore[arg-type]

        assert ids() == ["other", "id5", "id4", "id3", "id2", "id1", "id0"]
        assert ids(notebook="n1") == ["id5", "id3", "id1"]
        assert ids(cell="c0") == ["id3", "id0"]
        assert ids(application="app", limit=2) == ["id5", "id4"]
        assert ids(since=5.0) == ["other", "id5"]
        assert ids(text="100% SURE_") == ["other"]
        assert ids(text="x_thing") == []
        assert ids(status="running") == []
        assert ids(before=store.request("id2").serial, limit=1) == ["id1"]

    def test_a_moved_notebook_takes_its_requests_along(self, store: Store) -> None:
        for n in range(3):
            store.accept(new_request(f"id{n}", notebook="old" if n else "else"))
        assert store.move("old", "new") == 2
        assert store.move("old", "new") == 0
        assert {row.notebook for row in store.requests(Filter())} == {"new", "else"}

    # acquiring

    def test_begin_acquires_the_request_and_adds_a_run(self, store: Store) -> None:
        row, _ = store.accept(new_request())
        lease = store.begin(row.serial, ME, new_run(20.0), 100.0)
        assert lease == (row.serial, "r1", 1, 1, 2)
        row = store.request("r1")
        assert (row.status, row.owner, row.epoch, row.lease_until, row.started_at) == ("running", ME, 1, 100.0, 20.0)
        (run,) = store.runs(row.serial)
        assert (run.run, run.mode, run.status, run.code_key) == (1, "adaptive", "running", CODE.key)

    def test_a_held_request_is_refused_and_its_owner_named(self, store: Store) -> None:
        journal = started(store)
        with pytest.raises(SDKUsageError, match=r"r1 .* process 100 on here"):
            store.begin(journal.lease.serial, OTHER, new_run(99.0), 200.0)
        journal.record(outcome(2))

    def test_a_lease_that_ran_out_can_be_acquired_and_the_open_run_reads_interrupted(self, store: Store) -> None:
        journal = started(store)
        lease = store.begin(journal.lease.serial, OTHER, new_run(101.0), 200.0)
        assert (lease.epoch, lease.run) == (2, 2)
        assert [run.status for run in store.runs(lease.serial)] == ["interrupted", "running"]
        assert store.request("r1").owner == OTHER

    def test_take_over_fences_the_old_owner_in_every_verb(self, store: Store) -> None:
        old = started(store)
        store.begin(old.lease.serial, OTHER, new_run(21.0), 200.0, take_over=True)
        heard: list[BaseException | None] = []
        settled = threading.Event()

        def done(error: BaseException | None) -> None:
            heard.append(error)
            settled.set()

        old.post(outcome(3), done)
        assert settled.wait(10)
        assert type(heard[0]) is LeaseLost
        with pytest.raises(LeaseLost, match="process 200 on there"):
            old.record(outcome(2))
        with pytest.raises(LeaseLost):
            old.record(outcome(2), [Reached(1, BODY, 0, 2, 1, 0)])
        with pytest.raises(LeaseLost):
            old.renew(500.0)
        with pytest.raises(LeaseLost):
            old.finish(ended(outcome(ROOT, 0)))
        with pytest.raises(LeaseLost):
            old.finish(ended(None, "interrupted"))
        old.later(mark(9))
        with pytest.raises(LeaseLost):
            old.flush()
        old.close()
        row = store.request("r1")
        assert (row.status, row.owner, row.lease_until) == ("running", OTHER, 200.0)
        assert store.children(row.serial, 1, 0, 10) == store.children(row.serial, 0, 0, 10) == []
        assert store.reached(row.serial, 1) == []

    def test_begin_keeps_new_code_and_sets_calls_aside_with_their_history(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2))
        journal.record(outcome(3))
        journal.finish(ended(outcome(ROOT, 0)))
        newer = CodeVersion(b"n" * 32, b"newer", b"m" * 32)
        run = new_run(40.0, code=newer, set_aside=((1, 3), (0, 1), (7, 7)))
        lease = store.begin(journal.lease.serial, ME, run, 100.0)
        assert [row.flags for row in store.children(lease.serial, 1, 0, 10)] == [0, Flag.SET_ASIDE]
        assert store.children(lease.serial, 0, 0, 10)[0].flags == Flag.SET_ASIDE
        assert store.call(lease.serial, 1, 3) == outcome(3, flags=Flag.SET_ASIDE)
        assert store.code(newer.key) == newer
        assert store.request("r1").code_key == store.runs(lease.serial)[1].code_key == newer.key

    def test_free_identities_begin_after_every_identity_and_parent_in_use(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(7))
        journal.record(outcome(5, 40))
        journal.close()
        assert store.begin(journal.lease.serial, ME, new_run(), 100.0).next_identity == 41

    def test_begin_of_an_unknown_request_is_refused(self, store: Store) -> None:
        with pytest.raises(SDKUsageError, match="deleted"):
            store.begin(12345, ME, new_run(), 100.0)

    def test_only_one_of_many_gets_a_free_request(self, store: Store) -> None:
        row, _ = store.accept(new_request())
        barrier, leases, refused = threading.Barrier(4), [], []

        def race(pid: int) -> None:
            barrier.wait()
            try:
                leases.append(store.begin(row.serial, Owner("h", "b", "n", pid, "s"), new_run(), 100.0))
            except SDKUsageError as error:
                refused.append(error)

        threads = [threading.Thread(target=race, args=(pid,)) for pid in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(leases), len(refused)) == (1, 3)

    # recording

    def test_a_recorded_call_reads_back_field_by_field(self, store: Store) -> None:
        journal = started(store)
        full = outcome(
            2, flags=5, inputs=b"in", writes=b"w", children=3, result=b"r" * 16, blob=b"b" * 32, value=None, attempts=4
        )
        journal.record(full)
        assert store.call(journal.lease.serial, 1, 2) == full
        assert isinstance(store.children(journal.lease.serial, 1, 0, 1)[0], CallRow)
        assert store.call(journal.lease.serial, 1, 3) is None

    def test_a_call_has_one_outcome(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2))
        with pytest.raises(Settled, match="identity 2"):
            journal.record(outcome(2, value=b"another"))
        with pytest.raises(Settled):
            journal.record(outcome(2, value=b"another"), [Reached(1, BODY, 0, 2, 1, 0)])
        assert store.children(journal.lease.serial, 1, 0, 10) == [outcome(2)]
        assert store.reached(journal.lease.serial, 1) == []

    def test_an_older_attempt_or_pass_never_overwrites_a_newer_one(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2, pass_no=BODY + 1, attempts=1))
        for late in (outcome(2, pass_no=BODY, attempts=9), mark(2, pass_no=BODY, attempts=9)):
            with pytest.raises(Settled):
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
        assert settled.wait(10)
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
        deadline = threading.Event()
        while len(errors) < 6:
            deadline.wait(0.001)
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

    def test_a_stretch_that_grows_replaces_itself(self, store: Store) -> None:
        journal = started(store)
        journal.later(Reached(1, BODY, 0, 2, 1, 0))
        journal.record(outcome(9), [Reached(1, BODY, 0, 2, 4, 0)])
        assert store.reached(journal.lease.serial, 1) == [Reached(1, BODY, 0, 2, 4, 0)]

    def test_a_dropped_value_is_gone_and_its_digest_stays(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2, kind="reduce_step", result=b"r" * 16))
        journal.record(outcome(3, kind="reduce_step"), [Dropped(1, 2)])
        row = store.call(journal.lease.serial, 1, 2)
        assert row is not None
        assert (row.status, row.codec, row.value, row.mac, row.result) == ("succeeded", "", None, None, b"r" * 16)

    def test_children_come_in_pages_by_identity(self, store: Store) -> None:
        journal = started(store)
        for identity in (5, 2, 9, 7):
            journal.record(outcome(identity))
        journal.record(outcome(6, parent=2))
        serial = journal.lease.serial
        assert [row.identity for row in store.children(serial, 1, 0, 3)] == [2, 5, 7]
        assert [row.identity for row in store.children(serial, 1, 7, 3)] == [9]
        assert store.children(serial, 1, 9, 3) == []

    # ending

    def test_finish_ends_request_and_run_and_frees_the_lease(self, store: Store) -> None:
        journal = started(store)
        journal.later(mark(2))
        journal.finish(ended(outcome(ROOT, 0)))
        row = store.request("r1")
        assert (row.status, row.owner, row.lease_until, row.finished_at, row.error) == (
            "succeeded",
            None,
            0,
            30.0,
            None,
        )
        (run,) = store.runs(row.serial)
        assert (run.status, run.finished_at, run.executed, run.reused, run.saved) == ("succeeded", 30.0, 3, 2, 1.5)
        assert store.children(row.serial, 1, 0, 10) == [mark(2)]
        assert store.begin(row.serial, OTHER, new_run(31.0), 100.0).run == 2
        assert store.request("r1").finished_at is None

    def test_nothing_is_written_after_finish(self, store: Store) -> None:
        journal = started(store)
        journal.finish(ended(outcome(ROOT, 0), "failed"))
        with pytest.raises(LeaseLost, match="has ended"):
            journal.record(outcome(2))
        with pytest.raises(LeaseLost):
            journal.finish(ended(None, "interrupted"))
        journal.close()
        row = store.request("r1")
        assert (row.status, row.error) == ("failed", "it failed")
        assert store.children(row.serial, 1, 0, 10) == []

    def test_finish_with_a_settled_root_changes_nothing(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(ROOT, 0))
        with pytest.raises(Settled):
            journal.finish(ended(outcome(ROOT, 0)))
        assert store.request("r1").status == "running"

    def test_close_flushes_and_the_request_reads_interrupted(self, store: Store) -> None:
        journal = started(store)
        journal.later(mark(2))
        journal.close()
        journal.close()
        row = store.request("r1")
        assert (row.status, row.owner, row.lease_until) == ("interrupted", None, 0)
        assert store.children(row.serial, 1, 0, 10) == [mark(2)]
        assert store.runs(row.serial)[0].status == "interrupted"
        with pytest.raises(LeaseLost):
            journal.record(outcome(3))

    def test_renew_holds_the_lease_and_hears_of_a_cancel(self, store: Store) -> None:
        journal = started(store)
        assert journal.renew(150.0).cancel_requested is False
        assert store.request("r1").lease_until == 150.0
        store.cancel(journal.lease.serial)
        assert journal.renew(160.0).cancel_requested is True
        assert store.request("r1").status == "running"
        journal.finish(ended(None, "cancelled"))
        store.begin(journal.lease.serial, ME, new_run(), 100.0)
        assert store.request("r1").cancel_requested is False

    def test_a_queued_request_is_cancelled_at_once_and_an_ended_one_stays_as_it_is(self, store: Store) -> None:
        row, _ = store.accept(new_request())
        store.cancel(row.serial)
        assert store.request("r1").status == "cancelled"
        journal = started(store, "r2")
        journal.finish(ended(outcome(ROOT, 0)))
        store.cancel(journal.lease.serial)
        assert (store.request("r2").status, store.request("r2").cancel_requested) == ("succeeded", False)

    # deleting and sweeping

    def test_delete_removes_a_request_and_refuses_a_running_one(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2), [Logged(2, BODY, 1.0, "stdout", "x")])
        serial = journal.lease.serial
        with pytest.raises(SDKUsageError, match="r1"):
            store.delete(serial)
        journal.finish(ended(outcome(ROOT, 0)))
        store.delete(serial)
        left = (store.children(serial, 1, 0, 9), store.runs(serial), store.logs(serial), store.requests(Filter()))
        assert left == ([], [], [], [])
        with pytest.raises(SDKUsageError):
            store.delete(serial)
        assert store.accept(new_request("r1"))[0].serial > serial

    def test_a_writer_of_a_deleted_request_is_refused(self, store: Store) -> None:
        journal = started(store)
        journal.close()
        store.delete(journal.lease.serial)
        started(store, "r2")
        with pytest.raises(LeaseLost, match="deleted"):
            journal.record(outcome(2))

    def test_a_sweep_takes_old_ended_requests_only(self, store: Store) -> None:
        for id, status, pinned in (
            ("a", "succeeded", 0),
            ("b", "failed", 0),
            ("c", "succeeded", 1),
            ("d", "interrupted", 0),
        ):
            journal = started(store, id)
            journal.record(outcome(2))
            journal.finish(ended(None, status, at=50.0))
            store.pin(journal.lease.serial, bool(pinned))
        young = started(store, "e")
        young.finish(ended(None, at=990.0))
        started(store, "f")
        store.accept(new_request("g"))
        would = store.gc(older_than=100.0, now=1000.0, dry_run=True)
        assert sorted(would.requests) == ["a", "b"]
        assert len(store.requests(Filter())) == 7
        assert store.gc(older_than=100.0, now=1000.0, dry_run=False).requests == would.requests
        assert sorted(row.id for row in store.requests(Filter())) == ["c", "d", "e", "f", "g"]
        assert store.gc(older_than=100.0, now=1000.0, dry_run=False).requests == ()

    # large values

    @pytest.mark.parametrize("buffers", [[], [b""], [b"abc", bytearray(5000), b"", memoryview(bytes(range(200)))]])
    def test_a_blob_comes_back_with_writable_buffers(self, store: Store, buffers: list[bytes]) -> None:
        key = store.put_blob(b"the head", buffers)
        assert len(key) == 32
        head, found = store.get_blob(key)
        assert (head, [bytes(b) for b in found]) == (b"the head", [bytes(b) for b in buffers])
        assert not any(b.readonly for b in found)
        if len(found) > 1:
            found[0][:] = b"xyz"
        assert [bytes(b) for b in store.get_blob(key)[1]] == [bytes(b) for b in buffers]

    def test_equal_blobs_are_one_and_different_ones_are_not(self, store: Store) -> None:
        assert store.put_blob(b"h", [b"a", b"b"]) == store.put_blob(b"h", [b"a", b"b"])
        assert store.put_blob(b"h", [b"a", b"b"]) != store.put_blob(b"h", [b"ab", b""])
        assert store.put_blob(b"h", [b"a"]) != store.put_blob(b"ha", [b""])

    def test_a_missing_blob_is_a_typed_error(self, store: Store) -> None:
        with pytest.raises(DeserializationError, match="missing"):
            store.get_blob(b"\xab" * 32)

    def test_an_unknown_code_version_is_an_error(self, store: Store) -> None:
        with pytest.raises(SDKUsageError, match="abab"):
            store.code(b"\xab" * 32)

    # care

    def test_a_sound_store_checks_ok_and_has_a_size(self, store: Store) -> None:
        started(store).record(outcome(2))
        store.put_blob(b"h", [b"x" * 1000])
        assert {finding.level for finding in store.check()} == {"ok"}
        assert store.size() >= 1000

    def test_a_closed_store_refuses_and_closes_twice(self, store: Store) -> None:
        journal = started(store)
        store.close()
        store.close()
        for use in (
            lambda: store.request("last"),
            lambda: journal.record(outcome(2)),
            lambda: journal.flush(),
            lambda: store.accept(new_request("x")),
        ):
            with pytest.raises(StoreError, match="closed"):
                use()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_after_a_fork_the_child_refuses_and_the_parent_goes_on(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2))
        child = os.fork()
        if child == 0:
            os._exit(_refusals(store, journal))
        assert os.waitpid(child, 0)[1] == 0
        journal.record(outcome(3))
        assert len(store.children(journal.lease.serial, 1, 0, 9)) == 2


def _refusals(store: Store, journal: Journal) -> int:
    """In the child: 0 when every use is a StoreError that says why."""
    uses = (
        lambda: journal.record(outcome(9)),
        lambda: journal.record(outcome(9), [Reached(1, BODY, 0, 2, 1, 0)]),
        lambda: journal.flush(),
        lambda: store.children(1, 1, 0, 9),
        lambda: store.accept(new_request("x")),
    )
    for n, use in enumerate(uses, start=1):
        try:
            use()
        except StoreError as error:
            if "before a fork" not in str(error):
                return 10 + n
        else:
            return n
    store.close()
    return 0
