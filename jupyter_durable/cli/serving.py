"""`jupyter durable serve` and `jupyter durable token …`: the remote backend.

Rules of this file
- What needs the extra `server` is imported when a command runs; where it is missing one sentence says what to install.
- A token is printed once, alone on standard output, so that it can be piped; what is told about it goes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jupyter_durable.cli import drawing
from jupyter_durable.cli.usage import Command
from jupyter_durable.client.verbs import seconds_of
from jupyter_durable.client.words import moment
from jupyter_durable.errors import DurableError

if TYPE_CHECKING:
    from jupyter_durable.server.tokens import TokenFile

MISSING: Final = "the server needs more packages: pip install 'jupyter-durable[server]'"
Folder = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Where the server keeps tokens, and stores if unsaid.")
]
tokens = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Tokens of the server: make, list, revoke.")


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What goes wrong is one sentence, and exit code 2."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "jupyter_durable":
            raise
        drawing.complain(MISSING)
        raise typer.Exit(2) from None
    except DurableError as error:
        drawing.complain(str(error))
        raise typer.Exit(2) from None


def serve(  # noqa: PLR0913 - the options a user sees
    host: Annotated[str, typer.Option(metavar="HOST", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="0: one that is free.")] = 8765,
    store: Annotated[
        str, typer.Option(metavar="URL", help="Where requests are kept, {namespace} standing for its name.")
    ] = "",
    data: Folder = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, PEM.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--insecure-behind-proxy", help="Serve others without TLS: a proxy before it does that.")
    ] = False,
    keep_ended: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Remove requests so long after they ended: 30d; never if unsaid, or pinned."),
    ] = None,
) -> None:
    """Serve requests to notebooks on other machines, over HTTP."""
    with told():
        from jupyter_durable.server.serving import serve
        from jupyter_durable.server.settings import ServerSettings, default_folder

        folder = (data or default_folder()).absolute()
        keep = None if keep_ended is None else seconds_of(keep_ended)
        settings = ServerSettings(folder, store, host, port, tls_cert, tls_key, behind_proxy, keep_ended=keep)
        serve(settings, lambda text: typer.echo(text, err=True))


def _file(data: Path | None) -> TokenFile:
    from jupyter_durable.server.settings import default_folder
    from jupyter_durable.server.tokens import TokenFile

    return TokenFile((data or default_folder()).absolute())


@tokens.command(cls=Command)
def create(
    scope: Annotated[str, typer.Option(metavar="SCOPE", help="read, write or admin.")],
    namespace: Annotated[str, typer.Option(metavar="NAME", help="Whose requests it is for.")] = "default",
    expires: Annotated[
        str | None, typer.Option(metavar="AGE", help="How long it holds: 12h, 90d; for ever if unsaid.")
    ] = None,
    data: Folder = None,
) -> None:
    """Make a token, and print it: it is not shown again."""
    with told():
        seconds = None if expires is None else seconds_of(expires)
        text, token = _file(data).create(namespace, scope, time.time(), seconds)
        until = "" if token.expires_at is None else f", until {moment(token.expires_at)}"
        typer.echo(f"token {token.id}: {scope} in the namespace {namespace}{until}. It is not shown again:", err=True)
        typer.echo(text)


@tokens.command("list", cls=Command)
def list_(data: Folder = None) -> None:
    """List tokens, as lines of JSON; the tokens themselves are known to nobody."""
    with told():
        for token in _file(data).all():
            typer.echo(json.dumps({name: each for name, each in token._asdict().items() if name != "hash"}))


@tokens.command(cls=Command)
def revoke(id: Annotated[str, typer.Argument(metavar="ID", help="The token's id.")], data: Folder = None) -> None:
    """Let nobody in with a token any more, from now on."""
    with told():
        _file(data).revoke(id, time.time())
        typer.echo(f"token {id} is revoked", err=True)
