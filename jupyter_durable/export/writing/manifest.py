"""What an export wrote: a file in the project that knows each of its files by the SHA-256 that it had then.

Rules of this file
- It holds no time and no path of this machine: an export that changes nothing changes no byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_durable.errors import ExportError

NAME: Final = ".durable-export.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was written."""

    target: str
    notebook: str
    files: Mapping[str, str]
    """SHA-256 in hex by relative path."""

    def text(self) -> bytes:
        """As it is written."""
        said = {
            "format": FORMAT,
            "target": self.target,
            "notebook": self.notebook,
            "files": dict(sorted(self.files.items())),
        }
        return (json.dumps(said, indent=2, ensure_ascii=False) + "\n").encode()


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def read(directory: Path) -> Manifest | None:
    """What an export wrote into a directory; None where none did. Raises `ExportError` for one that is damaged."""
    path = directory / NAME
    try:
        said = json.loads(path.read_bytes())
        files = {str(name): str(value) for name, value in said["files"].items()}
        return Manifest(str(said["target"]), str(said["notebook"]), files)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(
            f"{NAME} in this directory, which says what was exported there, cannot be read ({error}): put it back, or "
            "export into another directory"
        ) from error
