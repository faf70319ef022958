"""What every store does. A subclass of `StoreConformance` says how to open one, by a fixture `store`."""

from __future__ import annotations

from tests.store.conformance.care import CareLaws
from tests.store.conformance.journals import JournalLaws
from tests.store.conformance.owning import OwningLaws
from tests.store.conformance.requests import RequestLaws


class StoreConformance(RequestLaws, OwningLaws, JournalLaws, CareLaws):
    """All laws."""
