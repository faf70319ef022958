"""What the requests of a process share: settings, store, key, workers, clock, and the runs that have not ended.

Rules of this file
- A record: whoever accepts, begins, replays or shows requests is given it, and it knows none of them.
- It holds nothing of a single run. What it needs is made on first use.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_durable.client import ownership
from jupyter_durable.client.counted import Counted
from jupyter_durable.client.keys import HeldKey, carried
from jupyter_durable.client.settings import Settings
from jupyter_durable.clock import Clock, SystemClock
from jupyter_durable.core.model import Owner, RequestRow
from jupyter_durable.function import Spec
from jupyter_durable.runner.run import Run, Unsaved
from jupyter_durable.runner.settings import Listener
from jupyter_durable.runner.workers import Workers
from jupyter_durable.serializer.base import Signer
from jupyter_durable.serializer.signing import KeyFile
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Store
from jupyter_durable.store.location import default_url, own_folder

if TYPE_CHECKING:
    from jupyter_durable.serializer.json import JsonEdge

Observer = Callable[[Run, RequestRow], Listener | None]
"""Called when a run begins; gives who listens to it."""


def key_file() -> KeyFile:
    """The keys of this user, in the folder that is ours."""
    path = Path(default_url().removeprefix("sqlite:///")).with_name("key")
    with contextlib.suppress(OSError):  # where it cannot be made the key says so itself
        own_folder()
    return KeyFile(path)


@dataclass(slots=True, eq=False, repr=False)
class Process:
    """What requests of this process share."""

    given: Settings | Callable[[], Settings]
    """Settings, or what reads them from the environment when they are first needed: an import never fails for them."""
    clock: Clock = field(default_factory=SystemClock)
    warn: Callable[[str], None] = lambda text: warnings.warn(text, UserWarning, stacklevel=2)
    observers: list[Observer] = field(default_factory=list)
    active: dict[str, Run] = field(default_factory=dict)
    """Runs of this process that have not ended, by request."""
    starting: dict[str, int] = field(default_factory=dict)
    """Requests that are being acquired, and in which thread."""
    counted: Counted = field(default_factory=Counted)
    _store: Store | None = None
    _signer: Signer | None = None
    _key: HeldKey | None = None
    _workers: Workers | None = None
    unsaved: dict[str, tuple[int, list[Unsaved]]] = field(default_factory=dict)
    """By request: a run, and its outcomes that a full store refused; the next run commits them first."""
    limit: Callable[[], float] | None = None
    """Set where stores are only looked at, whoever made them: seconds that the next statement may take."""
    run_of_cell: Callable[[], Run | None] = lambda: None
    """Gives the run of the cell that executes now; who knows cells says it here."""
    edges: dict[Spec, JsonEdge] = field(default_factory=dict)
    """The JSON edges of applications that were called; kept by `accepting`."""
    _settings: Settings | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        """Who stands on it and holds more makes that here."""

    @property
    def settings(self) -> Settings:
        """What holds in this process. Raises `SDKUsageError` for a wrong environment variable or pyproject.toml."""
        with self._lock:
            if self._settings is None:
                self._settings = self.given if isinstance(self.given, Settings) else self.given()
            return self._settings

    @property
    def store(self) -> Store:
        """The store, opened on first use."""
        with self._lock:
            if self._store is None:
                self._store = self._opened(self.settings.store)
            return self._store

    def _opened(self, url: str) -> Store:
        store = open_store(url, self._tell, self.limit)
        store.watch(self._key_changed)
        return store

    def _key_changed(self) -> str | None:
        """What happened to the signing key. Called by the store's thread, so no lock is taken."""
        key = self._key
        return None if key is None else key.changed()

    def _tell(self, text: str) -> None:
        self.warn(text)

    @property
    def signer(self) -> Signer:
        """What signs values: the key of the environment, else that of this user, made on first use."""
        with self._lock:
            if self._signer is None:
                file = key_file()
                self._signer = carried(file)
                if self._signer is None:
                    self._key = HeldKey(file)
                    self._signer = self._key.signer()
            return self._signer

    def forget_signer(self) -> None:
        """The key file has changed: it is read again before the next value."""
        with self._lock:
            self._signer = None

    @property
    def workers(self) -> Workers:
        """Threads and loops."""
        with self._lock:
            if self._workers is None:
                self._workers = Workers(self.settings.max_concurrency)
            return self._workers

    def runs(self, id: str) -> bool:
        """Whether this process runs a request, or is about to."""
        return id in self.active or self.starting.get(id, threading.get_ident()) != threading.get_ident()

    def holder(self, row: RequestRow) -> Owner | None:
        """Who runs the request of a row now, this process included; None when nobody does."""
        return ownership.holder(row, self.clock.now(), ours=self.runs(row.id))

    def status_of(self, row: RequestRow) -> str:
        """The status of a row that holds now."""
        return ownership.status(row, self.clock.now(), ours=self.runs(row.id))

    def begin_anew(self) -> None:
        """This process is a fork: runs, threads and locks are the other one's."""
        self._lock = threading.RLock()
        self.active, self.starting, self.unsaved, self._workers = {}, {}, {}, None
