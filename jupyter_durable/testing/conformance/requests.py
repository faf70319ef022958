"""Requests: accepted, found, listed."""

from __future__ import annotations

from jupyter_durable.core.model import (
    ROOT,
)
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.base import Filter, Store
from jupyter_durable.testing.conformance.expecting import raises
from jupyter_durable.testing.conformance.rows import (
    CODE,
    ME,
    ended,
    new_request,
    new_run,
    outcome,
    started,
)


class RequestLaws:
    """Each takes an empty store."""

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
        with raises(SDKUsageError, match="a already"):
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
        with raises(SDKUsageError, match=r"aa1, aa2"):
            store.request("aa")
        for missing in ("zz", "", "b_", "%"):
            with raises(SDKUsageError, match="there is no request"):
                store.request(missing)

    def test_an_exact_id_wins_over_longer_ones(self, store: Store) -> None:
        for id in ("aa", "aab"):
            store.accept(new_request(id))
        assert store.request("aa").id == "aa"

    def test_last_of_an_empty_store_says_that_there_is_none(self, store: Store) -> None:
        with raises(SDKUsageError, match="no request yet"):
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
