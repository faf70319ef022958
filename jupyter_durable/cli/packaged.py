"""`python -m PACKAGE …`: the commands of an exported application.

Rules of this file
- `main` makes them for one module; `__main__.py` of an export calls it and holds nothing else.
- They are the commands of `jupyter durable`, on the same stores and with the same words, but that the code of now is
  the package's: what a notebook began is finished by it.
- What runs the application imports it when it runs, so that `--help` needs nothing of it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from jupyter_durable import packaged
from jupyter_durable.cli import app as verbs_of_all
from jupyter_durable.cli import deploying, drawing, following, said, serving
from jupyter_durable.cli.said import Said, Value
from jupyter_durable.cli.usage import Command
from jupyter_durable.cli.verb import Asked, Everywhere, Json, StoreUrl, verb
from jupyter_durable.client import beginning, conducting, ownership, this_engine, verbs
from jupyter_durable.client.beginning import Begun
from jupyter_durable.client.request import Request
from jupyter_durable.client.session import Cell
from jupyter_durable.client.verbs import Wish
from jupyter_durable.core.model import Kind, Status
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.function import Spec

NAMESPACE: Final = "default"
"""Whose requests the application's are, on its server."""
TIMEOUT: Final = 300.0
"""Seconds of a function whose timeout is unwritten: the documented default of what is deployed."""
_SHARED: Final = ("list", "show", "tree", "inputs", "output", "logs", "cancel", "delete", "pin", "gc")
"""Commands that are those of `jupyter durable`."""


def main(module: str) -> None:
    """Run one command of the application in `module`, and end the process with its exit code."""
    package = module.partition(".")[0]
    typer_app = _commands(module)
    typer_app(prog_name=f"python -m {package}", default_map=_defaults(package))


def _defaults(package: str) -> dict[str, Any]:
    """What the options of commands are if unsaid: a server of its own for each application."""
    data = {"data": _folder(package)}
    return {"serve": data, "token": dict.fromkeys(("create", "list", "revoke"), data)}


def _folder(package: str) -> str:
    from jupyter_durable.server.settings import default_folder

    return str(default_folder().with_name(f"server-{package}"))


def _commands(module: str) -> typer.Typer:
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Run the application, serve it over HTTP, and go on with requests that were interrupted.",
        epilog="ID is a request's id, a prefix of it, or `last`.",
    )
    command = functools.partial(app.command, cls=Command)

    @app.callback()
    def options(ctx: typer.Context, json: Json = False, store: StoreUrl = None) -> None:
        """Options that stand before the verb hold as well as behind it."""
        ctx.obj = Everywhere(json, store)

    command("run")(verb(_of(module, run)))
    command("serve")(_serving(module))
    command("mcp")(verb(_tools(module)))
    command("replay")(verb(_of(module, replay)))
    known = {each.name or each.callback.__name__: each for each in verbs_of_all.app.registered_commands}  # type: ignore[union-attr]
    for name in _SHARED:
        command(name)(known[name].callback)  # type: ignore[type-var]
    app.add_typer(serving.tokens, name="token")
    return app


def _of(module: str, command: Callable[..., Said]) -> Callable[..., Said]:
    """A command that finds the application in the place of `__main__`."""

    @functools.wraps(command)
    def inside(asked: Asked, *args: Any, **kwargs: Any) -> Said:
        if asked.engine.settings.default_timeout is None:
            asked.engine.configure({"default_timeout": TIMEOUT})
        with packaged.entered(module):
            return command(asked, *args, **kwargs)

    return inside


# running


