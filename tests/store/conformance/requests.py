"""Requests: accepted, found, listed, acquired, ended."""

from __future__ import annotations

import threading

import pytest

from jupyter_durable.core.model import (
    ROOT,
    CodeVersion,
    Flag,
    Owner,
    Reached,
)
from jupyter_durable.errors import LeaseLost, SDKUsageError
from jupyter_durable.store.base import Filter, Settled, Store
from tests.store.rows import BODY, CODE, ME, OTHER, ended, mark, new_request, new_run, outcome, started, taken


class RequestLaws:
    """`store` is a fixture of the subclass."""

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
        read = store.requests(Filter(notebook="old"))
        assert store.move(read, "new") == 2
        assert store.move(read, "new") == 0
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

    def test_a_request_is_taken_as_it_was_read_and_the_open_run_reads_interrupted(self, store: Store) -> None:
        journal = started(store)
        lease = store.begin(journal.lease.serial, OTHER, new_run(101.0), 200.0, epoch=store.request("r1").epoch)
        assert (lease.epoch, lease.run) == (2, 2)
        assert [run.status for run in store.runs(lease.serial)] == ["interrupted", "running"]
        assert store.request("r1").owner == OTHER

    def test_take_over_fences_the_old_owner_in_every_verb(self, store: Store) -> None:
        old = started(store)
        taken(store, old.lease.serial)
        heard: list[BaseException | None] = []
        settled = threading.Event()

        def done(error: BaseException | None) -> None:
            heard.append(error)
            settled.set()

        old.post(outcome(3), done)
        assert settled.wait(100)
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
        journal.renew(151.0, 15.0)
        row = store.request("r1")
        assert (row.lease_until, row.lease_boot) == (151.0, 15.0)
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
