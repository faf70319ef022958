"""For the tests of your own durable functions: a store in memory, a clock that obeys, crashes on demand.

`jupyter_durable.testing.conformance` is for those who write a store of their own.

    import pytest
    from jupyter_durable.testing import crash_after, executions, memory_store

    @pytest.fixture
    def durable():
        with memory_store() as bench:
            yield bench

    def test_goes_on_after_a_crash(durable):
        with crash_after(3):
            run_local_application(report, 10)
        request = get_request("last").replay()
        assert executions(request) == {"page": 7}

Rules of this file
- It is the contract: what stands in `__all__` keeps its name and its place. What each does is said where it is written.
"""

from __future__ import annotations

from jupyter_durable.testing.bench import Bench, Crash, Crashed, crash_after, executions, memory_store
from jupyter_durable.testing.clock import FakeClock

__all__ = ["Bench", "Crash", "Crashed", "FakeClock", "crash_after", "executions", "memory_store"]
