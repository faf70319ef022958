"""What bodies that run elsewhere come to: the Futures of `concurrent.futures`, made and waited for.

Rules of this file
- `concurrent.futures` brings `logging`. It is imported here alone, when a first body is to run elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import concurrent.futures


def new_outcome() -> concurrent.futures.Future[Any]:
    """Of a body that is to run."""
    import concurrent.futures

    return concurrent.futures.Future()


def wait_for(
    outcomes: Iterable[concurrent.futures.Future[Any]], seconds: float | None, return_when: str = "ALL_COMPLETED"
) -> tuple[set[concurrent.futures.Future[Any]], set[concurrent.futures.Future[Any]]]:
    """Which are there after at most so many seconds, and which are not. `return_when`: as `concurrent.futures.wait`."""
    import concurrent.futures

    return concurrent.futures.wait(outcomes, seconds, return_when)
