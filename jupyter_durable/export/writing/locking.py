"""Exact versions of all that an application is installed with.

Rules of this file
- They are those that are installed here: what the notebook ran with. uv writes them out for other platforms, too, where
  it is there and can; else they are what the metadata of each distribution asks for, with markers as they hold here.
- What is asked for and is not installed here stands in the lock as it was asked for.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from jupyter_durable.errors import ExportError
from jupyter_durable.export.writing.distributions import OURS, Environment, canonical

SECONDS: Final = 120
_READERS: Final = ("packaging.requirements", "pip._vendor.packaging.requirements")


def locked(here: Environment, requirements: Sequence[str], notes: list[str]) -> list[str]:
    """A requirement of an exact version for each distribution, by name. `notes` hears what is not exact.

    Raises `ExportError` where nothing here can read requirements.
    """
    pins = _closure(here, requirements)
    loose = sorted(text for text in pins.values() if "==" not in text)
    if loose:
        notes.append(f"not installed here, so without an exact version in the lock: {', '.join(loose)}")
    return [pins[key] for key in sorted(pins)]


def _closure(here: Environment, requirements: Iterable[str]) -> dict[str, str]:
    requirement_of = _reader()
    pins: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    pending: list[tuple[Any, str]] = [(requirement_of(text), "") for text in requirements]
    while pending:
        wanted, extra = pending.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        key = canonical(wanted.name)
        known = here.known(wanted.name)
        if wanted.url:
            pins[key] = f"{wanted.name} @ {wanted.url}"
        else:
            pins[key] = f"{known.name}=={known.version}" if known is not None else f"{wanted.name}{wanted.specifier}"
        if known is None:
            continue
        for own in ("", *sorted(wanted.extras)):
            if (key, own) not in seen:
                seen.add((key, own))
                pending += [(requirement_of(text), own) for text in known.requires]
    return pins


def _reader() -> Any:
    """What reads requirements: a library that is nearly everywhere, or the copy that pip has."""
    for name in _READERS:
        try:
            return importlib.import_module(name).Requirement
        except ImportError:
            continue
    raise ExportError("the lock file needs the package packaging: pip install packaging")


def compiled(pyproject: bytes, pins: Sequence[str]) -> str | None:
    """The lock as uv writes it, within these versions; None where uv is not there or cannot resolve it."""
    uv = shutil.which("uv")
    if uv is None:
        return None
    with tempfile.TemporaryDirectory(prefix="durable-export-") as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_bytes(pyproject)
        (folder / "pins.txt").write_text("\n".join(pins) + "\n", "utf-8")
        command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "-c", "pins.txt", "pyproject.toml"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 and OURS in done.stdout else None
