"""What was decided from a row that was read is done to the request as it was read, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import product
from typing import Final

from jupyter_durable.core.model import ROOT, Owner, RequestRow
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.base import Filter, NotAsRead, Seen, Store
from jupyter_durable.testing.conformance.expecting import raises
from jupyter_durable.testing.conformance.rows import ME, OTHER, ended, new_request, new_run, outcome, started, taken

SINCE: Final[dict[str, Callable[[Store, int], object]]] = {
    "taken over": taken,
    "let go": lambda store, serial: store.journal(taken(store, serial)).close(),
    "run to its end": lambda store, serial: store.journal(taken(store, serial)).finish(ended(outcome(ROOT, 0))),
    "settled": lambda store, serial: store.settle(serial, taken(store, serial).epoch, "cancelled", 30.0),
}
"""What another process may have done between the reading and the acting."""
DEEDS: Final[dict[str, Callable[[Store, RequestRow], object]]] = {
    "begin": lambda store, row: store.begin(row.serial, ME, new_run(40.0), 100.0, epoch=row.epoch),
    "settle": lambda store, row: store.settle(row.serial, row.epoch, "interrupted", 40.0),
}


class OwningLaws:
    """Each takes an empty store."""

    def test_nothing_is_done_to_a_request_that_is_not_as_it_was_read(self, store: Store) -> None:
        for since, deed in product(SINCE, DEEDS):
            started(store, f"{since}, {deed}")
            read = store.request("last")
            SINCE[since](store, read.serial)
            before = (store.request("last"), store.runs(read.serial))
            with raises(NotAsRead, match=r"process 200 on there" if since == "taken over" else "look at it again"):
                DEEDS[deed](store, read)
            assert (store.request("last"), store.runs(read.serial)) == before
            DEEDS[deed](store, store.request("last"))

    def test_who_has_decided_nothing_gets_only_what_nobody_owns(self, store: Store) -> None:
        """A lease that ran out is no permission: who owns it may be alive, and only the caller can know."""
        journal = started(store)
        with raises(NotAsRead, match="process 100 on here"):
            store.begin(journal.lease.serial, OTHER, new_run(1000.0), 2000.0)
        journal.close()
        assert store.begin(journal.lease.serial, OTHER, new_run(1000.0), 2000.0).run == 2

    def test_of_many_that_judged_one_owner_dead_one_takes_its_place(self, store: Store) -> None:
        journal = started(store)
        read, barrier = store.request("r1"), threading.Barrier(4)
        leases, refused = [], list[str]()

        def race(pid: int) -> None:
            barrier.wait()
            try:
                owner = Owner("h", "b", "n", pid, "s")
                leases.append(store.begin(read.serial, owner, new_run(30.0), 100.0, epoch=read.epoch))
            except NotAsRead as error:
                refused.append(str(error))

        threads = [threading.Thread(target=race, args=(pid,)) for pid in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(leases), len(refused)) == (1, 3)
        winner = store.request("r1").owner
        assert winner is not None
        assert all(f"process {winner.pid} on h" in text for text in refused)
        with raises(SDKUsageError):
            store.begin(journal.lease.serial, ME, new_run(31.0), 100.0)

    def test_of_many_that_saw_none_one_makes_the_request_of_a_cell(self, store: Store) -> None:
        wanted, barrier = Filter(notebook="n", cell="c"), threading.Barrier(4)
        made, refused = [], list[str]()

        def race(number: int) -> None:
            barrier.wait()
            try:
                made.append(store.accept(new_request(f"r{number}", notebook="n", cell="c"), seen=Seen(wanted, 0)))
            except NotAsRead as error:
                refused.append(str(error))

        threads = [threading.Thread(target=race, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(made), len(refused)) == (1, 3)
        assert [row.id for row in store.requests(wanted)] == [made[0][0].id]

    def test_settling_ends_the_open_run_and_adds_none(self, store: Store) -> None:
        journal = started(store)
        store.settle(journal.lease.serial, store.request("r1").epoch, "cancelled", 50.0)
        row = store.request("r1")
        assert (row.status, row.owner, row.lease_until, row.finished_at, row.run) == ("cancelled", None, 0, 50.0, 1)
        assert [(run.status, run.finished_at) for run in store.runs(row.serial)] == [("cancelled", 50.0)]
        with raises(SDKUsageError, match="deleted"):
            store.settle(12345, 0, "cancelled", 50.0)

    def test_what_was_cancelled_before_it_began_is_not_begun(self, store: Store) -> None:
        row, _ = store.accept(new_request())
        store.cancel(row.serial)
        with raises(NotAsRead, match="was cancelled"):
            store.begin(row.serial, ME, new_run(), 100.0, epoch=row.epoch)
        store.cancel(row.serial)
        assert store.request("r1").epoch == row.epoch + 1

    def test_a_request_is_not_accepted_beside_one_that_was_accepted_since_it_was_looked_for(self, store: Store) -> None:
        wanted = Filter(notebook="n", cell="c")
        store.accept(new_request("a", notebook="n", cell="other"), seen=Seen(wanted, 0))
        first, _ = store.accept(new_request("b", notebook="n", cell="c"), seen=Seen(wanted, 0))
        with raises(NotAsRead, match="request b"):
            store.accept(new_request("c", notebook="n", cell="c"), seen=Seen(wanted, 0))
        assert [row.id for row in store.requests(Filter())] == ["b", "a"]
        store.accept(new_request("c", notebook="n", cell="c"), seen=Seen(wanted, first.serial))
        store.accept(new_request("d", notebook="n", cell="c"))

    def test_a_moved_notebook_takes_along_what_is_as_it_was_read(self, store: Store) -> None:
        for id in ("r1", "r2", "r3"):
            store.accept(new_request(id, notebook="old"))
        read = store.requests(Filter(notebook="old"))
        store.begin(store.request("r2").serial, ME, new_run(), 100.0)
        assert store.move(read, "new") == 2
        assert [row.notebook for row in store.requests(Filter())] == ["new", "old", "new"]
        assert store.move([], "new") == 0
