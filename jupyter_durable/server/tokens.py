"""Tokens: who may use a server, for which namespace, to do what, until when.

Rules of this file
- A token is 256 random bits. It is shown once, when it is made; what is kept is its SHA-256, which for random bits is
  as good as a slow hash. Hashes are compared in constant time.
- The file is one line of JSON a token or a revocation, appended, mode 0600. A server reads it again when it has
  changed, so that what is made or revoked holds at once.
- Expiry is by the clock of the server.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.files import make_folder, new_file, open_file, remedy
from jupyter_durable.records import NamedTuple

SCOPES: Final = ("read", "write", "admin")
"""Each may what those before it may. `read` looks, `write` runs requests and removes them, `admin` also sweeps and
measures."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_PREFIX: Final = "jdt"


class Token(NamedTuple):
    """What is kept of a token."""

    id: str
    namespace: str
    scope: str
    hash: str
    """Hex of SHA-256."""
    created_at: float
    expires_at: float | None
    revoked: bool = False


def checked_namespace(name: str) -> str:
    """A name that may become part of a path. Raises `SDKUsageError`."""
    if _NAME.fullmatch(name) is None:
        raise SDKUsageError(
            f"{name!r} is no name of a namespace: up to 63 of a-z, 0-9, - and _, the first a letter or a digit"
        )
    return name


class TokenFile:
    """The tokens of one server."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tokens"
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._tokens: dict[str, Token] = {}

    def create(self, namespace: str, scope: str, now: float, seconds: float | None) -> tuple[str, Token]:
        """A new token: the text to give away, which nobody can find out again, and what is kept of it."""
        if scope not in SCOPES:
            raise SDKUsageError(f"the scope of a token is one of {', '.join(SCOPES)}, not {scope!r}")
        id = secrets.token_hex(6)
        text = f"{_PREFIX}_{id}_{secrets.token_urlsafe(32)}"
        expires = None if seconds is None else now + seconds
        token = Token(id, checked_namespace(namespace), scope, _hash(text), now, expires)
        self._append(token._asdict())
        return text, token

    def revoke(self, id: str, now: float) -> None:
        """From now on nobody gets in with it. Raises `SDKUsageError` for one that is not there."""
        if id not in self._read():
            raise SDKUsageError(f"there is no token {id!r}; `jupyter durable token list` shows those there are")
        self._append({"revoke": id, "at": now})

    def all(self) -> list[Token]:
        """Every token, oldest first."""
        return list(self._read().values())

    def find(self, text: str, now: float) -> Token | None:
        """The token of a text that somebody sent; None where it is not good (any more)."""
        parts = text.split("_", 2)
        kept = self._read().get(parts[1]) if len(parts) == 3 else None
        same = hmac.compare_digest(_hash(text), kept.hash if kept is not None else _hash(""))
        return kept if kept is not None and same and _holds(kept, now) else None

    def standing(self, id: str, now: float) -> Token | None:
        """The token of an id; None where it is not good (any more)."""
        kept = self._read().get(id)
        return kept if kept is not None and _holds(kept, now) else None

    def _read(self) -> dict[str, Token]:
        with self._lock:
            try:
                found = os.stat(self.path)
                seen = (found.st_ino, found.st_size, found.st_mtime_ns)
                if seen != self._seen:
                    with os.fdopen(open_file(self.path), encoding="utf-8") as file:
                        self._tokens = _parsed(file)
                    self._seen = seen
            except FileNotFoundError:
                self._seen, self._tokens = None, {}
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise StoreError(f"the tokens in {self.path} cannot be read: {error}; nobody is let in") from error
            return self._tokens

    def _append(self, line: dict[str, Any]) -> None:
        try:
            make_folder(self.path.parent)
            file = new_file(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(file, json.dumps(line).encode() + b"\n")
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise StoreError(
                f"the tokens in {self.path} cannot be written: {error.strerror or error}; {remedy(error)}"
            ) from error


def _holds(token: Token, now: float) -> bool:
    return not token.revoked and (token.expires_at is None or token.expires_at > now)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _parsed(lines: Iterable[str]) -> dict[str, Token]:
    tokens: dict[str, Token] = {}
    for line in filter(str.strip, lines):
        entry = json.loads(line)
        if "revoke" in entry:
            tokens[entry["revoke"]] = tokens[entry["revoke"]]._replace(revoked=True)
        else:
            tokens[entry["id"]] = Token(**entry)
    return tokens
