"""The commands. Each is one call of `client.verbs` and what it has to say about it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from jupyter_durable.cli import deploying, exporting, following, keys, running, said, serving
from jupyter_durable.cli.defining import Code, define_for
from jupyter_durable.cli.drawing import status_cell
from jupyter_durable.cli.said import Grid, Part, Said, Tree, Value
from jupyter_durable.cli.usage import Command
from jupyter_durable.cli.verb import Asked, Everywhere, Json, StoreUrl, must_exist, verb
from jupyter_durable.client import verbs
from jupyter_durable.client.render import request_text
from jupyter_durable.client.request import Request
from jupyter_durable.client.verbs import Info, Wish
from jupyter_durable.client.words import moment
from jupyter_durable.code.credentials import MASK, tells
from jupyter_durable.core.counting import count, summary
from jupyter_durable.core.model import ENDED, Status
from jupyter_durable.errors import DeserializationError, RequestFailed, SDKUsageError
from jupyter_durable.store.base import Filter

SHOWN_FAILURES: Final = 5
"""Calls whose traceback `show` prints."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Look at durable requests, replay them, and run notebooks that resume.",
    epilog="ID is a request's id, a prefix of it, or `last`. CALL is written name[n], n counting from 0.",
)

Id = Annotated[str, typer.Argument(metavar="[ID]", help="A request: its id, a prefix, or `last`; `last` if unsaid.")]
GivenId = Annotated[
    str, typer.Argument(metavar="[ID]", help="A request: its id, a prefix, or `last`; `last` if unsaid.")
]
CarriedId = Annotated[str, typer.Argument(metavar="ID", help="A request: its id, a prefix, or `last`.")]
OtherStore = Annotated[
    str | None, typer.Argument(metavar="[URL]", help="The other store; JUPYTER_DURABLE_SERVER if unsaid.")
]
Latest = Annotated[bool, typer.Option("--latest", hidden=True)]
From = Annotated[str | None, typer.Option("--from", metavar="CALL", help="Run this call and everything after it.")]
Raw = Annotated[bool, typer.Option("--raw", help="As recorded, with the credentials in it.")]
Rerun = Annotated[
    str | None,
    typer.Option("--rerun", metavar="NAMES", help="Run these functions or calls again: a,b[2]."),
]


command: Final = functools.partial(app.command, cls=Command)


@app.callback()
def options(ctx: typer.Context, json: Json = False, store: StoreUrl = None) -> None:
    """Options that stand before the verb hold as well as behind it."""
    ctx.obj = Everywhere(json, store)


# looking


@command("list")
@verb
def list_(
    asked: Asked,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="Only requests in this state.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only those accepted since: 2h, 7d, 2026-01-31.")
    ] = None,
    notebook: Annotated[str | None, typer.Option(metavar="PATH", help="Only those of this notebook.")] = None,
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those with this text in name, notebook or error.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help=f"So many at most; {verbs.LISTED} if unsaid.")
    ] = verbs.LISTED,
) -> Said:
    """List requests, newest accepted first."""
    after = None if since is None else verbs.time_of(since, asked.engine.clock.now())
    path = None if notebook is None else str(Path(notebook).absolute())
    found = verbs.listing(asked.engine, Filter(status, None, path, None, text, after, None, limit))
    return Said([said.info_json(each) for each in found], [_grid(found)] if found else ["No requests."])


def _grid(found: Sequence[Info]) -> Grid:
    return Grid(
        ("status", "request", "name", "accepted", "calls", "notebook", "error"),
        tuple(
            (
                status_cell(each.status),
                each.id,
                each.application,
                moment(each.accepted_at),
                said.calls_text(each),
                Path(each.notebook).name if each.notebook else "",
                each.error or "",
            )
            for each in found
        ),
    )


@command()
@verb
def show(asked: Asked, id: Id = "last") -> Said:
    """Show one request: its state, its runs, its tree of calls."""
    shown = verbs.show(asked.engine, id)
    parts: list[Part] = [said.facts(shown.info), said.runs_grid(shown)]
    failures = _failures(verbs.find(asked.engine, shown.info.id))
    if shown.root is not None:
        parts += ["", summary(count(shown.root)), Tree(shown.root)]
    for name, text in failures.items():
        parts += ["", f"{name} failed:", text]
    return Said({**said.shown_json(shown), "failures": failures}, parts)


def _failures(request: Request) -> dict[str, str]:
    """What failed by itself, not by a call below it, and the recorded traceback."""
    failed = [call for call in request.calls() if call.status == Status.FAILED]
    own = [call for call in failed if not any(child.status == Status.FAILED for child in call.children)]
    texts: dict[str, str] = {}
    for call in own[:SHOWN_FAILURES]:
        with contextlib.suppress(DeserializationError):  # signed by another key: only metadata is shown
            texts[call._node.label] = (call.error_text or "").rstrip()
    return texts


