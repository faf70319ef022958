"""Whether the server lives (`/health`), and whether it can work (`/ready`). Neither asks for a token, or tells more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response

from jupyter_durable.errors import StoreError
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.state import server_of

router = APIRouter(tags=["health"])
READY_SECONDS: Final = 3.0
"""How long the stores have to answer: whoever asks whether a server is ready does not wait much longer."""
log = logging.getLogger("jupyter_durable.server")


@router.get("/health")
async def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


class _Check:
    """A look at all stores, which whoever asks meanwhile shares: one that hangs is asked once."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._running: asyncio.Future[None] | None = None

    async def within(self, seconds: float) -> None:
        """Wait for it so long. Raises `TimeoutError`, and what it raised."""
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().run_in_executor(None, self._look)
            self._running.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may have waited
        await asyncio.wait_for(asyncio.shield(self._running), seconds)


@router.get("/ready")
async def ready(request: Request, response: Response) -> dict[str, str]:
    """Its stores answer, too; 503 while one does not."""
    server = server_of(request)
    response.headers["Cache-Control"] = "no-store"
    check: _Check = server.kept.setdefault(_Check, _Check(partial(server.namespaces.check, [])))
    try:
        await check.within(READY_SECONDS)
    except (StoreError, TimeoutError) as error:
        log.warning("not ready", extra={"told": {"error": str(error) or "no answer in time"}})
        raise Refusal(503, "Unavailable", "a store of this server cannot be reached; its log says which") from None
    return {"status": "ready"}
