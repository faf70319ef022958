"""The stores of a server: one for each namespace, opened when it is first asked for.

Rules of this file
- Whoever asks waits while a store is opened; routes that use stores run on threads.
- A store whose files went away is opened again when they are back, never made anew in their place meanwhile, nor by the
  next server: that a namespace has one is noted beside the tokens (`made/NAME`), where no volume of stores is mounted.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Final

from jupyter_durable.errors import SDKUsageError, StoreError, StoreGone
from jupyter_durable.files import make_folder, new_file, sync_directory
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.server.tokens import checked_namespace
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Filter, Store

log = logging.getLogger("jupyter_durable.server")
_FILE: Final = "sqlite:///"


class Namespaces:
    """Gives the store of a namespace."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._stores: dict[str, Store] = {}

    def store(self, name: str) -> Store:
        """The store of a namespace. Raises `StoreGone` while it cannot be reached."""
        url = self._settings.store_of(checked_namespace(name))
        with self._lock:
            known = self._stores.get(name)
            self._expect(name, url)
            if known is not None and not known.gone():
                return known
            opened = _opened(name, url)
            self._note(name, url)
            if known is not None:
                known.close()
            self._stores[name] = opened
            return opened

    def url(self, name: str) -> str:
        """URL of the store of a namespace, which is there, for another process. Raises `StoreGone`."""
        self.store(name)
        return self._settings.store_of(name)

    def _expect(self, name: str, url: str) -> None:
        if not url.startswith(_FILE) or _path(url).exists() or not (name in self._stores or self._made(name).exists()):
            return
        log.error(
            "the file of a store is gone",
            extra={"told": {"namespace": name, "file": str(_path(url)), "to_begin_anew_remove": str(self._made(name))}},
        )
        raise StoreGone(
            f"the store of the namespace {name} is gone; the server goes on when it is back, and its log says which "
            "file that is, and how to begin with an empty one"
        )

    def _note(self, name: str, url: str) -> None:
        made = self._made(name)
        if url.startswith(_FILE) and not made.exists():
            try:
                make_folder(made.parent)
                os.close(new_file(made, os.O_WRONLY))
                sync_directory(made.parent)
            except OSError as error:
                raise StoreGone(f"the namespace {name} cannot be noted: {error.strerror or error}") from error

    def _made(self, name: str) -> Path:
        return self._settings.folder / "made" / name

    def there(self, name: str) -> bool:
        """Whether a namespace has a store, as far as can be seen without opening it."""
        try:
            url = self._settings.store_of(checked_namespace(name))
        except SDKUsageError:  # the server has one store, for another namespace
            return False
        return not url.startswith(_FILE) or _path(url).exists()

    def open(self) -> dict[str, Store]:
        """Those in use, by namespace."""
        with self._lock:
            return dict(self._stores)

    def check(self, names: list[str]) -> None:
        """Raise `StoreError` where a store does not answer: of those in use, and of these."""
        for name in dict.fromkeys([*self.open(), *names]):
            store = self.store(name)
            store.requests(Filter(limit=1))

    def close(self) -> None:
        """Close all. Requests that are being run elsewhere stay theirs."""
        with self._lock:
            for store in self._stores.values():
                store.close()
            self._stores.clear()


def _opened(name: str, url: str) -> Store:
    if url.startswith(_FILE):
        make_folder(_path(url).parent)
    try:
        return open_store(url)
    except StoreError as error:
        raise StoreGone(f"the store of the namespace {name} cannot be opened: {error}") from error


def _path(url: str) -> Path:
    return Path(url.removeprefix(_FILE))
