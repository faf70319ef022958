"""What a batch that was sent again adds: of equal logs and metrics as many as are not there."""

from __future__ import annotations

import pytest

from jupyter_durable.core.model import Logged, Metric, Write
from jupyter_durable.server.remote import resent
from jupyter_durable.store import open_store
from jupyter_durable.testing.conformance.rows import BODY, started

EQUAL: list[Write] = [Metric(2, "counter", "n", 1.0), Logged(2, BODY, 1.0, "stdout", "x")]


@pytest.mark.parametrize("write", EQUAL)
@pytest.mark.parametrize("arrived", [0, 1, 2])
def test_of_two_equal_ones_in_a_batch_those_are_written_that_are_not_there(write: Write, arrived: int) -> None:
    store = open_store("memory:")
    journal = started(store)
    for _ in range(arrived):
        journal.later(write)
    journal.flush()
    assert resent.unwritten(store, journal.lease, [write, write]) == [write] * (2 - arrived)
    store.close()
