"""`jupyter durable export`: a notebook that works becomes a project that runs.

Rules of this file
- Nothing of the notebook runs: it is read. A request that goes along as a test is read from the store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jupyter_durable.cli.said import Said
from jupyter_durable.cli.verb import Asked


def export(  # noqa: PLR0913 - the options a user sees
    asked: Asked,
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="The notebook to export from.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the project goes.")],
    app: Annotated[
        list[str] | None,
        typer.Option("--app", metavar="NAMES", help="Only these applications: a,b; all of them if unsaid."),
    ] = None,
    target: Annotated[
        str, typer.Option("--target", metavar="TARGET", help="What it is for: server or tensorlake; server if unsaid.")
    ] = "server",
    bundle: Annotated[
        list[str] | None,
        typer.Option("--bundle", metavar="NAME=FILE", help="A value that goes in as a JSON file, and that file."),
    ] = None,
    record: Annotated[
        list[str] | None,
        typer.Option("--record", metavar="REQUEST", help="A request that becomes a test of the project."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what goes in and why; write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over what was edited by hand.")] = False,
) -> Said:
    """Write the applications of a notebook as a project that can be deployed."""
    from jupyter_durable.export import exporting  # a third of a second, for those who export
    from jupyter_durable.export.exporting import Wish
    from jupyter_durable.export.notebook import read_notebook

    wish = Wish(
        exporting.chosen(app or []),
        target,
        exporting.bundled(bundle or [], None),
        exporting.recorded(asked.engine, exporting.chosen(record or [])),
    )
    foreseen = exporting.foresee(read_notebook(notebook), wish)
    document = {
        "directory": str(directory.absolute()),
        "target": target,
        "decisions": foreseen.lines(),
        "files": sorted(foreseen.plan.files),
        "notes": list(foreseen.plan.notes),
    }
    if check:
        return Said({**document, "written": None}, [foreseen.text])
    written = exporting.export(foreseen, directory, force=force)
    done = {name: list(getattr(written, name)) for name in ("created", "updated", "removed", "unchanged", "kept")}
    notes = [f"Note: {each}" for each in foreseen.plan.notes]
    return Said({**document, "written": done}, [exporting.said(written), *notes])
