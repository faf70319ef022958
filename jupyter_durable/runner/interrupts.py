"""What of a run no interrupt cuts off: its end, and the start of a thread."""

from __future__ import annotations

import threading
from typing import Final

from jupyter_durable.runner.ending import end_stopped, finish
from jupyter_durable.runner.signals import handle

WHOLE: Final = frozenset(fn.__code__ for fn in (threading.Thread.start, finish, end_stopped))
"""What is not interrupted where it waits either."""


def guard() -> None:
    """Let no interrupt cut the engine off from now on. Where a run begins; in other threads it does nothing."""
    handle(WHOLE)
