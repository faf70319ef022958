"""`/openapi.json`: what the server can be asked, for who has a token."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from jupyter_durable.server.auth import Reader

router = APIRouter(tags=["health"])


@router.get("/openapi.json")
def openapi(request: Request, access: Reader) -> dict[str, Any]:
    """The OpenAPI document."""
    del access
    document: dict[str, Any] = request.app.openapi()
    return document
