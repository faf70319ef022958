"""Whether the Jupyter server that shows this notebook has the page's part of jupyter-durable.

Rules of this file
- The server is the process that `JPY_PARENT_PID` names; its environment is where its commands lie.
- What cannot be found out is not guessed: then there is no finding.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jupyter_core.paths import SYSTEM_JUPYTER_PATH, jupyter_data_dir

from jupyter_durable.store.base import Finding

_PAGE: Final = Path("labextensions", "jupyter-durable")
_PROCESSES: Final = Path("/proc")


def findings(environment: Mapping[str, str]) -> list[Finding]:
    """What to install where, when kernel and server run in different environments; `environment`: the kernel's."""
    server = _server_prefix(environment.get("JPY_PARENT_PID", ""))
    if server is None:
        return []
    places = [server / "share" / "jupyter", Path(jupyter_data_dir()), *map(Path, SYSTEM_JUPYTER_PATH)]
    there = any((place / _PAGE).exists() for place in places)
    if there:
        return [Finding("ok", f"the Jupyter server, in {server}, has the page's part of jupyter-durable")]
    where = "which is this kernel's, too" if server == Path(sys.prefix) else f"this kernel in {sys.prefix}"
    return [
        Finding(
            "warning",
            f"the Jupyter server runs in {server}, {where}; the page's part of jupyter-durable is not there, so views "
            f"have no buttons. Install it: {server}/bin/python -m pip install jupyter-durable, then restart the server",
        )
    ]


def _server_prefix(pid: str) -> Path | None:
    """The environment of a Jupyter server; None for another program, and where a system does not tell."""
    try:
        command = (_PROCESSES / str(int(pid)) / "cmdline").read_bytes().decode().split("\0")
    except (ValueError, OSError):
        return None
    if not any(Path(word).name.startswith("jupyter") for word in command[:3]):
        return None
    for word in command[:2]:
        path = Path(word)
        if path.is_absolute() and path.parent.name == "bin":
            return path.parent.parent
    return None
