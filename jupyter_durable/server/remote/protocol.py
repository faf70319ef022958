"""Which version of the protocol is spoken: asked before anything else of a route of the remote store."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Header, Response

from jupyter_durable.server.refusals import Refusal
from jupyter_durable.store.http import wire


def _spoken(
    response: Response, version: Annotated[str | None, Header(alias=wire.PROTOCOL_HEADER, max_length=20)] = None
) -> None:
    response.headers[wire.PROTOCOL_HEADER] = str(wire.PROTOCOL)
    response.headers[wire.NOW_HEADER] = repr(time.time())
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
