"""`SimpleQueue`, as `queue` hands it on.

Rules of this file
- That module loads the queues that are written in Python, too, and `heapq` for one of them: nobody here needs them.
"""

from __future__ import annotations

try:
    from _queue import Empty, SimpleQueue
except ImportError:  # a Python built without its own
    from queue import Empty, SimpleQueue

__all__ = ["Empty", "SimpleQueue"]
