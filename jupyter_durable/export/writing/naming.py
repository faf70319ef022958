"""What the package and its modules are called.

Rules of this file
- A name never hides a module that the application imports, nor one of the standard library.
"""

from __future__ import annotations

import keyword
import re
import sys
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Final

from jupyter_durable.errors import ExportError

OWN: Final = ("application", "notebook", "cells")
"""What the module of the notebook may be called, the first one that no local module has."""
FILES: Final = "data"
"""The folder of the package, and its module, that hold the files that come along."""


def package_name(notebook: str, given: str | None, taken: Collection[str]) -> str:
    """A name for the package, after the notebook or as it was given. Raises `ExportError` for one that is none."""
    hidden = {*taken, *sys.stdlib_module_names, "jupyter_durable", "tests", "src"}
    if given is not None:
        name = given.replace("-", "_")
        if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name):
            raise ExportError(f"{given!r} is no name of a package: take letters, digits and _, the first no digit")
        if name in hidden:
            raise ExportError(f"a package {name} would hide the module of that name; give it another --name")
        return name.lower()
    plain = unicodedata.normalize("NFKD", notebook).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", plain).strip("_").lower() or "notebook"
    if name[0].isdigit():
        name = f"notebook_{name}"
    return f"{name}_app" if name in hidden or keyword.iskeyword(name) or keyword.issoftkeyword(name) else name


def main_module(local: Collection[str]) -> str:
    """The module of the notebook. `local`: top-level names of the modules that come along."""
    return next((name for name in OWN if name not in local), "notebook_application")


def module_path(dotted: str, *, is_package: bool) -> str:
    """Where a module stands in the package."""
    path = dotted.replace(".", "/")
    return f"{path}/__init__.py" if is_package else f"{path}.py"


def data_path(path: PurePosixPath) -> str:
    """Where a file that the notebook opens by `path` stands below the folder of files."""
    parts = [part for part in path.parts if part not in ("..", ".", "/")]
    if len(parts) > 1 and parts[0] == FILES:
        parts = parts[1:]
    return "/".join(parts)
