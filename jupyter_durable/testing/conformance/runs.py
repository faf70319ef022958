"""Runs: a request acquired, held, ended, let go."""

from __future__ import annotations

import threading

from jupyter_durable.core.model import (
    ROOT,
    CodeVersion,
    Flag,
    Owner,
    Reached,
)
from jupyter_durable.errors import LeaseLost, SDKUsageError
from jupyter_durable.store.base import Settled, Store
from jupyter_durable.testing.conformance.expecting import raises
from jupyter_durable.testing.conformance.rows import (
    BODY,
    CODE,
    ME,
    OTHER,
    ended,
    mark,
    new_request,
    new_run,
    outcome,
    started,
    taken,
)


class RunLaws:
    """Each takes an empty store."""

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
        with raises(SDKUsageError, match=r"r1 .* process 100 on here"):
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
        with raises(LeaseLost, match="process 200 on there"):
            old.record(outcome(2))
        with raises(LeaseLost):
            old.record(outcome(2), [Reached(1, BODY, 0, 2, 1, 0)])
        with raises(LeaseLost):
            old.renew(500.0)
        with raises(LeaseLost):
            old.finish(ended(outcome(ROOT, 0)))
        with raises(LeaseLost):
            old.finish(ended(None, "interrupted"))
        old.later(mark(9))
        with raises(LeaseLost):
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
        with raises(SDKUsageError, match="deleted"):
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
        with raises(LeaseLost, match="has ended"):
            journal.record(outcome(2))
        with raises(LeaseLost):
            journal.finish(ended(None, "interrupted"))
        journal.close()
        row = store.request("r1")
        assert (row.status, row.error) == ("failed", "it failed")
        assert store.children(row.serial, 1, 0, 10) == []

    def test_finish_with_a_settled_root_changes_nothing(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(ROOT, 0))
        with raises(Settled):
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
        with raises(LeaseLost):
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
