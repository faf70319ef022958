"""What was answered lately, by idempotency key: who lost an answer, or whose message came twice, gets the same one.

Rules of this file
- While an operation is under way, who asks for the same waits for it.
- Only what was done is remembered. What was refused changed nothing and is tried again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

MOST: Final = 4096
LARGEST: Final = 64 * 1024
"""Bytes of an answer that is remembered; those of writes are much smaller."""


class Answers:
    """Remembers the last ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Future[bytes]] = OrderedDict()

    def once(self, namespace: str, key: str, work: Callable[[bool], bytes], *, again: bool) -> bytes:
        """The answer to an operation, done by `work` unless it was done under this key. `work` is told whether it may
        have been done by an earlier server."""
        name = (namespace, key)
        with self._lock:
            known = self._kept.get(name)
            if known is None:
                mine = self._kept[name] = Future()
                while len(self._kept) > MOST:
                    self._kept.popitem(last=False)
        if known is not None:
            return known.result()
        try:
            answer = work(again)
        except BaseException as error:
            self._forget(name)
            mine.set_exception(error)
            raise
        mine.set_result(answer)
        if len(answer) > LARGEST:
            self._forget(name)
        return answer

    def _forget(self, name: tuple[str, str]) -> None:
        with self._lock:
            self._kept.pop(name, None)
