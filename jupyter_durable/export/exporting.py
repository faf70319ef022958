"""An export from a notebook to a directory: what the command, `%durable export` and the page all ask for.

Rules of this file
- What is asked for is one record, read from words or from the page; who asks shows what comes of it.
- Looking and writing go the same way: what was shown is what is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jupyter_durable.client import verbs
from jupyter_durable.client.engine import Engine
from jupyter_durable.core.escaping import escaped
from jupyter_durable.errors import ExportError
from jupyter_durable.export.project import Plan, Written, plan, write
from jupyter_durable.export.recording import recordings
from jupyter_durable.export.selection import Decision, Notebook
from jupyter_durable.export.slice import durable_roots, select
from jupyter_durable.export.table import table
from jupyter_durable.export.targets import TARGETS, tensorlake
from jupyter_durable.export.writing.records import Recording
from jupyter_durable.records import NamedTuple

DEFAULT_TARGET: Final = "server"
MOST_BUNDLED: Final = 5 * 1024 * 1024
"""Bytes of a value that goes in as JSON."""


class Wish(NamedTuple):
    """What is to be exported."""

    apps: tuple[str, ...] = ()
    """Applications, or durable functions; all applications where none is named."""
    target: str = DEFAULT_TARGET
    bundled: Mapping[str, bytes] = {}
    """Values that go in as JSON, by name."""
    recorded: tuple[Recording, ...] = ()


class Root(NamedTuple):
    """What can be chosen."""

    name: str
    description: str
    application: bool


class Foreseen(NamedTuple):
    """What an export would be."""

    plan: Plan
    decisions: tuple[Decision, ...]
    """Of each statement of the notebook, and what is different at the target."""

    def lines(self) -> list[dict[str, Any]]:
        """The table as JSON has it."""
        return [{"cell": each.cell, "what": each.what, "kept": each.kept, "why": each.why} for each in self.decisions]

    @property
    def text(self) -> str:
        """The table, and below it the files."""
        files = f"{len(self.plan.files)} files: {', '.join(sorted(self.plan.files))}"
        return "\n".join([table(self.decisions), "", files, *(f"Note: {each}" for each in self.plan.notes)])


def foresee(notebook: Notebook, wish: Wish) -> Foreseen:
    """What an export would write; nothing is written. Raises `ExportError`."""
    if wish.target not in TARGETS:
        raise ExportError(f"there is no target {wish.target!r}; there are {', '.join(TARGETS)}")
    selection = select(notebook, wish.apps, bundled=wish.bundled)
    unused = sorted(set(wish.bundled) - set(selection.bundled))
    if unused:
        raise ExportError(f"nothing that goes in reads {escaped(', '.join(unused))}: leave --bundle out")
    made = plan(selection, wish.target, directory=notebook.directory, recorded=wish.recorded)
    different = tensorlake.notes(selection) if wish.target == "tensorlake" else ()
    return Foreseen(made, (*selection.decisions, *different))


def roots(notebook: Notebook) -> list[Root]:
    """The durable functions of a notebook; none where it cannot be read."""
    return [Root(each.function, each.description, each.is_application) for each in durable_roots(notebook)]


def export(foreseen: Foreseen, directory: Path, *, force: bool = False) -> Written:
    """Write it. Raises `ExportError`; then the directory is as it was."""
    return write(foreseen.plan, directory, force=force)


def said(written: Written) -> str:
    """What was done, in a few lines."""
    counts = {
        "new": written.created,
        "updated": written.updated,
        "removed": written.removed,
        "unchanged": written.unchanged,
    }
    line = ", ".join(f"{len(paths)} {what}" for what, paths in counts.items() if paths)
    kept = [f"left as it was edited: {path}" for path in written.kept]
    return "\n".join([f"exported to {written.directory}: {line or 'nothing to do'}", *kept])


def bundled(names: Iterable[str], value_of: Callable[[str], Any] | None) -> dict[str, bytes]:
    """Values as JSON: `NAME=FILE` reads a file, `NAME` asks `value_of`. Raises `ExportError`."""
    found: dict[str, bytes] = {}
    for each in names:
        name, equals, path = each.partition("=")
        if not name.isidentifier():
            raise ExportError(f"--bundle takes a name, or NAME=FILE, not {each!r}")
        if equals:
            found[name] = _read(name, Path(path))
        elif value_of is None:
            raise ExportError(
                f"--bundle {name}: its value is in the notebook's kernel, not here. Export there, with %durable "
                f"export, or give it as JSON: --bundle {name}=FILE"
            )
        else:
            found[name] = _json(name, value_of(name))
    return found


def _read(name: str, path: Path) -> bytes:
    try:
        return _json(name, json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ExportError(f"--bundle {name}: {path} cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise ExportError(f"--bundle {name}: {path} is no JSON ({error})") from error


def _json(name: str, value: Any) -> bytes:
    """The value as JSON, if it is read back as the same. A tuple or a set would come back as something else."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        same = type(value) in (dict, list, str, int, float, bool, type(None)) and json.loads(text) == value
    except (TypeError, ValueError, RecursionError) as error:
        raise ExportError(f"--bundle {name}: {_way(value)} ({error})") from error
    if not same:
        raise ExportError(f"--bundle {name}: {_way(value)}")
    if len(text) > MOST_BUNDLED:
        raise ExportError(
            f"--bundle {name}: it has {len(text) / 1e6:.1f} MB as JSON, and {MOST_BUNDLED / 1e6:.1f} MB go in. Save it "
            "to a file beside the notebook, and open that in the function that needs it"
        )
    return text.encode()


def _way(value: Any) -> str:
    return (
        f"a {type(value).__name__} is not what JSON gives back. Save it to a file beside the notebook and open that in "
        "the function that needs it, or make it a durable function that returns it"
    )


def names(said: str) -> tuple[str, ...]:
    """`a,b` as names."""
    return tuple(name for name in said.replace(",", " ").split() if name)


def chosen(said: Sequence[str]) -> tuple[str, ...]:
    """The same of an option that may be said several times."""
    return tuple(name for each in said for name in names(each))


def recorded(engine: Engine, requests: Sequence[str]) -> tuple[Recording, ...]:
    """Requests that go along as tests, by id, its beginning, or `last`. Raises `ExportError`."""
    return tuple(recordings(engine, [verbs.find(engine, each).id for each in requests]))
