"""Each test of the programming model has an engine of its own, on a store in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_durable.testing import Bench, memory_store


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A fresh engine on a store in memory."""
    with memory_store() as made:
        yield made
