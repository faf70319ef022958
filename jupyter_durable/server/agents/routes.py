"""`POST /mcp`: tools for agents, with the tokens and namespaces of the other routes.

Rules of this file
- The package `mcp` takes a second to import: that is done when `/mcp` is first asked for, or right after the start
  of a server that has applications: clients that wait long for a first answer take it for one of an older protocol.
- Every request stands for itself (streamable HTTP without sessions): a server that comes back knows all it needs.
- Names of hosts are checked where only this machine can reach the server: a page of elsewhere must not have one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request, Response

from jupyter_durable.server.agents.missing import what_is_missing
from jupyter_durable.server.applications.service import Applications
from jupyter_durable.server.auth import needs
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.settings import ServerSettings, is_loopback
from jupyter_durable.server.state import Server, server_of

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.types import Receive, Scope, Send

router = APIRouter(tags=["agents"])


class Door:
    """What speaks the protocol over HTTP, once somebody has asked for it."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._manager: StreamableHTTPSessionManager | None = None
        self._serving: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[StreamableHTTPSessionManager] | None = None

    def open_soon(self) -> None:
        """Begin to make it, while the server answers others."""
        self._opening = asyncio.create_task(self.manager())

    async def manager(self) -> StreamableHTTPSessionManager:
        """It, serving."""
        async with self._lock:
            if self._manager is None:
                made = await asyncio.to_thread(_manager, self._settings)
                ready = asyncio.Event()
                self._serving = asyncio.create_task(_serve(made, ready))
                await ready.wait()
                self._manager = made
            return self._manager

    async def close(self) -> None:
        """End what is being answered."""
        begun = [task for task in (self._opening, self._serving) if task is not None]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


@asynccontextmanager
async def lifetime(server: Server) -> AsyncIterator[None]:
    """The door is there while the server serves."""
    door = Door(server.settings)
    server.kept[Door] = door
    ledger = server.kept[Applications].ledger
    if what_is_missing() is None and await asyncio.to_thread(ledger.has_applications):
        door.open_soon()
    try:
        yield
    finally:
        await door.close()


async def _serve(manager: StreamableHTTPSessionManager, ready: asyncio.Event) -> None:
    async with manager.run():
        ready.set()
        await asyncio.Event().wait()


def _manager(settings: ServerSettings) -> StreamableHTTPSessionManager:
    """Imports the protocol, which takes a second."""
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp.server.transport_security import TransportSecuritySettings

    from jupyter_durable.server.agents.handlers import Context, Desk, serve_tools

    def desk_of(ctx: Context) -> Desk:
        request: Any = ctx.request
        access = request.state.access
        return Desk(server_of(request).kept[Applications], access.namespace, access.scope)

    alone = is_loopback(settings.host) and not settings.behind_proxy
    hosts = ["127.0.0.1:*", "localhost:*", "[::1]:*", "127.0.0.1", "localhost", "[::1]"]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=alone,
        allowed_hosts=hosts,
        allowed_origins=[f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts],
    )
    return StreamableHTTPSessionManager(
        serve_tools(desk_of), stateless=True, security_settings=security, max_request_body_size=settings.most_body
    )


class _HandedOn(Response):
    """An answer that the protocol's own code writes."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        super().__init__()
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)


@router.post("/mcp", response_class=Response, dependencies=[Depends(needs("read"))])
async def mcp(request: Request) -> Response:
    """The applications of the namespace as tools of the Model Context Protocol (streamable HTTP)."""
    missing = what_is_missing()
    if missing is not None:
        raise Refusal(501, "NotInstalled", f"{missing}, where the server runs")
    door = server_of(request).kept[Door]
    assert isinstance(door, Door)
    return _HandedOn(await door.manager())
