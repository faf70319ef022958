"""Serves the app with uvicorn until it is told to end.

Rules of this file
- SIGTERM and Ctrl-C end it gracefully: no new connection is taken, what is in flight is finished, then stores close.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Final

import uvicorn

from jupyter_durable.errors import SDKUsageError
from jupyter_durable.server.app import create_app
from jupyter_durable.server.seen import log_lines
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.server.tokens import TokenFile

GRACE_SECONDS: Final = 30
"""How long what is in flight may take when the server is told to end."""


def serve(settings: ServerSettings, tell: Callable[[str], None]) -> None:
    """Serve until a signal ends it. `tell` hears where, once it listens. Raises `SDKUsageError` for an open door."""
    log_lines()
    settings.refuse_open_door(tokens=bool(TokenFile(settings.folder).all()))
    config = uvicorn.Config(
        create_app(settings),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        access_log=False,
        log_config=None,
        lifespan="on",
        server_header=False,
        proxy_headers=settings.behind_proxy,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    with bound(settings) as listening:
        scheme = "https" if settings.tls_cert is not None else "http"
        host, port = listening.getsockname()[:2]
        tell(f"serving on {scheme}://{f'[{host}]' if ':' in host else host}:{port}")
        uvicorn.Server(config).run(sockets=[listening])


def bound(settings: ServerSettings) -> socket.socket:
    """The socket that a server listens on. Raises `SDKUsageError`."""
    # Said to be TCP: only then asyncio sends small answers at once (TCP_NODELAY), which else wait 40 ms each.
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":  # there it would let another program take the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host.strip("[]"), settings.port))
        listening.listen(2048)
        return listening
    except OSError as error:
        listening.close()
        raise SDKUsageError(
            f"nothing can be served on {settings.host}:{settings.port}: {error.strerror or error}; take another --port"
        ) from error
