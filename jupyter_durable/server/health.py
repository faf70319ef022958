"""Whether the server lives (`/health`), and whether it can work (`/ready`). Neither asks for a token, or tells more."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request, Response

from jupyter_durable.errors import StoreError
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.state import server_of

router = APIRouter(tags=["health"])
log = logging.getLogger("jupyter_durable.server")


@router.get("/health")
async def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/ready")
def ready(request: Request, response: Response) -> dict[str, str]:
    """Its stores answer, too; 503 while one does not."""
    server = server_of(request)
    response.headers["Cache-Control"] = "no-store"
    try:
        server.namespaces.check([])
    except StoreError as error:
        log.warning("not ready", extra={"told": {"error": str(error)}})
        raise Refusal(503, "Unavailable", "a store of this server cannot be reached; its log says which") from None
    return {"status": "ready"}
