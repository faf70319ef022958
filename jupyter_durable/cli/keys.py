"""`jupyter durable key export` and `import`, `jupyter durable login`: what one machine needs of another.

Rules of this file
- A key or a token is read from the standard input, never from the command line, where others would see it.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from jupyter_durable.cli.serving import told
from jupyter_durable.cli.usage import Command
from jupyter_durable.client.keys import key_of
from jupyter_durable.client.process import key_file

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The key that signs values: export it, import it.")


@keys.command("export", cls=Command)
def export_() -> None:
    """Print the key that signs values: who has it can write values that you load. Give it to your own machines."""
    with told():
        typer.echo(key_file().keys()[0].hex())


@keys.command("import", cls=Command)
def import_() -> None:
    """Take over the key of another machine, from the standard input; what was signed before still verifies."""
    with told():
        id = key_file().adopt(key_of(_given("key: "), "the standard input"))
        typer.echo(f"values are signed with the key {id} from now on", err=True)


def login(url: Annotated[str, typer.Argument(metavar="URL", help="The server: https://HOST:PORT.")]) -> None:
    """Keep the token for a server, from the standard input, for this user alone."""
    with told():
        from jupyter_durable.store.http.origin import keep_token, origin_of

        origin = origin_of(url)
        path = keep_token(origin, _given("token: ").strip())
        typer.echo(f"kept in {path}; `%durable store {origin.url}` goes there", err=True)


def _given(prompt: str) -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(prompt)
    return sys.stdin.readline(4096)
