"""Where a server is, and what opens its door: the URL of a remote store, and the token for it.

Rules of this file
- The URL comes from the user's configuration alone. It holds no user, password or query, since it is shown.
- http is for this machine. Elsewhere tokens and values would be read on the way: who wants that says so in the URL.
- A token belongs to one origin and is sent nowhere else. It is never shown, neither in messages nor by `repr`.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.files import NotRegular, new_file, open_file, remedy
from jupyter_durable.records import NamedTuple
from jupyter_durable.store.location import default_url, own_folder

TOKEN_VARIABLE: Final = "JUPYTER_DURABLE_TOKEN"
INSECURE: Final = "http+insecure"
"""The scheme of a URL whose user knows that everything on the way can be read."""


class Origin(NamedTuple):
    """A server: what is shown of it, and where requests go."""

    url: str
    base: str


def origin_of(url: str) -> Origin:
    """The server of a URL. Raises `SDKUsageError`, which does not repeat what may be a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SDKUsageError("the URL of the store is none; write https://HOST:PORT") from None
    host = parts.hostname or ""
    if not host or parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise SDKUsageError(
            f"the URL of a remote store is https://HOST:PORT, without user, password or query; the token stands in"
            f" {TOKEN_VARIABLE}"
        )
    place = f"[{host}]" if ":" in host else host
    at = f"{place}:{port}" if port is not None else place
    if parts.scheme == "http" and not _is_loopback(host):
        raise SDKUsageError(
            f"http://{at} would send your token and your values where others can read them: use https://, or write"
            f" {INSECURE}://{at} if the way there is safe"
        )
    path = parts.path.rstrip("/")
    scheme = "http" if parts.scheme == INSECURE else parts.scheme
    return Origin(f"{parts.scheme}://{at}{path}", f"{scheme}://{at}{path}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def tokens_path() -> Path:
    """The file with a line `URL TOKEN` for each server."""
    return Path(default_url().removeprefix("sqlite:///")).with_name("servers")


def token_for(origin: Origin) -> str:
    """The token for a server: of the environment, else of the user's file. Raises `SDKUsageError` where there is none,
    `StoreError` where others may read the file."""
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    found = given or _tokens().get(origin.url, "")
    if not found:
        raise SDKUsageError(
            f"there is no token for {origin.url}: put the one of `jupyter durable token create` on the server into"
            f" {TOKEN_VARIABLE}, or keep it with `jupyter durable login {origin.url}`"
        )
    if not found.isascii() or not found.isprintable() or " " in found:
        raise SDKUsageError(f"what stands in {TOKEN_VARIABLE} is no token")
    return found


def keep_token(origin: Origin, token: str) -> Path:
    """Keep the token of a server in the user's file. Raises `StoreError`."""
    path = tokens_path()
    lines = {**_tokens(), origin.url: token}
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        own_folder()
        with os.fdopen(new_file(beside), "w", encoding="utf-8") as file:
            file.writelines(f"{url} {each}\n" for url, each in lines.items())
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise StoreError(
            f"the token could not be kept in {path}: {error.strerror or error}; {remedy(error)}"
        ) from error
    return path


def _tokens() -> dict[str, str]:
    path = tokens_path()
    try:
        with os.fdopen(open_file(path, links=False), encoding="utf-8", errors="replace") as file:
            if os.name != "nt" and os.fstat(file.fileno()).st_mode & 0o077:
                raise StoreError(f"others may read the tokens in {path}: `chmod 600 {path}`, and make new ones")
            found = (line.split() for line in file)
            return {each[0]: each[1] for each in found if len(each) == 2}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except NotRegular as error:
        raise StoreError(f"the tokens in {path} cannot be read: {error.strerror}; move it aside") from error
    except OSError as error:
        raise StoreError(f"the tokens in {path} cannot be read: {error.strerror or error}; {remedy(error)}") from error
