"""Where an exported application is to run: one file a target, found by its name.

Rules of this room
- A target is a function `files(project)` of a `Project`: it gives files by their relative path, and writes nothing.
- What all of them share (modules, distributions, exact versions) is made before; templates are package data.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

from jupyter_durable.errors import ExportError
from jupyter_durable.export.writing.records import Target

TARGETS: Final[Mapping[str, str]] = {
    "server": "jupyter_durable.export.targets.server",
    "tensorlake": "jupyter_durable.export.targets.tensorlake",
}
"""Modules by the name that `--target` takes."""


def target_of(name: str) -> Target:
    """The target of a name. Raises `ExportError`."""
    if name not in TARGETS:
        raise ExportError(f"there is no target {name!r}; known are {', '.join(sorted(TARGETS))}")
    found: Target = importlib.import_module(TARGETS[name]).files
    return found
