"""Serves, over stdio, the tools that are found by entry point, as extensions of Jupyter that serve tools do."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from mcp.server import MCPServer


def main() -> None:
    server = MCPServer("jupyter")
    for point in entry_points(group="jupyter_server_mcp.tools"):
        found = point.load()
        for each in found if isinstance(found, list) else found():
            module, _, name = each.partition(":")
            server.add_tool(getattr(import_module(module), name))
    server.run()


if __name__ == "__main__":
    main()
