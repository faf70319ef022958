"""`/openapi.json`: what the server can be asked, for who has a token."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from jupyter_durable.server.applications import routes as applications
from jupyter_durable.server.applications.service import Applications
from jupyter_durable.server.auth import Reader
from jupyter_durable.server.state import server_of

router = APIRouter(tags=["health"])


@router.get("/openapi.json")
def openapi(request: Request, access: Reader) -> dict[str, Any]:
    """The OpenAPI document, with the applications of the namespace."""
    document: dict[str, Any] = request.app.openapi()
    kept = server_of(request).kept.get(Applications)
    own = {} if kept is None else applications.schemas(kept, access.namespace)
    return {**document, "paths": {**document["paths"], **own}}