@command()
@verb
def tree(asked: Asked, id: Id = "last") -> Said:
    """Show the tree of calls of a request."""
    shown = verbs.show(asked.engine, id)
    document = {"request": shown.info.id, **said.tree_json(shown.root)}
    return Said(document, [Tree(shown.root) if shown.root is not None else "(no run yet)"])


@command()
@verb
def preview(
    asked: Asked,
    id: Id = "last",
    latest: Latest = False,
    from_call: From = None,
    rerun: Rerun = None,
    code: Code = None,
) -> Said:
    """Say what a replay would do with each recorded call; nothing runs."""
    request = verbs.find(asked.engine, id)
    foreseen = verbs.preview(asked.engine, request.id, _wish(Wish(False, latest, from_call, rerun), request, code))
    return Said(said.preview_json(request.id, foreseen), said.preview_parts(foreseen))


@command()
@verb
def inputs(
    asked: Asked,
    first: Annotated[str, typer.Argument(metavar="[ID] CALL", help="A request, and one of its calls.")],
    second: Annotated[str | None, typer.Argument(hidden=True)] = None,
    raw: Raw = False,
) -> Said:
    """Show the recorded arguments of a call; what looks like a credential is masked."""
    id, call = ("last", first) if second is None else (first, second)
    args, kwargs = verbs.inputs(asked.engine, id, call)
    kwargs = kwargs if raw else {name: MASK if tells(name, each) else each for name, each in kwargs.items()}
    parts: list[Part] = [Value(each, raw) for each in args]
    for name, each in kwargs.items():
        parts += [f"{name} =", Value(each, raw)]
    document = {
        "args": [said.value_json(each, raw=raw) for each in args],
        "kwargs": {name: said.value_json(each, raw=raw) for name, each in kwargs.items()},
    }
    return Said(document, parts or ["(no arguments)"])


@command()
@verb
def output(
    asked: Asked,
    first: Annotated[str, typer.Argument(metavar="[ID] [CALL]", help="A request, and one of its calls.")] = "last",
    second: Annotated[str | None, typer.Argument(hidden=True)] = None,
    raw: Raw = False,
) -> Said:
    """Show the recorded result of a request, or of one of its calls; what looks like a credential is masked."""
    id, name = _id_and_call(first, second)
    if name is not None:
        call = verbs.call_of(verbs.find(asked.engine, id), name)
        if call.status == Status.FAILED:
            raise RequestFailed(f"{name} failed, it has no result:\n{call.error_text}")
    value = verbs.output(asked.engine, id, name)
    return Said(said.value_json(value, raw=raw), [Value(value, raw)])


@command()
@verb
def logs(
    asked: Asked,
    first: Annotated[str, typer.Argument(metavar="[ID] [CALL]", help="A request, and one of its calls.")] = "last",
    second: Annotated[str | None, typer.Argument(hidden=True)] = None,
) -> Said:
    """Show what the calls of a request printed, or one of them."""
    printed = verbs.logs(asked.engine, *_id_and_call(first, second))
    text = "".join(each.text for each in printed).removesuffix("\n")
    return Said([each._asdict() for each in printed], [text or "(nothing was printed)"])


def _id_and_call(first: str, second: str | None) -> tuple[str, str | None]:
    """One word alone is a call when it ends as one, else a request."""
    if second is not None:
        return first, second
    return ("last", first) if first.endswith("]") else (first, None)


# doing


@command()
@verb
def replay(  # noqa: PLR0913 - the options a user sees
    asked: Asked,
    id: Id = "last",
    strict: Annotated[bool, typer.Option("--strict", help="Stop where the code leaves the recorded path.")] = False,
    latest: Latest = False,
    from_call: From = None,
    rerun: Rerun = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Also when another process holds the request; that one then stops.")
    ] = False,
    code: Code = None,
) -> Said:
    """Run a request again: what succeeded is served from checkpoints."""
    request = verbs.find(asked.engine, id)
    wish = _wish(Wish(strict, latest, from_call, rerun, take_over), request, code)
    with following.shown(asked):
        return _ended(verbs.replay(asked.engine, request.id, wish), asked)


@command()
@verb
def fork(
    asked: Asked,
    id: Id = "last",
    from_call: From = None,
    rerun: Rerun = None,
    input: Annotated[str | None, typer.Option("--input", metavar="VALUE", help="Another input: JSON, or text.")] = None,
) -> Said:
    """Do the same in a new request and leave this one alone."""
    wish = _wish(Wish(from_call=from_call, rerun=rerun))
    with following.shown(asked):
        given = None if input is None else running.json_or_text(input)
        return _ended(verbs.fork(asked.engine, id, wish=wish, input=given), asked)


def _wish(wish: Wish, request: Request | None = None, code: str | None = None) -> Wish:
    """Define what `code` does; without it refuse what needs the cells, which nobody has defined here."""
    if code is not None and request is not None:
        define_for(request._process, request._now(), code)
        return wish._replace(latest=True)
    if wish.latest or wish.rerun == "changed":
        raise SDKUsageError(
            "the code of now is in the notebook, not here: name its file with --code, run its cells again, `jupyter "
            "durable run` it, or replay there with %durable replay --latest"
        )
    return wish


