"""Serves with its door open on this machine, for a suite that can send no token: the token is added to each request.

Run as `python open_door.py DIR TOKEN [PORT]`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import uvicorn

from jupyter_durable.server.app import create_app
from jupyter_durable.server.serving import bound
from jupyter_durable.server.settings import ServerSettings


def main(folder: str, token: str, port: str = "0") -> None:
    settings = ServerSettings(Path(folder), port=int(port))
    app = create_app(settings)

    async def opened(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/mcp":
            scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {token}".encode())]
        await app(scope, receive, send)

    with bound(settings) as listening:
        print(f"serving on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        config = uvicorn.Config(opened, access_log=False, log_config=None, lifespan="on", timeout_graceful_shutdown=5)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
