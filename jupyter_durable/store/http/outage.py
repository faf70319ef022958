"""Waiting for a server that does not answer, and giving it up.

Rules of this file
- Who needs the server waits for it, however long that takes, and says so once: an acknowledged result is never lost,
  and one that is not acknowledged is not taken for it.
- An interrupt gives the server up: whoever waits is refused, and so is what comes, after a try each, until it answers.
- Waits grow up to `LONGEST_SECONDS` and are spread by chance, so that clients do not come back all at once.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Final

from jupyter_durable.errors import CheckpointError

log = logging.getLogger("jupyter_durable.store")
FIRST_SECONDS: Final = 0.02
LONGEST_SECONDS: Final = 2.0
TELL_SECONDS: Final = 2.0
"""After this time it is told: shorter ones are a restart or a bad connection."""


class Outage:
    """Whether a server answers; shared by all threads that need it."""

    def __init__(self, url: str, tell: Callable[[str], None] | None) -> None:
        self._url = url
        self._tell = log.warning if tell is None else tell
        self._lock = threading.Lock()
        self._since: float | None = None
        self._began = 0.0
        self._told = self._given_up = False
        self._wake = threading.Event()

    def wait(self, tries: int, why: str) -> None:
        """The server did not answer for the `tries`th time: wait before the next. Raises `CheckpointError` when it is
        given up."""
        with self._lock:
            now = time.monotonic()
            if self._since is None:
                self._since, self._began, self._told = now, time.time(), False
            tell = not self._told and now - self._since >= TELL_SECONDS
            self._told = self._told or tell
            if self._given_up:
                raise self._refusal(why)
        if tell:
            self._tell(
                f"the server at {self._url} does not answer since {self._clock()} ({why}); waiting for it."
                " Interrupt to give up"
            )
        longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(tries, 10))
        if self._wake.wait(longest * (0.5 + random.random() / 2)):
            raise self._refusal(why)

    def over(self) -> None:
        """The server has answered."""
        if self._since is None and not self._given_up:
            return
        with self._lock:
            told, self._told = self._told, False
            self._since, self._given_up = None, False
            self._wake.clear()
        if told:
            log.info("the server at %s answers again", self._url)

    def give_up(self) -> None:
        """Somebody does not want to wait any more; nothing where the server answers."""
        with self._lock:
            if self._since is not None:
                self._given_up = True
                self._wake.set()

    def _clock(self) -> str:
        return time.strftime("%H:%M:%S", time.localtime(self._began))

    def _refusal(self, why: str) -> CheckpointError:
        return CheckpointError(
            f"the server at {self._url} does not answer since {self._clock()} ({why}), and was given up. Results are"
            " kept in memory: replay the request when it is back"
        )
