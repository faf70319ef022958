"""`GET /v1/requests/ID/changes`: a long poll. It is answered when something of a request is other than what was seen.

Rules of this file
- What is answered is where to look, not what changed: who hears of a change reads what it needs.
- A change that came through this server is seen at once, one of another process on the same store within a second.
- Who waits holds no thread, only a look at the row now and then.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from jupyter_durable.core.model import RequestRow
from jupyter_durable.server.auth import Reader
from jupyter_durable.server.remote.journals import Journals
from jupyter_durable.server.state import server_of

LONGEST_SECONDS: Final = 25.0
"""Less than the patience of proxies, and than the time that the server takes to end."""
LOOK_SECONDS: Final = 1.0
BEAT_SECONDS: Final = 0.05
router = APIRouter(tags=["remote store"])


class Changed(NamedTuple):
    """How a request stands."""

    id: str
    status: str
    stamp: str
    """What to give as `seen` the next time."""


@router.get("/v1/requests/{id}/changes")
async def changes(
    id: str,
    request: Request,
    access: Reader,
    seen: Annotated[str, Query(max_length=200)] = "",
    wait: Annotated[float, Query(ge=0, le=LONGEST_SECONDS)] = LONGEST_SECONDS,
) -> dict[str, str]:
    """How a request stands, as soon as it is not as it was `seen`, at the latest after `wait` seconds."""
    journals: Journals = request.app.state.remote.journals
    over = time.monotonic() + wait

    def look() -> tuple[RequestRow, str]:
        row = server_of(request).namespaces.store(access.namespace).request(id)
        stamp = f"{journals.writes(access.namespace, row.serial)}-{row.epoch}-{row.status}-{row.cancel_requested:d}"
        return row, stamp

    while True:
        row, stamp = await run_in_threadpool(look)
        left = over - time.monotonic()
        if stamp != seen or left <= 0 or await request.is_disconnected():
            return Changed(row.id, row.status, stamp)._asdict()
        await _written(journals, access.namespace, row.serial, min(left, LOOK_SECONDS))


async def _written(journals: Journals, namespace: str, serial: int, seconds: float) -> None:
    """Wait until something is written to a request here, so many seconds at most."""
    before, over = journals.writes(namespace, serial), time.monotonic() + seconds
    while journals.writes(namespace, serial) == before and time.monotonic() < over:
        await asyncio.sleep(BEAT_SECONDS)