def _ended(request: Request, asked: Asked) -> Said:
    shown = verbs.show(asked.engine, request.id)
    document = {"request": said.info_json(shown.info), **said.tree_json(shown.root)}
    line = request_text(request._now(), shown.info.status, request.counts())
    lines: list[Part] = [line] if shown.root is None else [Tree(shown.root), line]
    return Said(document, lines, said.exit_code(shown.info.status))


@command()
@verb
def cancel(asked: Asked, id: Id = "last") -> Said:
    """Stop a request; what succeeded is kept."""
    found = verbs.info(asked.engine, verbs.cancel(asked.engine, id)._now())
    told = (
        f"{found.held_by} was asked to cancel {found.id}" if found.status not in ENDED else f"{found.id} is cancelled"
    )
    return Said(said.info_json(found), [told])


@command()
@verb
def delete(asked: Asked, id: GivenId) -> Said:
    """Remove a request with its values."""
    deleted = verbs.delete(asked.engine, id)
    return Said({"deleted": deleted}, [f"deleted {deleted}, with all that only it had: values, files, code"])


@command()
@verb
def pin(
    asked: Asked,
    id: Id = "last",
    off: Annotated[bool, typer.Option("--off", help="Let it be collected again.")] = False,
) -> Said:
    """Keep a request from garbage collection."""
    found = verbs.info(asked.engine, verbs.pin(asked.engine, id, not off)._now())
    return Said(said.info_json(found), [f"{found.id} is {'no longer pinned' if off else 'pinned'}"])


# the store


@command()
@verb
def gc(
    asked: Asked,
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Those that ended so long ago: 30d, 12h. Must be said.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> Said:
    """Remove old requests that ended and are not pinned."""
    swept = verbs.gc(asked.engine, verbs.seconds_of(older_than), dry_run=dry_run)
    would = "would remove" if dry_run else "removed"
    freed = verbs.spoken_bytes(swept.bytes)
    line = f"{would} {len(swept.requests)} requests and {swept.blobs} large values ({freed})"
    document = {"dry_run": dry_run, "requests": list(swept.requests), "blobs": swept.blobs, "bytes": swept.bytes}
    return Said(document, [*swept.requests, line] if dry_run else [line])


@command()
@verb
def doctor(asked: Asked) -> Said:
    """Check the store, the signing key and the versions."""
    found = verbs.doctor(asked.engine)
    worst = any(each.level == "error" for each in found)
    grid = Grid(("state", "finding"), tuple(each for each in found))
    return Said({"findings": [each._asdict() for each in found]}, [grid], int(worst))


@command("store")
@verb
def store_(
    asked: Asked, url: Annotated[str | None, typer.Argument(metavar="[URL]", help="Look at this one instead.")] = None
) -> Said:
    """Say where requests are kept, who said so, and how large it is."""
    if url is not None:
        must_exist(url)
        verbs.use_store(asked.engine, url)
    seen = verbs.overview(asked.engine)
    source = asked.engine.settings.sources.get("store", "default")
    document = {"store": seen.store, "source": source, "bytes": seen.bytes}
    how = 'to change it: JUPYTER_DURABLE_STORE=URL, or store = "URL" in [tool.jupyter-durable] of pyproject.toml'
    return Said(document, [f"{seen.store} ({source}), {verbs.spoken_bytes(seen.bytes)}", how])


@command()
@verb
def copy(asked: Asked, new: Annotated[str, typer.Argument(metavar="NEW", help="A path where nothing is yet.")]) -> Said:
    """Write all requests and their values into a new store, also while others use it."""
    copied = verbs.copy(asked.engine, new)
    document = {"path": str(copied.path), "missing": copied.missing}
    lost = f"; {copied.missing} large values were not found" if copied.missing else ""
    return Said(document, [f"copied to {copied.path}{lost}"])


@command()
@verb
def push(asked: Asked, id: CarriedId, url: OtherStore = None) -> Said:
    """Take a request into another store, with all that is recorded of it."""
    return _carried(verbs.push(asked.engine, id, url))


@command()
@verb
def pull(asked: Asked, id: CarriedId, url: OtherStore = None) -> Said:
    """Get a request from another store, with all that is recorded of it."""
    if url is not None:
        must_exist(url)
    return _carried(verbs.pull(asked.engine, id, url))


def _carried(carried: verbs.Carried) -> Said:
    return Said(carried._asdict(), [verbs.carried_text(carried)])


app.command(cls=running.RunCommand)(verb(running.run))
command()(verb(deploying.deploy))
command()(verb(deploying.mcp))
command()(verb(exporting.export))
command()(serving.serve)
app.add_typer(serving.tokens, name="token")
command()(keys.login)
app.add_typer(keys.keys, name="key")
