"""A store that several processes open: what one of them was told, all others see and respect."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from jupyter_durable.core.model import ROOT, Lease, Logged, Owner
from jupyter_durable.errors import LeaseLost
from jupyter_durable.store.base import Filter, NotAsRead, Store
from jupyter_durable.testing.conformance.expecting import raises
from jupyter_durable.testing.conformance.rows import (
    BODY,
    CODE,
    OTHER,
    ended,
    mark,
    new_request,
    new_run,
    outcome,
    started,
    taken,
)

Got = TypeVar("Got")


class SharingLaws:
    """Each takes an empty store and `another`, which opens the same one once more, as another process would."""

    def test_what_one_has_recorded_another_reads(self, store: Store, another: Callable[[], Store]) -> None:
        second, journal = another(), started(store)
        key = store.put_blob(b"head", [b"large" * 20_000])
        journal.record(outcome(2, value=None, blob=key), [Logged(2, BODY, 1.0, "stdout", "x")])
        serial = journal.lease.serial
        assert second.request("r1") == store.request("r1")
        assert second.call(serial, 1, 2) == outcome(2, value=None, blob=key)
        assert second.logs(serial) == [Logged(2, BODY, 1.0, "stdout", "x")]
        assert second.code(CODE.key) == CODE
        head, buffers = second.get_blob(key)
        assert (head, [bytes(buffer) for buffer in buffers]) == (b"head", [b"large" * 20_000])

    def test_what_is_closed_and_opened_again_has_all_that_it_was_told(
        self, store: Store, another: Callable[[], Store]
    ) -> None:
        journal = started(store)
        journal.later(mark(3))
        journal.record(outcome(2))
        journal.close()
        row, key = store.request("r1"), store.put_blob(b"head", [b"x"])
        store.close()
        again = another()
        assert again.request("r1") == row
        assert again.children(row.serial, 1, 0, 9) == [outcome(2), mark(3)]
        assert [run.status for run in again.runs(row.serial)] == ["interrupted"]
        assert again.get_blob(key)[0] == b"head"
        assert again.accept(new_request("r2"))[0].serial > row.serial

    def test_who_takes_over_elsewhere_fences_the_owner_here(self, store: Store, another: Callable[[], Store]) -> None:
        journal, second = started(store), another()
        journal.record(outcome(2))
        lease = taken(second, journal.lease.serial)
        with raises(LeaseLost, match="process 200 on there"):
            journal.record(outcome(3))
        with raises(LeaseLost):
            journal.renew(500.0)
        journal.later(mark(9))
        with raises(LeaseLost):
            journal.flush()
        journal.close()
        second.journal(lease).record(outcome(4))
        assert [row.identity for row in store.children(lease.serial, 1, 0, 9)] == [2, 4]
        assert store.request("r1").owner == OTHER

    def test_of_several_openings_one_gets_the_request(self, store: Store, another: Callable[[], Store]) -> None:
        for turn in range(5):
            row, _ = store.accept(new_request(f"turn {turn}"))
            openings = [store, another(), another()]
            leases, refused = _race(openings, partial(_begun, serial=row.serial))
            assert (len(leases), len(refused)) == (1, 2)

    def test_one_idempotency_key_is_one_request_for_all(self, store: Store, another: Callable[[], Store]) -> None:
        openings = [store, another(), another()]
        made, _ = _race(
            openings, lambda each, owner: each.accept(new_request(f"r{owner.pid}", idempotency_key="the same"))
        )
        assert sorted(fresh for _, fresh in made) == [False, False, True]
        assert len({row.serial for row, _ in made}) == len(store.requests(Filter())) == 1

    def test_a_cancel_from_elsewhere_is_heard(self, store: Store, another: Callable[[], Store]) -> None:
        journal = started(store)
        another().cancel(journal.lease.serial)
        assert journal.renew(150.0).cancel_requested

    def test_what_was_deleted_elsewhere_is_gone_here(self, store: Store, another: Callable[[], Store]) -> None:
        journal = started(store)
        journal.record(outcome(2))
        journal.finish(ended(outcome(ROOT, 0)))
        another().delete(journal.lease.serial)
        assert store.requests(Filter()) == []
        assert store.children(journal.lease.serial, 1, 0, 9) == []


def _begun(store: Store, owner: Owner, serial: int) -> Lease:
    return store.begin(serial, owner, new_run(), 100.0)


def _race(openings: list[Store], deed: Callable[[Store, Owner], Got]) -> tuple[list[Got], list[NotAsRead]]:
    """What the openings got that did the deed at the same moment, and what the others were told."""
    barrier = threading.Barrier(len(openings))
    got: list[Got] = []
    refused: list[NotAsRead] = []

    def run(store: Store, pid: int) -> None:
        barrier.wait()
        try:
            got.append(deed(store, Owner("h", "b", "n", pid, "s")))
        except NotAsRead as error:
            refused.append(error)

    threads = [threading.Thread(target=run, args=(store, pid)) for pid, store in enumerate(openings)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got, refused