def run(
    asked: Asked,
    input: Annotated[
        str | None,
        typer.Argument(
            metavar="[JSON]", help="The input, `-` to read it; of several arguments an object by name, or a list."
        ),
    ] = None,
    app: Annotated[
        str | None, typer.Option("--app", metavar="NAME", help="Which application, where there are several.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on.")] = False,
) -> Said:
    """Run the application once; what was interrupted goes on where it stopped."""
    spec = packaged.application_of(app)
    args, kwargs = arguments(spec, sys.stdin.read() if input == "-" else input)
    found = sys.modules[packaged.MAIN].__spec__
    place = Cell(
        None, f"package:{found.name if found is not None else spec.name}", spec.name, "", Kind.SCRIPT, fresh=fresh
    )

    def begun() -> Begun:
        return beginning.of_application(asked.engine, spec, (args, kwargs), place, ())

    with following.shown(asked):
        started = ownership.as_read(begun)
        if started.resumed and not asked.json:
            print(f"going on with {started.row.id}", file=sys.stderr)
        conducting.quietly(started.run, started.root)
    return _outcome(asked, started.row.id)


def arguments(spec: Spec, text: str | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments in a JSON text: the only one, or several by name or place. Raises `SDKUsageError`."""
    if text is None:
        return (), {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SDKUsageError(f"the input is not JSON: {error}. A text is written in quotes: '\"word\"'") from None
    if len(spec.params) <= 1:
        return (value,), {}
    if isinstance(value, dict):
        return (), value
    if isinstance(value, list):
        return tuple(value), {}
    raise SDKUsageError(f"{spec.name} takes {', '.join(spec.params)}: give an object with these names, or a list")


def replay(
    asked: Asked,
    id: verbs_of_all.Id = "last",
    strict: Annotated[bool, typer.Option("--strict", help="Stop where the code leaves the recorded path.")] = False,
    from_call: verbs_of_all.From = None,
    rerun: verbs_of_all.Rerun = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Also when another process holds the request; that one then stops.")
    ] = False,
) -> Said:
    """Go on with a request, of a notebook too, with the code of this package: what succeeded is not run again."""
    with following.shown(asked):
        request = verbs.replay(asked.engine, id, Wish(strict, True, from_call, rerun, take_over))
    return _outcome(asked, request.id)


def _outcome(asked: Asked, id: str) -> Said:
    """The output, alone on standard output, and a line about the request beside it; or what made it fail."""
    request = Request(asked.engine, asked.engine.store.request(id))
    shown = verbs.show(asked.engine, id)
    document = {"request": said.info_json(shown.info), **said.tree_json(shown.root)}
    if not asked.json:
        counted = said.calls_text(shown.info)
        print(f"{drawing.status_cell(shown.info.status)} {id} · {counted}", file=sys.stderr)
    if request.status != Status.SUCCEEDED:
        request.output()  # raises
    value = request.output()
    form = said.value_json(value, raw=True)
    text = json.dumps(form["value"], ensure_ascii=False) if form["json"] else form["repr"]
    return Said({**document, "output": form}, [Value(text, raw=True)])


# serving


def _serving(module: str) -> Callable[..., None]:
    @functools.wraps(serving.serve)
    def serve(**given: Any) -> None:
        with serving.told():
            deploy(module, Path(given["data"]).absolute())
        serving.serve(**given)

    serve.__doc__ = "Serve the application over HTTP: start requests, follow them, replay them."
    return serve


def _tools(module: str) -> Callable[..., Said]:
    def mcp(asked: Asked) -> Said:
        """Serve the applications as tools to the agent that starts this command, over stdin and stdout."""
        with contextlib.redirect_stdout(sys.stderr), packaged.entered(module):  # what a module prints is no message
            code, found = packaged.reference(module), packaged.manifests(asked.engine)
        package = module.partition(".")[0]
        return deploying.serve_tools(asked, [(each, code) for each in found], f"package-{package}")

    return mcp


def deploy(module: str, folder: Path) -> None:
    """Have the server of a folder offer the applications of a module, in its text of now. Raises `SDKUsageError`."""
    from jupyter_durable.server.applications import service
    from jupyter_durable.server.applications.ledger import Ledger
    from jupyter_durable.server.applications.records import Deployed, Manifest

    with packaged.entered(module):
        code, found = packaged.reference(module), packaged.manifests(this_engine())
    ledger = Ledger(folder / "applications.db")
    try:
        for each in found:
            manifest = Manifest.model_validate(each)
            ledger.deploy(Deployed(NAMESPACE, manifest.name, service.version_of(code), manifest, time.time()), code)
    finally:
        ledger.close()
