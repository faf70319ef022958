"""What was edited since an export wrote it, and what writing again would do.

Rules of this file
- A file is ours as long as it is as we wrote it. One that was edited is never written over unless that is asked for;
  one that we would write as it was before keeps its edit, and nothing is said.
- A file that is in the way and that no export wrote counts as edited.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jupyter_durable.errors import ExportError
from jupyter_durable.export.writing.manifest import Manifest, digest

LINES: Final = 40
"""Of a difference that is shown."""
FILES: Final = 3
"""That are shown with their lines; of the others the name is told."""


@dataclass(slots=True)
class Differences:
    """What becomes of each path."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Edited by hand, and left as they are: nothing new is to be written there."""
    edited: dict[str, bytes] = field(default_factory=dict)
    """Edited by hand, where something new is to be written: what stands there."""
    seen: dict[str, str | None] = field(default_factory=dict)
    """The SHA-256 of what was looked at, None where nothing stood."""


def compared(files: Mapping[str, bytes], before: Manifest | None, directory: Path) -> Differences:
    """What writing `files` into a directory would do. Raises `ExportError` for what cannot be read."""
    known = before.files if before is not None else {}
    found = Differences()
    for path, data in sorted(files.items()):
        there = _looked_at(found, directory, path)
        if there is None:
            found.created.append(path)
        elif there == data:
            found.unchanged.append(path)
        elif known.get(path) == digest(there):
            found.updated.append(path)
        elif known.get(path) == digest(data):
            found.kept.append(path)
        else:
            found.edited[path] = there
    for path in sorted(known.keys() - files.keys()):
        there = _looked_at(found, directory, path)
        if there is not None:
            (found.removed if digest(there) == known[path] else found.kept).append(path)
    return found


def _looked_at(found: Differences, directory: Path, path: str) -> bytes | None:
    there = _read(directory, path)
    found.seen[path] = digest(there) if there is not None else None
    return there


def _read(directory: Path, path: str) -> bytes | None:
    try:
        return (directory / path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror or error}; nothing was written") from error


def refusal(files: Mapping[str, bytes], found: Differences) -> ExportError:
    """The error for files that were edited by hand, with the differences."""
    many = len(found.edited) > 1
    parts = [
        f"{'these files were' if many else 'this file was'} edited by hand since the last export, or are not of one: "
        f"{', '.join(found.edited)}. Nothing was written. Keep the edits and export into another directory, or give "
        "--force to write over them:"
    ]
    parts += [_difference(path, there, files[path]) for path, there in list(found.edited.items())[:FILES]]
    return ExportError("\n".join(parts))


def _difference(path: str, there: bytes, ours: bytes) -> str:
    try:
        before, after = there.decode().split("\n"), ours.decode().split("\n")
    except UnicodeDecodeError:
        return f"{path}: {len(there):,} bytes there, {len(ours):,} in the export"
    lines = list(difflib.unified_diff(before, after, f"{path} (there)", f"{path} (export)", n=2, lineterm=""))
    more = [f"… and {len(lines) - LINES} more lines"] if len(lines) > LINES else []
    return "\n".join([*lines[:LINES], *more])
