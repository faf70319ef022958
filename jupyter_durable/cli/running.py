"""`jupyter durable run`: its options. What it does lives with Jupyter, in `jupyter_durable_kernel`, found by name.

Rules of this file
- Nothing of Jupyter is imported here; what is asked for goes over as one frozen record.
"""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from jupyter_durable.cli.said import Said
from jupyter_durable.cli.usage import Command
from jupyter_durable.cli.verb import Asked
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.records import NamedTuple

GROUP: Final = "jupyter_durable.cli"
"""Entry point group; its `run` is called with `Asked` and a `NotebookRun` and gives a `Said`."""


class NotebookRun(NamedTuple):
    """A notebook to execute."""

    notebook: Path
    out: Path
    parameters: dict[str, Any]
    kernel: str | None
    """Name of a kernelspec; None: the one the notebook names."""
    timeout: float | None
    """Seconds for each cell; None: no limit."""
    fresh: bool
    """Begin anew instead of going on with the last execution."""


class RunCommand(Command):
    """Reads `-p NAME VALUE` as two words, as papermill's users write it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the two words for the parser, which takes one value an option."""
        return super().parse_args(ctx, _joined(args))


def _joined(args: list[str]) -> list[str]:
    joined, rest = [], list(args)
    while rest:
        word = rest.pop(0)
        joined.append(word)
        if word in ("-p", "--parameter") and rest:
            name = rest.pop(0)
            both = "=" not in name and rest
            joined.append(f"{name}={rest.pop(0)}" if both else name)
    return joined


def run(  # noqa: PLR0913 - the options a user sees
    asked: Asked,
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="The notebook to execute.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--parameter",
            metavar="NAME VALUE",
            help="A value for a name of the cell tagged `parameters`: JSON, else text.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="PATH", help="Where the executed notebook goes; NOTEBOOK.out.ipynb if unsaid."
        ),
    ] = None,
    kernel: Annotated[str | None, typer.Option("--kernel", metavar="NAME", help="Another kernel than its own.")] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="How long a cell may take; no limit if unsaid.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on.")] = False,
) -> Said:
    """Execute a notebook; run it again and it goes on where it stopped."""
    if not notebook.is_file():
        raise SDKUsageError(f"there is no notebook at {notebook}")
    target = notebook.with_name(f"{notebook.stem}.out.ipynb") if out is None else out
    if not target.absolute().parent.is_dir():
        raise SDKUsageError(f"{target} cannot be written: there is no directory {target.absolute().parent}")
    found = next(iter(entry_points(group=GROUP, name="run")), None)
    if found is None:
        raise SDKUsageError("`jupyter durable run` needs Jupyter: pip install 'jupyter-durable[notebook]'")
    wanted = NotebookRun(notebook.absolute(), target.absolute(), parameters(parameter or []), kernel, timeout, fresh)
    try:
        execute = found.load()
    except ImportError as error:
        raise SDKUsageError(
            f"`jupyter durable run` needs Jupyter ({error}): pip install 'jupyter-durable[notebook]'"
        ) from error
    said: Said = execute(asked, wanted)
    return said


def parameters(given: list[str]) -> dict[str, Any]:
    """`NAME=VALUE` each; the last of a name wins. Raises `SDKUsageError` for what is no name."""
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise SDKUsageError(f"-p takes a name and a value (-p rate 0.5), not {text!r}")
        values[name] = json_or_text(value)
    return values


def json_or_text(text: str) -> Any:
    """A value given on the command line: JSON where it is JSON, else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
