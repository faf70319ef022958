"""Requests taken in from another store."""

from __future__ import annotations

from jupyter_durable.core.history import History
from jupyter_durable.core.model import (
    ROOT,
    ArgumentsDecide,
    Attempted,
    CodeVersion,
    Logged,
    Metric,
    Progressed,
    Reached,
    RequestRow,
    RunRow,
)
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.base import Filter, NotAsRead, Store
from jupyter_durable.testing.conformance.expecting import raises
from jupyter_durable.testing.conformance.rows import BODY, CODE, ME, new_request, new_run, outcome

_LATER = CodeVersion(b"l" * 32, b"later", b"n" * 32)


def carried(store: Store, id: str = "a", runs: int = 2, **changes: object) -> History:
    """A request that failed, with something of everything."""
    row = RequestRow(
        9, id, "app", "function_call", "failed", 10.0, 11.0, 31.0, b"input", b"i" * 16, _LATER.key, "n.ipynb", "c",
        None, "x", "[]", 1, runs, 7, None, 0.0, False, True, "it failed", None, b"r" * 36,
    )  # fmt: skip
    return History(
        row._replace(**changes),  # type: ignore[arg-type]
        [_LATER, CODE],
        [
            RunRow(n, "adaptive", "failed", 10.0 + n, 30.0 + n, (CODE, _LATER)[n > 1].key, n, 1, 0.5)
            for n in range(1, runs + 1)
        ],
        [
            outcome(ROOT, 0, children=2),
            outcome(2, blob=store.put_blob(b"head", [b"buffer"]), value=None),
            outcome(3, 2),
            outcome(4, flags=2),
        ],
        [Reached(1, 2 * BODY, 1, 2, 1, 16, b"m" * 32)],
        [ArgumentsDecide(1, "f", BODY, b"m" * 32)],
        [Attempted(4, BODY, 1, 12.0, 0.5, b"error")],
        [Logged(2, BODY, 12.0, "stdout", "first\n"), Logged(2, BODY, 12.5, "stdout", "then\n")],
        [Progressed(2, 1.0, 2.0, "half", None, 12.0)],
        [Metric(2, "counter", "n", 1.0)],
    )


def _found(store: Store, id: str, given: History) -> History:
    """What is there now of a history."""
    row = store.request(id)
    parents = (0, 1, 2, 3, 4)
    return History(
        row,
        [store.code(each.key) for each in given.code],
        store.runs(row.serial),
        [each for parent in parents for each in store.children(row.serial, parent, 0, 10)],
        [each for parent in parents for each in store.reached(row.serial, parent)],
        [each for parent in parents for each in store.decided(row.serial, parent)],
        [each for parent in parents for each in store.attempts(row.serial, parent)],
        store.logs(row.serial),
        store.progress(row.serial),
        store.metrics(row.serial),
    )


def _alike(found: History, given: History) -> bool:
    here, there = (
        (each._replace(request=each.request._replace(serial=0, epoch=0), calls=sorted(each.calls)))
        for each in (found, given)
    )
    return here == there


class CarryingLaws:
    """Each takes an empty store."""

    def test_a_request_that_is_taken_in_reads_as_it_was_and_goes_on_from_there(self, store: Store) -> None:
        given = carried(store)
        row = store.take_in(given)
        assert row == store.request("a")
        assert _alike(_found(store, "a", given), given)
        lease = store.begin(row.serial, ME, new_run(40.0), 100.0)
        assert (lease.run, lease.next_identity) == (3, 5)

    def test_what_continues_a_request_takes_its_place_and_nothing_of_the_old_stays(self, store: Store) -> None:
        first = store.take_in(carried(store, runs=1))
        given = carried(store, runs=3)
        again = store.take_in(given, over=first.epoch)
        assert again.serial == first.serial
        assert again.epoch > first.epoch
        assert _alike(_found(store, "a", given), given)
        assert len(store.requests(Filter())) == 1

    def test_a_request_that_was_acted_on_meanwhile_is_left_as_it_is(self, store: Store) -> None:
        first = store.take_in(carried(store, runs=1))
        store.begin(first.serial, ME, new_run(40.0), 100.0)
        with raises(NotAsRead, match="process 100"):
            store.take_in(carried(store, runs=3), over=first.epoch)
        assert len(store.runs(first.serial)) == 2

    def test_an_id_or_a_key_of_another_request_is_not_taken(self, store: Store) -> None:
        store.accept(new_request("a", idempotency_key="key"))
        with raises(SDKUsageError, match="a already"):
            store.take_in(carried(store))
        with raises(SDKUsageError, match=r"b has the idempotency key 'key', which request a"):
            store.take_in(carried(store, "b", idempotency_key="key"))
        with raises(SDKUsageError):
            store.take_in(carried(store, "c"), over=3)
        assert [row.id for row in store.requests(Filter())] == ["a"]
        assert store.runs(store.request("a").serial) == []
