"""Where journals are kept: `open_store(url)` and `default_url()`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.base import Store
from jupyter_durable.store.listed import remember
from jupyter_durable.store.location import default_url, own_folder

__all__ = ["default_url", "open_store"]


def open_store(url: str, tell: Callable[[str], None] | None = None, limit: Callable[[], float] | None = None) -> Store:
    """Open the store at `url`: `sqlite:///relative`, `sqlite:////absolute`, `https://HOST:PORT` (a server
    of `jupyter durable serve`; its token stands in JUPYTER_DURABLE_TOKEN), or `memory:` (a new one each time).

    Raises `SDKUsageError` for another scheme, `StoreError` when the file is damaged, foreign or cannot be opened,
    `StoreVersionError` when it was written by a newer version. A file is listed from now on (see `listed`).
    `tell` hears, in any thread, when another process holds the file and has to be waited for; by default the log does.
    `limit` is given by who only looks at a store of whoever: the seconds that the next statement that reads may take.
    """
    scheme, separator, rest = url.partition(":")
    if scheme == "memory" and separator and not rest.strip("/"):
        from jupyter_durable.store.memory import MemoryStore

        return MemoryStore()
    if scheme == "sqlite" and rest.startswith("///") and len(rest) > 3:
        from jupyter_durable.store.sqlite.store import SqliteStore

        path = Path(rest[3:]).expanduser().absolute()
        if f"sqlite:///{path}" == default_url():
            with contextlib.suppress(OSError):  # where it cannot be made the store says so itself
                own_folder()
        store = SqliteStore(path, limit=limit) if tell is None else SqliteStore(path, tell=tell, limit=limit)
        remember(store.url)
        return store
    if scheme in ("http", "https", "http+insecure"):
        from jupyter_durable.store.http.store import HttpStore

        return HttpStore(url, tell)
    if scheme in ("postgresql", "postgres"):
        raise SDKUsageError(f"{scheme}:// stores are not built yet; use sqlite:///PATH, https://HOST:PORT or memory:")
    before, _, place = url.rpartition("@")  # an error is shown: what stands before the place is a user and a password
    said = f"{scheme}://***@{place}" if "://" in before else url
    raise SDKUsageError(f"{said!r} is not the URL of a store; use sqlite:///PATH, https://HOST:PORT or memory:")
