"""What the routes of a server share. A record: whoever needs it is given the request, and asks `server_of`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from jupyter_durable.server.namespaces import Namespaces
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.server.tokens import TokenFile


@dataclass(slots=True)
class Server:
    """One server."""

    settings: ServerSettings
    tokens: TokenFile
    namespaces: Namespaces
    kept: dict[type, Any] = field(default_factory=dict)
    """What a package keeps beside its routes, by its class; put there by its lifetime."""


def server_of(request: Request) -> Server:
    """The server that a request came to."""
    server = request.app.state.server
    assert isinstance(server, Server)
    return server
