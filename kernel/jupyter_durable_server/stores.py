"""The stores that the server has open: those that this user's kernels and programs have opened.

Rules of this file
- A store is named by a digest of its URL: the page never gives a path or a URL,
  and is told one only where a new kernel has to be told it.
- A store that was deleted, replaced, damaged or made to do harm costs itself only: all that is asked of it runs in
  threads of its own (`lanes`), for so long and no longer. One that took too long is asked again when its file has
  changed, or when somebody asks for one of its requests.
- Nothing here runs on the event loop.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple, TypeVar

from jupyter_durable.client.engine import Engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.core.model import RequestRow
from jupyter_durable.errors import DurableError, SDKUsageError, StoreError
from jupyter_durable.store import listed
from jupyter_durable.store.base import TookTooLong
from jupyter_durable.store.location import shown
from jupyter_durable.store.sqlite.frames import kept_logs
from jupyter_durable_server.lanes import Lane, left
from jupyter_durable_server.recent import Recent, Uncollected

ANY: Final = "any"
"""In place of a store's name: whichever store has the request."""
SOON_SECONDS: Final = 20.0
"""How long a list, and what is done to a request, may take in one store."""
LONG_SECONDS: Final = 60.0
"""The same of a look at one request, which may have 100,000 calls."""
AGAIN_SECONDS: Final = 60.0
"""How long a store that is no file is left alone when it took too long."""
PATIENCE_SECONDS: Final = 1.0
"""How long a list waits for a store; then it goes without, and says so."""
LATE_SECONDS: Final = 0.05
"""The same of a store that was waited for in vain, and is still at it."""
T = TypeVar("T")


class UnknownRequest(Exception):
    """No store has it; the text says so and what to do."""


class Opened(NamedTuple):
    """A store that is open."""

    name: str
    engine: Engine
    file: tuple[int, int]
    """Device and inode: another file of that name is another store."""


