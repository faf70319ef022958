"""What a server is told when it starts.

Rules of this file
- A frozen record; whoever needs more of it is given the record, not a copy of its fields.
- It refuses to be reached from other machines without tokens and TLS, before any socket is opened.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.location import default_url

NAMESPACE: Final = "{namespace}"
"""Stands in the URL of a store where the name of the namespace is put in."""
MIB: Final = 1 << 20


def default_folder() -> Path:
    """Where a server keeps what it is not told to keep elsewhere: beside the user's own store."""
    return Path(default_url().removeprefix("sqlite:///")).with_name("server")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server is reached, and where it keeps things."""

    folder: Path
    """Tokens, and what has no other place; made private."""
    store: str = ""
    """URL of the store, with `{namespace}` where it has one for each. Empty: a SQLite file a namespace in `folder`."""
    host: str = "127.0.0.1"
    port: int = 8765
    """0: one that is free."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    """Serve without TLS outside of this machine, since a proxy before it does that."""
    most_body: int = 64 * MIB
    """Bytes of a body, also after it was decompressed."""
    most_value: int = 16 * 1024 * MIB
    """The same of a large value."""
    most_depth: int = 64
    """How deep JSON may be nested."""
    workers: int = 0
    """How many requests of deployed applications run at once; 0: as many as the machine has processors, at least 2."""

    keep_ended: float | None = None
    """Seconds after which an ended request is removed that is not pinned; None: never by itself."""

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SDKUsageError("TLS needs both: --tls-cert FILE and --tls-key FILE")

    def store_of(self, namespace: str) -> str:
        """URL of the store of a namespace. Raises `SDKUsageError` where the server has one store, for one namespace."""
        if not self.store:
            return f"sqlite:///{self.folder / 'namespaces' / namespace / 'store.db'}"
        if NAMESPACE in self.store:
            return self.store.replace(NAMESPACE, namespace)
        if namespace != "default":
            raise SDKUsageError(
                f"this server has one store, that of the namespace default; to serve {namespace} as well start it with "
                f"{NAMESPACE} in the URL of its store"
            )
        return self.store

    def refuse_open_door(self, *, tokens: bool) -> None:
        """Raise `SDKUsageError` where others could reach the server and it has no tokens, or no TLS."""
        if is_loopback(self.host):
            return
        if not tokens:
            raise SDKUsageError(
                f"{self.host} can be reached from other machines, and there is no token yet: make one with "
                "`jupyter durable token create --scope write`, or serve on 127.0.0.1"
            )
        if self.tls_cert is None and not self.behind_proxy:
            raise SDKUsageError(
                f"{self.host} can be reached from other machines, and without TLS tokens and values would be read on "
                "the way: give --tls-cert and --tls-key, or say --insecure-behind-proxy where a proxy does it"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
