"""Which stores this user has opened: one file beside the default store, so that the Jupyter server finds them.

Rules of this file
- One URL a line, appended, never rewritten: a line is written at once, so that processes need no lock.
- Files only: what has no file is not listed, and so no credentials are.
- It is a convenience: where it cannot be written, the store opens all the same.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from jupyter_durable.files import new_file, open_file
from jupyter_durable.store.location import default_url, own_folder

SCHEME: Final = "sqlite:///"
MOST: Final = 100
"""Stores that are listed: those that were opened last for the first time."""


def list_path() -> Path:
    """The file."""
    return Path(default_url().removeprefix(SCHEME)).with_name("stores")


def remember(url: str) -> None:
    """A store was opened."""
    if url.startswith(SCHEME) and url != default_url():
        with contextlib.suppress(OSError, UnicodeError):
            _append(list_path(), url)


def known() -> list[str]:
    """URLs of the stores that still exist, the default one first."""
    urls = [default_url(), *reversed(_lines(list_path()))]
    return [url for url in dict.fromkeys(urls) if _exists(url)][:MOST]


def _append(path: Path, url: str) -> None:
    if "\n" in url or url in _lines(path):
        return
    own_folder()
    if not os.path.lexists(path):
        with contextlib.suppress(FileExistsError):
            os.close(new_file(path))
    os.close(open_file(path))  # a pipe would make us wait
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, f"{url}\n".encode())
    finally:
        os.close(file)


def _lines(path: Path) -> list[str]:
    try:
        with os.fdopen(open_file(path), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _exists(url: str) -> bool:
    path = url.removeprefix(SCHEME)
    try:
        return url.startswith(SCHEME) and os.path.isabs(path) and Path(path).is_file()
    except ValueError:  # a line that is no path at all
        return False
