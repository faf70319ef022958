"""`POST /v1/store/VERB`: one route a verb of `wire`, each with the scope that the verb needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from jupyter_durable.server.auth import Access, needs
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.remote import values
from jupyter_durable.server.remote.answers import Answers
from jupyter_durable.server.remote.journals import Journals
from jupyter_durable.server.remote.protocol import Spoken, stamped
from jupyter_durable.server.remote.verbs import Asked, perform
from jupyter_durable.server.state import server_of
from jupyter_durable.store.http import wire

_BODY: Final = {"requestBody": {"content": {wire.MSGPACK: {"schema": {"type": "string", "format": "binary"}}}}}


class Remote:
    """What the routes share."""

    def __init__(self) -> None:
        self.answers = Answers()
        self.journals = Journals()


def _route(verb: str, scope: str) -> Callable[..., object]:
    allowed = Depends(needs(scope))

    async def route(
        request: Request,
        now: Annotated[float, Header(alias=wire.NOW_HEADER)],
        access: Access = allowed,
        key: Annotated[str | None, Header(alias=wire.KEY_HEADER, max_length=200)] = None,
        again: Annotated[bool, Header(alias=wire.AGAIN_HEADER)] = False,
    ) -> Response:
        if not math.isfinite(now):
            raise Refusal(400, "Malformed", f"{wire.NOW_HEADER} must be a time in seconds")
        body = await request.body()
        server = server_of(request)

        def answered() -> bytes:
            def work(again: bool) -> bytes:
                store = server.namespaces.store(access.namespace)
                return perform(verb, Asked(access.namespace, store, remote.journals, now, again), body)

            remote = request.app.state.remote
            if key is None or scope == "read":
                return work(again)
            answer: bytes = remote.answers.once(access.namespace, key, work, again=again)
            return answer

        return Response(await run_in_threadpool(answered), media_type=wire.MSGPACK, headers=stamped())

    return route


def _router() -> APIRouter:
    router = APIRouter(tags=["remote store"], dependencies=[Spoken])
    for name, verb in wire.VERBS.items():
        router.add_api_route(
            wire.STORE + name,
            _route(name, verb.scope),
            methods=["POST"],
            name=name,
            operation_id=f"store_{name}",
            summary=f"The verb {name} of a store",
            openapi_extra=_BODY,
        )
    router.include_router(values.router)
    return router


router = _router()
