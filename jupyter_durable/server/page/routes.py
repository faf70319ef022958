"""What the page asks, below `/page/`.

Rules of this file
- Who may is said by a parameter, as everywhere (`Looker`, `Actor`); logging in is the one route that takes a token.
- What a browser could take for something else (a result that somebody wrote) is sent as a file to be kept.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from jupyter_durable.core.model import Status
from jupyter_durable.server.auth import Access, noted
from jupyter_durable.server.page import files
from jupyter_durable.server.page.acting import Desk
from jupyter_durable.server.page.doors import COOKIE, PATH, Actor, Looker, entered, refuse_foreign, sessions_of
from jupyter_durable.server.page.sessions import LONGEST
from jupyter_durable.server.page.viewer import Viewer
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.remote import changes
from jupyter_durable.server.state import Server, server_of

MOST_LISTED: Final = 2000
QUEUED_SECONDS: Final = 0.5
"""How long who asks for a request that has not begun waits before he asks again."""
MOST_LOGIN: Final = 4096
"""Bytes of what is sent to log in."""
Id = Annotated[str, Path(max_length=70)]
Short = Annotated[str, Query(max_length=4096)]
router = APIRouter(include_in_schema=False)
router.include_router(files.router)


class Wish(BaseModel):
    """How a request is to run again."""

    strict: bool = False
    latest: bool = False


class Look(BaseModel):
    """What may be asked beside an id; whoever answers checks which of it belongs to what."""

    parent: int | None = None
    name: Annotated[str, Field(max_length=4096)] | None = None
    kind: Annotated[str, Field(max_length=4096)] | None = None
    offset: Annotated[int, Field(ge=0)] | None = None
    failed: bool | None = None
    call: int | None = None
    strict: bool | None = None
    latest: bool | None = None


@asynccontextmanager
async def lifetime(server: Server) -> AsyncIterator[None]:
    """What shows requests, while a server serves."""
    viewer = server.kept[Viewer] = Viewer()
    try:
        yield
    finally:
        await viewer.close()


@router.post(f"{PATH}/session")
async def log_in(request: Request) -> Response:
    """Begin a session with a token; the cookie of it."""
    text = _token(await request.body())
    now = time.time()
    server = server_of(request)
    token = await run_in_threadpool(server.tokens.find, text, now) if text else None
    if token is None:
        raise Refusal(401, "Unauthorized", "this token is not known here, or it has expired or was revoked")
    refuse_foreign(request)
    noted(request, token)
    session = await run_in_threadpool(sessions_of(request).begin, token, now)
    answer = Response(status_code=204, headers=_PRIVATE)
    secure = request.url.scheme == "https" or server.settings.behind_proxy
    answer.set_cookie(COOKIE, session, int(LONGEST), path=PATH, secure=secure, httponly=True, samesite="strict")
    return answer


def _token(body: bytes) -> str:
    """The token in a body; empty where there is none."""
    try:
        said = json.loads(body) if len(body) <= MOST_LOGIN else None
    except ValueError:
        return ""
    token = said.get("token") if isinstance(said, dict) else None
    return token.strip() if isinstance(token, str) else ""


@router.delete(f"{PATH}/session")
async def log_out(request: Request, access: Looker) -> Response:
    """End the session."""
    del access
    session = request.cookies.get(COOKIE)
    if session:
        await run_in_threadpool(sessions_of(request).end, session)
    answer = Response(status_code=204, headers=_PRIVATE)
    answer.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")
    return answer


@router.get(f"{PATH}/me")
def me(request: Request) -> Response:
    """Who is logged in; `{}`: nobody is."""
    access = entered(request)
    if access is None:
        return _answer({})
    return _answer({"namespace": access.namespace, "scope": access.scope, "version": version("jupyter-durable")})


@router.get(f"{PATH}/requests")
async def listing(
    request: Request,
    access: Looker,
    status: Short = "",
    notebook: Short = "",
    text: Short = "",
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
) -> Response:
    """Requests of the namespace."""
    wanted = {"status": status, "notebook": notebook, "text": text, "limit": limit}
    return _answer(await _desk(request, access).listing(wanted))


@router.get(PATH + "/requests/{id}/changes")
async def changed(
    id: Id, request: Request, access: Looker, seen: Short = "", wait: Annotated[float, Query(ge=0, le=25)] = 25
) -> Response:
    """How a request stands, as soon as it is not as it was `seen`."""
    desk = _desk(request, access)
    if await desk.queued(await desk.deployed(id)):
        await asyncio.sleep(min(wait, QUEUED_SECONDS))
        return _answer({"id": id, "status": Status.QUEUED, "stamp": Status.QUEUED})
    return _answer(await changes.changes(id, request, access, seen, wait))


@router.get(PATH + "/requests/{id}/output")
async def output(id: Id, request: Request, access: Looker) -> Response:
    """The result of a request, to be kept."""
    found = await _desk(request, access).output(id)
    kept = {**_PRIVATE, "Content-Disposition": f'attachment; filename="{found.name}"'}
    return Response(found.data, media_type=found.kind, headers={**kept, "Content-Security-Policy": "sandbox"})


@router.get(PATH + "/requests/{id}/{what}")
async def look(
    id: Id,
    what: Literal["info", "snapshot", "page", "detail", "preview"],
    request: Request,
    access: Looker,
    given: Annotated[Look, Query()],
) -> Response:
    """A look at one request."""
    return _answer(await _desk(request, access).look(id, what, given.model_dump(exclude_none=True)))


@router.post(PATH + "/requests/{id}/cancel")
async def cancel(id: Id, request: Request, access: Actor) -> Response:
    """Stop a request; what succeeded is kept."""
    await _desk(request, access).cancel(id)
    return _answer({"request": id})


@router.post(PATH + "/requests/{id}/replay")
async def replay(id: Id, request: Request, access: Actor, wish: Wish | None = None) -> Response:
    """Run a request of a deployed application again."""
    how = wish or Wish()
    await _desk(request, access).replay(id, strict=how.strict, latest=how.latest)
    return _answer({"request": id})


_PRIVATE: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _answer(said: Any) -> Response:
    return Response(json.dumps(said, ensure_ascii=False), media_type="application/json", headers=_PRIVATE)


def _desk(request: Request, access: Access) -> Desk:
    return Desk(server_of(request), access.namespace)
