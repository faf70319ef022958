"""What every command shares: `--json`, `--store`, the engine it works on, and how it ends.

Rules of this file
- A command runs in an empty `__main__`: recorded code must find its own names, never those of this program.
- With `--json` stdout holds one document; what user code prints while it runs goes to stderr.
- What runs no code looks at stores of whoever made them: each reading has an end, and Ctrl-C ends it at once.
- Every error of ours is one sentence on stderr. Others are bugs and keep their traceback.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Final

import typer

from jupyter_durable.cli import drawing
from jupyter_durable.cli.said import Said
from jupyter_durable.client import this_engine
from jupyter_durable.client.engine import Engine
from jupyter_durable.core.escaping import lines_escaped
from jupyter_durable.errors import DurableError, InternalError, ReplayError, RequestFailed, SDKUsageError
from jupyter_durable.records import NamedTuple

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]
StoreUrl = Annotated[str | None, typer.Option("--store", metavar="URL", help="Where requests are kept.")]


SECONDS: Final = {
    **dict.fromkeys(("run", "replay", "fork", "deploy", "mcp", "push", "pull"), None),
    **dict.fromkeys(("gc", "delete"), 600.0),
}
"""Seconds of a processor for one statement. None: commands that run code of the user's, whose store is his own, and
those that carry a request whole: what is read with a limit is cut."""
LOOK_SECONDS: Final = 1.0
"""The same of the others; they read in pages."""


class How(NamedTuple):
    """How a command is to be performed."""

    json: bool = False
    store: str | None = None
    makes_store: bool = False
    """A store that is not there is made."""
    seconds: float | None = None
    """For one statement; None: no limit."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command is given besides its own arguments."""

    engine: Engine
    json: bool


@dataclass(slots=True)
class Everywhere:
    """Options given before the verb."""

    json: bool = False
    store: str | None = None


def verb(command: Callable[..., Said]) -> Callable[..., None]:
    """Make a command of a function of `Asked` and its own arguments; `--json` and `--store` are added.

    A store that is named but not there is an error, except for `run`: a slip of the pen must not make a new one.
    """

    @functools.wraps(command)
    def run(ctx: typer.Context, **given: Any) -> None:
        before = ctx.find_root().obj or Everywhere()
        json = given.pop("json") or before.json
        store = given.pop("store") or before.store
        seconds = SECONDS.get(command.__name__, LOOK_SECONDS)
        how = How(json, store, command.__name__ == "run", seconds)
        raise typer.Exit(perform(lambda asked: command(asked, **given), how))

    hints = typing.get_type_hints(command, include_extras=True)
    own = list(inspect.signature(command).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("ctx", keyword, annotation=typer.Context),
        *(each.replace(kind=keyword, annotation=hints[each.name]) for each in own),
        inspect.Parameter("json", keyword, default=False, annotation=Json),
        inspect.Parameter("store", keyword, default=None, annotation=StoreUrl),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def perform(action: Callable[[Asked], Said], how: How) -> int:
    """Do it, write what it says, give the exit code."""
    try:
        if how.store is not None and not how.makes_store:
            must_exist(how.store)
        with _engine(how) as engine:
            with contextlib.redirect_stdout(sys.stderr) if how.json else contextlib.nullcontext():
                said = action(Asked(engine, how.json))
            drawing.write(said, as_json=how.json)
    except InternalError:
        raise
    except (RequestFailed, ReplayError) as error:
        drawing.complain(str(error))
        return 1
    except DurableError as error:
        drawing.complain(str(error))
        return 2
    except KeyboardInterrupt:
        drawing.complain("interrupted")
        return 130
    return said.code


@contextlib.contextmanager
def _engine(how: How) -> Iterator[Engine]:
    """The engine of this process on the store that was asked for, in an empty `__main__`."""
    engine = this_engine()
    seconds = how.seconds
    engine.limit = None if seconds is None else lambda: seconds
    main, warn = sys.modules["__main__"], engine.warn
    sys.modules["__main__"] = ModuleType("__main__")
    engine.warn = lambda text: print(f"Note: {lines_escaped(text)}", file=sys.stderr)
    try:
        if how.store is not None:
            engine.configure({"store": how.store})
        yield engine
    finally:
        sys.modules["__main__"], engine.warn, engine.limit = main, warn, None


def must_exist(url: str) -> None:
    """Raise `SDKUsageError` when the file of a store is not there: looking must not make one by a slip of the pen."""
    path = Path(url.removeprefix("sqlite:///")).expanduser()
    if url.startswith("sqlite:///") and not path.exists():
        raise SDKUsageError(f"there is no store at {path.absolute()}; check --store")