class Place:
    """One listed store, which need not open: its threads, and what became of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = name_of(url)
        self.is_file = url.startswith(listed.SCHEME)
        self.path = url.removeprefix(listed.SCHEME) if self.is_file else shown(url)
        self.soon = Lane(self.path, SOON_SECONDS)
        self._long = Lane(self.path, LONG_SECONDS)
        self._lock = threading.Lock()
        self._opened: Opened | None = None
        self._given_up: tuple[object, str] | None = None

    def ask(self, work: Callable[[Opened], T], *, asked_for: bool = False, long: bool = False) -> Future[T]:
        """What `work` makes of the store, in one of its threads.

        `asked_for`: somebody wants something of this store in particular, so it is tried again if it was given up.
        """
        return (self._long if long else self.soon).ask(lambda: self._work(work, asked_for))

    def close(self) -> None:
        """Let go of it, in its own thread: what hangs there is not waited for."""
        for lane in (self.soon, self._long):
            lane.end()
        threading.Thread(target=self._close, name="durable-close", daemon=True).start()

    def _work(self, work: Callable[[Opened], T], asked_for: bool) -> T:
        if self._given_up is not None and not asked_for and self._given_up[0] == self._looks():
            raise StoreError(self._given_up[1])
        try:
            found = work(self._one())
        except TookTooLong as error:
            who = "" if self.path in str(error) else f"the store {self.path}: "
            said = f"{who}{error}. It is tried again when it changes, or when one of its requests is opened"
            self._given_up = self._looks(), said
            raise StoreError(said) from error
        self._given_up = None
        return found

    def _looks(self) -> object:
        """What changes when somebody writes to it; of what is no file, with time."""
        if not self.is_file:
            return int(monotonic() / AGAIN_SECONDS)
        found = []
        for suffix in ("", "-wal"):
            try:
                seen = os.stat(self.path + suffix)
            except OSError:
                continue
            found.append((seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns))
        return found

    def _one(self) -> Opened:
        with self._lock:
            file = self._identity()
            if self._opened is not None and (self._opened.file != file or self._opened.engine.store.gone()):
                self._opened.engine.store.close()
                self._opened = None
            if self._opened is None:
                engine = Engine(Settings(store=self.url), limit=left)
                engine.store  # noqa: B018 - opened now, so that what is wrong with it is known now
                self._opened = Opened(self.name, engine, file)
            return self._opened

    def _identity(self) -> tuple[int, int]:
        if not self.is_file:
            return 0, 0
        try:
            found = Path(self.path).stat()
        except OSError as error:
            raise SDKUsageError(f"the store {self.url} cannot be read: {error}") from error
        return found.st_dev, found.st_ino

    def _close(self) -> None:
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.engine.store.close()


class Stores:
    """The listed stores: opened when they are asked, let go when they are no more. For several threads at once."""

    def __init__(self, known: Callable[[], list[str]] = listed.known) -> None:
        self._known = known
        self._places: dict[str, Place] = {}
        self._urls: list[str] = []
        self._finder = Lane("list", SOON_SECONDS)
        self._lock = threading.Lock()
        self.recent = Recent()
        """What was answered lately."""
        self.uncollected = Uncollected()

    def places(self) -> list[Place]:
        """Those that are listed now; those listed before where that cannot be found out soon."""
        try:
            urls = self._finder.wait(self._finder.ask(self._known), PATIENCE_SECONDS)
        except (NotYet, TookTooLong):
            urls = self._urls
        with self._lock:
            self._urls = urls
            for url in [url for url in self._places if url not in urls]:
                self._places.pop(url).close()
            return [self._places.setdefault(url, Place(url)) for url in urls]

    def each(self, work: Callable[[Opened], T]) -> tuple[list[T], list[str]]:
        """What `work` makes of each store, and what is wrong with those of which it makes nothing, or nothing yet."""
        return _gathered([(place, partial(place.ask, work)) for place in self.places()])

    def some(self, works: Mapping[str, Callable[[Opened], T]]) -> tuple[list[T], list[str]]:
        """The same of the stores of those names, each with its own work."""
        places = [place for place in self.places() if place.name in works]
        return _gathered([(place, partial(place.ask, works[place.name])) for place in places])

    def holding(self, store: str, id: str, work: Callable[[Opened, RequestRow], T], *, long: bool = False) -> T:
        """What `work` makes of a request, which is given by the name of its store and its whole id.

        Raises `UnknownRequest`, `StoreError` where the store does not answer in time, and what `work` raises.
        """
        for place in self._where(store, id):
            asked = place.ask(partial(_held, id=id, work=work), asked_for=True, long=long)
            try:
                return asked.result(2 * (LONG_SECONDS if long else SOON_SECONDS))
            except NotYet:
                raise StoreError(f"the store {place.path} does not answer; others go on") from None
        raise _unknown(id)

    def _where(self, store: str, id: str) -> list[Place]:
        places = self.places()
        if store != ANY:
            return [place for place in places if place.name == store]
        found, _ = _gathered([(each, partial(each.ask, partial(_has, place=each, id=id))) for each in places])
        return [place for place in found if place is not None][:1]


def _gathered(asked: Sequence[tuple[Place, Callable[[], Future[T]]]]) -> tuple[list[T], list[str]]:
    """All are asked before the first is waited for."""
    until = monotonic() + PATIENCE_SECONDS
    found, wrong, futures = [], [], list[tuple[Place, Future[T]]]()
    for place, ask in asked:
        try:
            futures.append((place, ask()))
        except TookTooLong as error:
            wrong.append(str(error))
    for place, future in futures:
        try:
            waits = LATE_SECONDS if place.soon.late else max(0.0, until - monotonic())
            found.append(place.soon.wait(future, waits))
            wrong += kept_logs(Path(place.path)) if place.is_file else []
        except NotYet:
            place.soon.late = True
            wrong.append(f"the store {place.path} has not answered yet; the others are shown without it")
        except DurableError as error:
            wrong.append(str(error))
    return found, wrong


def _has(store: Opened, place: Place, id: str) -> Place | None:
    return place if _exactly(store.engine, id) is not None else None


def _held(store: Opened, id: str, work: Callable[[Opened, RequestRow], T]) -> T:
    row = _exactly(store.engine, id)
    if row is None:
        raise _unknown(id)
    return work(store, row)


def _exactly(engine: Engine, id: str) -> RequestRow | None:
    try:
        row = engine.store.request(id)
    except SDKUsageError:  # none, or several that begin like it
        return None
    return row if row.id == id else None


def _unknown(id: str) -> UnknownRequest:
    return UnknownRequest(
        f"No store that this server knows has request {id}. It was deleted, or it is in a store of another machine "
        "or user; run the cell again to make it anew."
    )


def name_of(url: str) -> str:
    """What the page calls a store."""
    return hashlib.blake2b(url.encode("utf-8", "replace"), digest_size=8).hexdigest()
