"""Deployed applications as tools of agents, by the Model Context Protocol: at `/mcp` of a server, or over stdio.

From above; a file knows what stands below it:

    routes | over_stdio   where an agent comes in: HTTP with the tokens of the other routes | a process of its own
    handlers              what an agent asks: tools, calls, tasks
    tasks | asking        a request as a task of the protocol | arguments that are asked back for
    tools | results       an application as a tool | how a request ended, as the result of a tool
    foreign | missing     text that others wrote, as it may be shown to an agent | the package `mcp` is not there

Rules of this room
- A task is a request: its id is the request's, it is in the ledger before it is told, and nothing of it is kept here.
  Who comes back after the server died asks for the same id.
- It runs in the server's process, which restores nothing of an application: what it needs stands in manifests.
- The package `mcp` is optional (extra `mcp`), and is imported only when somebody asks for this.
- What applications say (descriptions, progress, errors) is foreign: it is masked, bounded, and said to be theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_durable.server.applications.records import Manifest


def stdio(deployed: Sequence[tuple[Manifest, bytes]], folder: Path, store: str, namespace: str = "default") -> None:
    """Serve applications to the agent at the other end of stdin and stdout, until it goes.

    `deployed` are manifests and code, as `client.deploying` makes them; only these are tools. `folder` keeps the ledger
    of what was asked, `store` is the URL of the store that requests run on. Several processes may share both: one of
    them runs what is open. Raises `SDKUsageError` where the package `mcp` is missing.
    """
    from jupyter_durable.server.agents.missing import require

    require()
    from jupyter_durable.server.agents.over_stdio import serve

    serve(deployed, folder, store, namespace)


__all__ = ["stdio"]
