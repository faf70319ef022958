"""`jupyter durable deploy` and `mcp`: the applications of a file, sent to a server or served to an agent over stdio.

Rules of this file
- A file is executed as `defining` does it; what is deployed is what a notebook would hold.
- What `mcp` needs is imported when it runs; where it is missing one sentence says what to install.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from jupyter_durable.cli.defining import define, file_of
from jupyter_durable.cli.said import Said
from jupyter_durable.cli.verb import Asked
from jupyter_durable.client import deploying
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.location import own_folder


def deploy(
    asked: Asked,
    source: Annotated[str, typer.Argument(metavar="FILE", help="A script, a notebook, or the name of a module.")],
    application: Annotated[
        str | None, typer.Argument(metavar="[APP]", help="Only this application; all that are defined if unsaid.")
    ] = None,
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="The server; JUPYTER_DURABLE_SERVER if unsaid.")
    ] = None,
) -> Said:
    """Send applications to a server, where their requests run from then on."""
    if server is not None:
        asked.engine.configure({"server": server})
    define(file_of(source))
    wanted = [application] if application is not None else []
    sent = [deploying.deploy(asked.engine, spec) for spec in deploying.applications_here(wanted)]
    lines = [f"{each.application} is deployed on {each.server}, version {each.version}" for each in sent]
    return Said([each._asdict() for each in sent], [*lines])


def mcp(
    asked: Asked,
    source: Annotated[str, typer.Argument(metavar="FILE", help="A script, a notebook, or the name of a module.")],
) -> Said:
    """Serve the applications of a file as tools to the agent that starts this command, over stdin and stdout."""
    path = file_of(source)
    with contextlib.redirect_stdout(sys.stderr):  # standard output belongs to the protocol
        define(path)
        specs = deploying.applications_here()
        made = [(deploying.manifest_of(asked.engine, each), deploying.code_of(asked.engine, each)) for each in specs]
    return serve_tools(asked, made, "file-" + hashlib.blake2b(str(path).encode(), digest_size=8).hexdigest())


def serve_tools(asked: Asked, made: Sequence[tuple[dict[str, Any], bytes]], namespace: str) -> Said:
    """Serve applications, each a manifest and its code, over stdin and stdout until the agent goes.

    Raises `SDKUsageError` where the packages for it are missing.
    """
    try:
        from jupyter_durable.server.agents import stdio
        from jupyter_durable.server.applications.records import Manifest
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "jupyter_durable":
            raise
        raise SDKUsageError("tools for agents need more packages: pip install 'jupyter-durable[mcp]'") from None
    deployed = [(Manifest.model_validate(manifest), code) for manifest, code in made]
    stdio(deployed, Path(own_folder()) / "agents", asked.engine.settings.store, namespace)
    return Said(None)
