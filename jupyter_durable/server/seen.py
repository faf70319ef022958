"""What an operator sees: a line of JSON for each call, and figures for Prometheus. An ASGI middleware and `/metrics`.

Rules of this file
- A line names the token by its id, never the token; no header, no query and no body is written.
- Figures are by route, not by path: a path has ids in it, and would make a series for each.
"""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jupyter_durable.server.auth import Access, Admin

log = logging.getLogger("jupyter_durable.server.access")
router = APIRouter(tags=["health"])


class Figures:
    """The series of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "durable_http_requests", "Answered calls.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "durable_http_request_duration_seconds",
            "How long a call took.",
            ("method", "route"),
            registry=self.registry,
        )
        self.open = Gauge("durable_http_requests_in_progress", "Calls being answered.", registry=self.registry)


class Watch:
    """Counts and logs every call."""

    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._figures.open.inc()
        try:
            await self._app(scope, receive, sending)
        finally:
            self._figures.open.dec()
            self._tell(scope, status, time.monotonic() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._figures.calls.labels(method, route, status).inc()
        self._figures.seconds.labels(method, route).observe(seconds)
        access: Access | None = scope.get("state", {}).get("access")
        who = {} if access is None else {"namespace": access.namespace, "token": access.token}
        told = {"method": method, "route": route, "status": status, "seconds": round(seconds, 6), **who}
        log.log(logging.DEBUG if route in ("/health", "/ready") else logging.INFO, "call", extra={"told": told})


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@router.get("/metrics", response_class=Response)
def metrics(request: Request, access: Admin) -> Response:
    """Figures in the format of Prometheus, of all namespaces."""
    del access
    figures: Figures = request.app.state.figures
    return Response(generate_latest(figures.registry), media_type=CONTENT_TYPE_LATEST)


class JsonLines(logging.Formatter):
    """One line of JSON a record."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "told", {}),
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)


def log_lines() -> None:
    """Have everything that is logged in this process go to the standard error, as lines of JSON."""
    lines = logging.StreamHandler()
    lines.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    logging.getLogger("uvicorn.access").disabled = True
