"""Who is logged in: a session for a token that somebody has entered into the page.

Rules of this file
- A session is 256 random bits, in the browser's cookie alone; what is kept is its SHA-256. It holds as long as its
  token does, a week at most, and is over at once when the token is revoked.
- They are kept in a file, so that a server that is started again knows who is logged in. It is written whole, in a new
  file that takes the place of the old one.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
from pathlib import Path
from typing import Final

from jupyter_durable.errors import StoreError
from jupyter_durable.files import make_folder, new_file, remedy
from jupyter_durable.records import NamedTuple
from jupyter_durable.server.tokens import Token

LONGEST: Final = 7 * 24 * 3600.0
"""Seconds."""
MOST: Final = 1000
"""Sessions that are kept, the newest ones."""


class Session(NamedTuple):
    """What is kept of a session."""

    hash: str
    """Hex of SHA-256."""
    token: str
    """Id of the token it stands for."""
    ends_at: float


class Sessions:
    """The sessions of one server."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sessions"
        self._lock = threading.Lock()
        self._known = _read(self._path)

    def begin(self, token: Token, now: float) -> str:
        """A session for a token: the text to be kept by the browser. Raises `StoreError`."""
        text = secrets.token_urlsafe(32)
        ends_at = now + LONGEST if token.expires_at is None else min(now + LONGEST, token.expires_at)
        with self._lock:
            good = [each for each in self._known.values() if each.ends_at > now][1 - MOST :]
            self._put([*good, Session(_hash(text), token.id, ends_at)])
        return text

    def token(self, text: str, now: float) -> str | None:
        """Id of the token that a session stands for; None where there is no such session (any more)."""
        found = self._known.get(_hash(text))
        return found.token if found is not None and found.ends_at > now else None

    def end(self, text: str) -> None:
        """Log out. Raises `StoreError`."""
        with self._lock:
            gone = _hash(text)
            if gone in self._known:
                self._put([each for each in self._known.values() if each.hash != gone])

    def _put(self, sessions: list[Session]) -> None:
        lines = "".join(f"{json.dumps(each._asdict())}\n" for each in sessions)
        beside = self._path.with_name(f"sessions.{secrets.token_hex(4)}")
        try:
            make_folder(self._path.parent)
            with os.fdopen(new_file(beside), "w", encoding="utf-8") as file:
                file.write(lines)
            os.replace(beside, self._path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise StoreError(
                f"the sessions in {self._path} cannot be written: {error.strerror or error}; {remedy(error)}"
            ) from error
        self._known = {each.hash: each for each in sessions}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _read(path: Path) -> dict[str, Session]:
    """Those of a server that was here before. What cannot be read is a reason to log in again, and no more."""
    try:
        found = [Session(**json.loads(line)) for line in path.read_text("utf-8").splitlines() if line]
    except (OSError, ValueError, TypeError):
        return {}
    return {each.hash: each for each in found}
