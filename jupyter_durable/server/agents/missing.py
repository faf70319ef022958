"""Whether the package `mcp` is there, without importing it.

Rules of this file
- It is the one file of this room that can be imported where the package is missing.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from jupyter_durable.errors import SDKUsageError

LEAST: Final = (2, 3)
"""The first version that speaks protocol 2026-07-28 as it is needed here."""
REMEDY: Final = "pip install 'jupyter-durable[mcp]'"


@cache
def what_is_missing() -> str | None:
    """In words, and what to do about it; None where all is there."""
    try:
        found = version("mcp")
    except PackageNotFoundError:
        return f"tools for agents need the package mcp: {REMEDY}"
    if tuple(int(part) for part in found.split(".")[:2] if part.isdecimal()) < LEAST:
        least = ".".join(map(str, LEAST))
        return f"tools for agents need the package mcp {least} or newer, and {found} is installed: {REMEDY}"
    return None


def require() -> None:
    """Raise `SDKUsageError` where it is not there."""
    missing = what_is_missing()
    if missing is not None:
        raise SDKUsageError(missing)
