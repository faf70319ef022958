"""How long ended requests are kept, where the server was told: `serve --keep-ended 30d`.

Rules of this file
- By the clock of the server, and never one that is pinned, runs, waits for a worker, or may go on.
- A request of an application leaves the ledger first: from then on nobody can ask to run it again, so that its
  checkpoints are not taken from under a replay. What a crash leaves of it in the store is swept as any other.
- Versions of applications, with their tags, stay.
- A store that cannot be reached is swept the next time; the others are swept meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from starlette.concurrency import run_in_threadpool

from jupyter_durable.core.model import RequestRow
from jupyter_durable.errors import DurableError, SDKUsageError
from jupyter_durable.server.applications.ledger import Ledger
from jupyter_durable.server.applications.service import Applications
from jupyter_durable.server.state import Server
from jupyter_durable.store.base import Store

SWEEP_SECONDS: Final = 3600.0
log = logging.getLogger("jupyter_durable.server")


@asynccontextmanager
async def lifetime(server: Server) -> AsyncIterator[None]:
    """Sweep now and every hour, while a server serves that was told how long it keeps things."""
    keep = server.settings.keep_ended
    if keep is None:
        yield
        return
    sweeping = asyncio.create_task(_sweep_for_ever(Retention(server, keep)))
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)


async def _sweep_for_ever(retention: Retention) -> None:
    while True:
        await run_in_threadpool(retention.sweep)
        await asyncio.sleep(SWEEP_SECONDS)


class Retention:
    """Removes what ended more than `keep` seconds ago. `now`: the clock, Unix seconds."""

    def __init__(self, server: Server, keep: float, now: Callable[[], float] = time.time) -> None:
        self._server = server
        self._keep = keep
        self._now = now

    def sweep(self) -> int:
        """How many requests were removed, in all namespaces."""
        swept = 0
        for name in self._namespaces():
            try:
                swept += self._namespace(name)
            except (DurableError, sqlite3.Error) as error:
                told = {"namespace": name, "error": str(error)}
                log.warning("not swept; it is tried again", extra={"told": told})
        return swept

    def _ledger(self) -> Ledger:
        applications: Applications = self._server.kept[Applications]
        return applications.ledger

    def _namespaces(self) -> list[str]:
        """Those that somebody can use, or that are in use; what has no store yet gets none for this."""
        known = {token.namespace for token in self._server.tokens.all()} | set(self._server.namespaces.open())
        return [name for name in sorted(known) if self._server.namespaces.there(name)]

    def _namespace(self, name: str) -> int:
        store, ledger, now = self._server.namespaces.store(name), self._ledger(), self._now()
        ended = store.gc(older_than=self._keep, now=now, dry_run=True).requests
        gone = [id for id in ended if self._removed(store, id, now - self._keep)]
        for id in ledger.ended_before(name, now - self._keep):
            if _row(store, id) is None and ledger.delete(id):  # it ended before anything of it was in the store
                gone.append(id)
        loose = store.gc(older_than=now, now=now, dry_run=False)  # values alone: nothing ended before 1970
        if gone or loose.blobs:
            told = {"namespace": name, "requests": len(gone), "values": loose.blobs, "bytes": loose.bytes}
            log.info("swept", extra={"told": told})
        return len(gone)

    def _removed(self, store: Store, id: str, moment: float) -> bool:
        """Remove a request, unless it was replayed or pinned since it was found."""
        ledger, row = self._ledger(), _row(store, id)
        if row is None or row.pinned or (row.finished_at or row.accepted_at) >= moment:
            return False
        if ledger.request(id) is not None and not ledger.delete(id, before=moment):
            return False
        with suppress(SDKUsageError):  # somebody has begun to run it
            store.delete(row.serial)
            return True
        return False


def _row(store: Store, id: str) -> RequestRow | None:
    with suppress(SDKUsageError):
        return store.request(id)
    return None
