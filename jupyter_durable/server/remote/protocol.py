"""Which version of the protocol is spoken: asked before anything else of a route of the remote store."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Header

from jupyter_durable.server.refusals import Refusal
from jupyter_durable.store.http import wire


def stamped() -> dict[str, str]:
    """The headers of an answer."""
    return {wire.PROTOCOL_HEADER: str(wire.PROTOCOL), wire.NOW_HEADER: repr(time.time())}


def _spoken(version: Annotated[str | None, Header(alias=wire.PROTOCOL_HEADER, max_length=20)] = None) -> None:
    other = wire.newer(version)
    if other is None:
        return
    update = "the server" if other.isdigit() and int(other) > wire.PROTOCOL else "jupyter-durable where you work"
    raise Refusal(
        400,
        "StoreVersionError",
        f"this server speaks protocol {wire.PROTOCOL} and was asked in {other}: update {update}",
        protocol=wire.PROTOCOL,
    )


Spoken = Depends(_spoken)
