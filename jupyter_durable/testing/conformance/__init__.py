"""What every store does, as laws that a store can be held to; for those who write one of their own.

On a command line, with the URL of an empty store, or a function of yours that opens one:

    python -m jupyter_durable.testing.conformance postgresql://localhost/empty
    python -m jupyter_durable.testing.conformance my_package.store:open_it

In pytest, where each law is a test of its own; `store` is empty for each, `another` opens the same one once more:

    class TestMyStore(SharedStoreConformance):
        @pytest.fixture
        def store(self, tmp_path): ...

        @pytest.fixture
        def another(self, tmp_path): return lambda: MyStore(tmp_path)

`pytest.register_assert_rewrite("jupyter_durable.testing.conformance")` in a conftest.py makes failures speak.

Rules of this package
- A law knows a store by `store.base` alone: not how it is made, nor what it is made of. It needs no test framework.
- A law that a store breaks is named, never skipped. What a store need not do is no law.
"""

from __future__ import annotations

from jupyter_durable.testing.conformance.care import CareLaws
from jupyter_durable.testing.conformance.carrying import CarryingLaws
from jupyter_durable.testing.conformance.journals import JournalLaws
from jupyter_durable.testing.conformance.owning import OwningLaws
from jupyter_durable.testing.conformance.requests import RequestLaws
from jupyter_durable.testing.conformance.running import Broken, broken_laws
from jupyter_durable.testing.conformance.runs import RunLaws
from jupyter_durable.testing.conformance.sharing import SharingLaws

__all__ = ["Broken", "SharedStoreConformance", "StoreConformance", "broken_laws"]


class StoreConformance(RequestLaws, RunLaws, OwningLaws, JournalLaws, CareLaws, CarryingLaws):
    """The laws of a store that one process opens once."""


class SharedStoreConformance(StoreConformance, SharingLaws):
    """All laws: those of a store that several processes open, too."""
