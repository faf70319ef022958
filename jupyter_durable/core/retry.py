"""Whether a failed attempt is followed by another, and when.

Rules of this file
- Pure: the draw for the jitter is given, the delay is returned in seconds.
- `max_retries` is the budget: an attempt beyond `1 + max_retries` never starts. Attempts survive restarts.
- Never retried, whatever `retry_on` says: the user's verdict (`RequestError`), wrong use, failures of the store,
  cancels, a divergence, and what is no `Exception` (KeyboardInterrupt, SystemExit, asyncio.CancelledError).
"""

from __future__ import annotations

from typing import Final

from jupyter_durable.errors import (
    Cancelled,
    InternalError,
    ReplayError,
    RequestError,
    SDKUsageError,
    StoreError,
)
from jupyter_durable.records import NamedTuple

__all__ = ["NEVER_RETRIED", "RetryPolicy", "decide"]

NEVER_RETRIED: Final = (RequestError, SDKUsageError, StoreError, Cancelled, ReplayError, InternalError)


class RetryPolicy(NamedTuple):
    """The values of `Retries`. Delays in seconds."""

    max_retries: int
    initial_delay: float
    max_delay: float
    delay_multiplier: float
    jitter: bool
    retry_on: tuple[type[BaseException], ...]


def decide(policy: RetryPolicy, attempts: int, error: BaseException, draw: float) -> float | None:
    """Seconds to wait before the next attempt, None when there is none.

    `attempts` counts those that have started, the failed one included. With jitter the wait is between half of the
    delay and the delay: `draw`, in 0..1, says where.
    """
    if attempts > policy.max_retries or not isinstance(error, Exception) or isinstance(error, NEVER_RETRIED):
        return None
    if not isinstance(error, policy.retry_on):
        return None
    try:
        delay = policy.initial_delay * policy.delay_multiplier ** (attempts - 1)
    except OverflowError:
        delay = policy.max_delay
    delay = min(delay, policy.max_delay)
    return delay * (0.5 + 0.5 * draw) if policy.jitter else delay
