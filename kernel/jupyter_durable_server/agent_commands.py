"""Commands of `jupyter durable` that run code of the user's, each in a process of its own, for agents of the server.

Rules of this file
- The server itself runs nothing: recorded code, and what a notebook defines, execute in the process that is started, by
  the Python of the kernel that the notebook names, in its folder.
- A replay goes on when nobody waits for it any more: its process belongs to nobody, and its request is in the store.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_durable.errors import SDKUsageError

MOST_SAID: Final = 4_000
"""Characters of what a command says on stderr: its end."""
MOST_NOTEBOOK: Final = 64 * 1024 * 1024
"""Bytes of a notebook that is read for the name of its kernel."""


class Place(NamedTuple):
    """Where a request is, and where its code belongs."""

    id: str
    store: str
    """URL."""
    notebook: str | None
    """Path."""


class Ended(NamedTuple):
    """What came of a command."""

    code: int | None
    """Exit code; None: it goes on."""
    document: Any
    """What it said as JSON; None where it said nothing."""
    said: str
    """The end of what it said on stderr, with what the user's code printed: foreign text."""


async def command(place: Place, verb: str, options: Sequence[str], wait: float) -> Ended:
    """Perform a command, and wait for it at most so many seconds."""
    python = await asyncio.to_thread(_python_of, place.notebook)
    folder = os.path.dirname(place.notebook or "")
    words = [python, "-m", "jupyter_durable.cli", verb, place.id, *options, "--json", "--store", place.store]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
            cwd=folder if os.path.isdir(folder) else None,
        )  # fmt: skip
        try:
            code: int | None = await asyncio.wait_for(asyncio.shield(process.wait()), wait)
        except TimeoutError:
            code = None
        out.seek(0)
        err.seek(0)
        said = err.read().decode("utf-8", "replace")[-MOST_SAID:]
        return Ended(code, _document(out.read()) if code is not None else None, said)


def _document(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _python_of(notebook: str | None) -> str:
    """The interpreter of the kernel that a notebook names, where that is a Python of this machine; else our own."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        path = Path(notebook or "")
        if path.suffix != ".ipynb" or path.stat().st_size > MOST_NOTEBOOK:
            return sys.executable
        name = json.loads(path.read_text("utf-8"))["metadata"]["kernelspec"]["name"]
        python = KernelSpecManager().get_kernel_spec(name).argv[0]
    except (OSError, ValueError, KeyError, TypeError, IndexError, NoSuchKernel):
        return sys.executable
    runs_python = os.path.isabs(python) and os.path.basename(python).startswith("python")
    return python if runs_python and os.access(python, os.X_OK) else sys.executable


def code_file(place: Place, code: str) -> list[str]:
    """The option for the code of now: `notebook` for that of the request, or a path; none for the recorded code.

    Raises `SDKUsageError` where there is no such file.
    """
    if not code:
        return []
    found = place.notebook if code == "notebook" else code
    if not found or not os.path.isfile(found):
        raise SDKUsageError(
            f"request {place.id} has no notebook file to take code from: name a script or a notebook by its path"
            if code == "notebook"
            else f"there is no file {code}: give the path of a script or a notebook, or `notebook`"
        )
    return ["--code", found]
