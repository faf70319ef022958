"""The stores that the server has open: those that this user's kernels and programs have opened.

Rules of this file
- A store is named by a digest of its URL: the page never gives a path or a URL,
  and is told one only where a new kernel has to be told it.
- A store that was deleted, replaced or damaged costs itself only: the others go on.
- Nothing here runs on the event loop.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from jupyter_durable.client.engine import Engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.core.model import RequestRow
from jupyter_durable.errors import DurableError, SDKUsageError
from jupyter_durable.store import listed
from jupyter_durable_server.recent import Recent, Uncollected

ANY: Final = "any"
"""In place of a store's name: whichever store has the request."""


class UnknownRequest(Exception):
    """No store has it; the text says so and what to do."""


class Opened(NamedTuple):
    """A store that is open."""

    name: str
    engine: Engine
    file: tuple[int, int]
    """Device and inode: another file of that name is another store."""


class Stores:
    """Opens what is listed, keeps it open, lets go what is no more. For several threads at once."""

    def __init__(self, known: Callable[[], list[str]] = listed.known) -> None:
        self._known = known
        self._open: dict[str, Opened] = {}
        self._lock = threading.Lock()
        self.recent = Recent()
        """What was answered lately."""
        self.uncollected = Uncollected()

    def all(self) -> tuple[list[Opened], list[str]]:
        """The stores, and what is wrong with those that do not open."""
        found, wrong = [], []
        with self._lock:
            urls = self._known()
            for url in [url for url in self._open if url not in urls]:
                self._close(url)
            for url in urls:
                try:
                    found.append(self._one(url))
                except DurableError as error:
                    wrong.append(str(error))
        return found, wrong

    def holding(self, store: str, id: str) -> tuple[Engine, RequestRow]:
        """A request by the name of its store and its whole id. Raises `UnknownRequest`."""
        for each in self.all()[0]:
            if store in (each.name, ANY):
                row = _exactly(each.engine, id)
                if row is not None:
                    return each.engine, row
        raise UnknownRequest(
            f"No store that this server knows has request {id}. It was deleted, or it is in a store of another machine "
            "or user; run the cell again to make it anew."
        )

    def _one(self, url: str) -> Opened:
        file = _identity(url)
        known = self._open.get(url)
        if known is not None and known.file == file:
            return known
        if known is not None:
            self._close(url)
        engine = Engine(Settings(store=url))
        engine.store  # noqa: B018 - opened now, so that what is wrong with it is known now
        made = self._open[url] = Opened(name_of(url), engine, file)
        return made

    def _close(self, url: str) -> None:
        self._open.pop(url).engine.store.close()


def _exactly(engine: Engine, id: str) -> RequestRow | None:
    try:
        row = engine.store.request(id)
    except SDKUsageError:  # none, or several that begin like it
        return None
    return row if row.id == id else None


def name_of(url: str) -> str:
    """What the page calls a store."""
    return hashlib.blake2b(url.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _identity(url: str) -> tuple[int, int]:
    try:
        found = Path(url.removeprefix(listed.SCHEME)).stat()
    except OSError as error:
        raise SDKUsageError(f"the store {url} cannot be read: {error}") from error
    return found.st_dev, found.st_ino
