"""What every writer of files needs, and no library gives."""

from __future__ import annotations

import os
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Make names that were added to a directory, or changed in it, survive a power loss. Raises `OSError`."""
    if os.name == "nt":  # directories cannot be opened there, and their entries are written through
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
