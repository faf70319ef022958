"""The Jupyter server's part: what the panel shows of all requests, also with no kernel alive.

Rules of this package
- It never unpickles: a value that needs a class is left to a kernel.
- It runs no code of the user's: a replay is refused, with the place where it can be done.
- Importing this package imports nothing else; the server loads the rest when it starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "jupyter_durable_server"}]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    """Called by the Jupyter server when it starts."""
    from jupyter_durable_server.routes import install

    install(app)
