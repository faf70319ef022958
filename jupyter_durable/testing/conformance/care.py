"""Deleting, sweeping, large values, closing, forking."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

from jupyter_durable.core.model import (
    ROOT,
    Logged,
    Reached,
)
from jupyter_durable.errors import DeserializationError, LeaseLost, SDKUsageError, StoreError
from jupyter_durable.store.base import Buffer, Filter, Journal, Store
from jupyter_durable.testing.conformance.expecting import raises
from jupyter_durable.testing.conformance.rows import BODY, ended, new_request, outcome, started


class CareLaws:
    """Each takes an empty store."""

    # deleting and sweeping

    def test_delete_removes_a_request_and_refuses_a_running_one(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2), [Logged(2, BODY, 1.0, "stdout", "x")])
        serial = journal.lease.serial
        with raises(SDKUsageError, match="r1"):
            store.delete(serial)
        journal.finish(ended(outcome(ROOT, 0)))
        store.delete(serial)
        left = (store.children(serial, 1, 0, 9), store.runs(serial), store.logs(serial), store.requests(Filter()))
        assert left == ([], [], [], [])
        with raises(SDKUsageError):
            store.delete(serial)
        assert store.accept(new_request("r1"))[0].serial > serial

    def test_a_writer_of_a_deleted_request_is_refused(self, store: Store) -> None:
        journal = started(store)
        journal.close()
        store.delete(journal.lease.serial)
        started(store, "r2")
        with raises(LeaseLost, match="deleted"):
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

    def test_a_blob_comes_back_with_writable_buffers(self, store: Store) -> None:
        several: list[Buffer] = [b"abc", bytearray(5000), b"", memoryview(bytes(range(200)))]
        for buffers in ([], [b""], [bytes(3_000_000)], several):
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
        with raises(DeserializationError, match="missing"):
            store.get_blob(b"\xab" * 32)

    def test_an_unknown_code_version_is_an_error(self, store: Store) -> None:
        with raises(SDKUsageError, match="abab"):
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
            with raises(StoreError, match="closed"):
                use()

    def test_after_a_fork_the_child_refuses_and_the_parent_goes_on(self, store: Store) -> None:
        journal = started(store)
        journal.record(outcome(2))
        if not hasattr(os, "fork"):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that a process with threads forks is the point
            child = os.fork()
        if child == 0:
            os._exit(_refusals(store, journal))
        assert os.waitpid(child, 0)[1] == 0
        journal.record(outcome(3))
        assert len(store.children(journal.lease.serial, 1, 0, 9)) == 2


def _refusals(store: Store, journal: Journal) -> int:
    """In the child: 0 when every use is a StoreError that says why."""
    uses: tuple[Callable[[], object], ...] = (
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
