"""What is asked of applications over HTTP: Tensorlake's routes, with ours beside them.

Rules of this file
- A route reads the request, calls `service` on a thread, and writes the answer. Who deploys has his code run by the
  user of the server: it takes a token of scope `admin`.
- Every route stands twice: below `/applications`, for the namespace of the token, and below `/v1/namespaces/NAME`, as
  Tensorlake's client calls it.
- A stream ends with `RequestFinished`; lines that begin with a colon keep it alive.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from jupyter_durable.server.applications import arguments, form, progress
from jupyter_durable.server.applications.arguments import Part
from jupyter_durable.server.applications.records import Accepted, Manifest
from jupyter_durable.server.applications.service import Applications, Sent
from jupyter_durable.server.applications.supervisor import Workers
from jupyter_durable.server.auth import Admin, Reader, Writer
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.state import Server, server_of

MOST_INPUT: Final = 10 * 1024 * 1024
"""Bytes of an input."""
MOST_FORM: Final = 16 * 1024 * 1024
"""Bytes of what is deployed."""
MOST_KEY: Final = 255


class Replay(BaseModel):
    """How a request is to run again."""

    mode: Literal["adaptive", "strict"] = "adaptive"
    upgrade_to_latest_version: bool = False


def router() -> APIRouter:
    """The routes of applications, in both forms."""
    routes = APIRouter(tags=["applications"])
    for add in (_deploying, _starting, _looking, _doing):
        add(routes)
    both = APIRouter()
    both.include_router(routes, prefix="/applications")
    both.include_router(routes, prefix="/v1/namespaces/{namespace}/applications")
    return both


@asynccontextmanager
async def lifetime(server: Server) -> AsyncIterator[None]:
    """What stands behind the routes while a server serves: the ledger, and workers that run what is open in it."""
    workers = Workers(server.settings.workers)
    made = await run_in_threadpool(
        Applications, server.settings.folder, server.namespaces.url, server.namespaces.store, workers
    )
    server.kept[Applications] = made
    running = asyncio.create_task(made.supervisor.serve())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        made.close()


def _of(request: Request) -> Applications:
    """The applications of the server, for a call whose token was seen to: it comes after `access`."""
    named, access = request.path_params.get("namespace"), request.state.access
    if named is not None and named != access.namespace:
        raise Refusal(
            404, "UnknownNamespace", f"the token {access.token} is for the namespace {access.namespace} alone"
        )
    found = server_of(request).kept[Applications]
    assert isinstance(found, Applications)
    return found


Served = Annotated[Applications, Depends(_of)]


def _deploying(routes: APIRouter) -> None:
    @routes.post("", status_code=201)
    async def deploy(request: Request, access: Admin, applications: Served) -> dict[str, Any]:
        """Deploy a version of an application: a form with `application`, its manifest, and `code`."""
        fields = await _form(request, MOST_FORM)
        given = {part.name: part.data for part in fields}
        try:
            manifest = Manifest.model_validate_json(given.get("application", b""))
        except ValidationError as error:
            faults = [{"at": ["application", *each["loc"]], "message": each["msg"]} for each in error.errors()]
            raise Refusal(422, "InvalidManifest", "the field `application` is no manifest", errors=faults) from None
        deployed = await run_in_threadpool(applications.deploy, access.namespace, manifest, given.get("code", b""))
        return {"name": deployed.application, "version": deployed.version, "namespace": access.namespace}

    @routes.get("")
    def list_applications(access: Reader, applications: Served) -> dict[str, Any]:
        """The applications that are deployed, in their latest version."""
        return {"applications": [form.application_json(each) for each in applications.applications(access.namespace)]}

    @routes.get("/{application}")
    def get_application(application: str, access: Reader, applications: Served) -> dict[str, Any]:
        """One application: what it takes and returns, and which versions of it there are."""
        versions = applications.versions(access.namespace, application)
        return form.manifest_json(versions[0], [each.version for each in versions])


def _starting(routes: APIRouter) -> None:
    @routes.post("/{application}", status_code=200)
    async def start(request: Request, application: str, access: Writer, applications: Served) -> Response:
        """Start a request: the body is its input. `Idempotency-Key` makes asking twice the same request."""
        key = request.headers.get("idempotency-key")
        if key is not None and not 0 < len(key) <= MOST_KEY:
            raise Refusal(400, "InvalidIdempotencyKey", f"an Idempotency-Key has 1 to {MOST_KEY} characters")
        sent = Sent(await _parts(request), request.headers.items(), key)
        accepted, created = await run_in_threadpool(applications.start, access.namespace, application, sent)
        if "text/event-stream" in request.headers.get("accept", ""):
            return _stream(applications, accepted)
        return JSONResponse({"request_id": accepted.id, "created": created})


def _looking(routes: APIRouter) -> None:
    @routes.get("/{application}/requests")
    def list_requests(
        application: str,
        access: Reader,
        applications: Served,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
    ) -> dict[str, Any]:
        """Requests of an application, newest first; `cursor` is that of the page before."""
        found = applications.requests(access.namespace, application, cursor, limit)
        following = found[-1].serial if len(found) == limit else None
        listed = [form.request_json(each, applications.status(each)) for each in found]
        return {"requests": listed, "next_cursor": following}

    @routes.get("/{application}/requests/{id}")
    def get_request(application: str, id: str, access: Reader, applications: Served) -> dict[str, Any]:
        """One request: its status, and how it ended."""
        accepted = applications.request(access.namespace, application, id)
        return form.request_json(accepted, applications.status(accepted))

    @routes.get("/{application}/requests/{id}/tree")
    def tree(application: str, id: str, access: Reader, applications: Served) -> dict[str, Any]:
        """The calls of a request, in program order."""
        return applications.tree(applications.request(access.namespace, application, id))

    @routes.get("/{application}/requests/{id}/progress", response_class=StreamingResponse)
    def follow(application: str, id: str, access: Reader, applications: Served) -> Response:
        """What happens to a request, as server-sent events, to its end."""
        return _stream(applications, applications.request(access.namespace, application, id))

    @routes.head("/{application}/requests/{id}/output", response_class=Response, include_in_schema=False)
    @routes.get("/{application}/requests/{id}/output", response_class=Response)
    def output(application: str, id: str, access: Reader, applications: Served) -> Response:
        """The output of a request that succeeded."""
        outcome, data = applications.output(applications.request(access.namespace, application, id))
        if data is None:
            return Response(status_code=204)
        return Response(data, media_type=outcome.content_type, headers={"X-Content-Type-Options": "nosniff"})


def _doing(routes: APIRouter) -> None:
    @routes.post("/{application}/requests/{id}/replay", status_code=202)
    def replay(
        application: str, id: str, access: Writer, applications: Served, how: Replay | None = None
    ) -> dict[str, Any]:
        """Run a request that has ended again, one that a notebook began too: what succeeded is not executed again."""
        wanted = how or Replay()
        accepted = applications.replay(
            applications.to_replay(access.namespace, application, id),
            strict=wanted.mode == "strict",
            upgrade=wanted.upgrade_to_latest_version,
        )
        return form.request_json(accepted, applications.status(accepted))

    @routes.post("/{application}/requests/{id}/cancel", status_code=202)
    def cancel(application: str, id: str, access: Writer, applications: Served) -> dict[str, Any]:
        """End a request; what succeeded is kept."""
        accepted = applications.cancel(applications.request(access.namespace, application, id))
        return form.request_json(accepted, applications.status(accepted))

    @routes.delete("/{application}/requests/{id}", status_code=204)
    def delete(application: str, id: str, access: Writer, applications: Served) -> None:
        """Remove a request that has ended, with its values."""
        applications.delete(applications.request(access.namespace, application, id))


def _stream(applications: Applications, accepted: Accepted) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        async for event in progress.events(accepted.id, lambda: applications.look(accepted)):
            yield ": \n\n" if event is None else f"data: {json.dumps(event)}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _parts(request: Request) -> list[Part]:
    """The arguments in a body."""
    kind = request.headers.get("content-type")
    if kind is not None and kind.lower().startswith("multipart/form-data"):
        return await _form(request, MOST_INPUT)
    body = await _body(request, MOST_INPUT)
    return [Part("0", body, kind or "application/json")] if body else []


async def _body(request: Request, most: int) -> bytes:
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > most:
            raise Refusal(413, "BodyTooLarge", f"the body has more than {most:,} bytes")
    return bytes(read)


async def _form(request: Request, most: int) -> list[Part]:
    """The fields of a form; they are counted before they are read."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > most:
        raise Refusal(413, "BodyTooLarge", f"a form says its length, and has at most {most:,} bytes")
    parts = []
    async with request.form(max_files=100, max_fields=100, max_part_size=most) as fields:
        for name, value in fields.multi_items():
            if isinstance(value, UploadFile):
                parts.append(Part(name, await value.read(), value.content_type))
            else:
                parts.append(Part(name, value.encode(), None))
    return parts


def schemas(applications: Applications, namespace: str) -> dict[str, Any]:
    """Paths of an OpenAPI document: how each application is started, with its schema."""
    paths = {}
    for each in applications.applications(namespace):
        manifest = each.manifest
        paths[f"/applications/{each.application}"] = {
            "post": {
                "tags": ["applications"],
                "summary": f"Start a request of {each.application}",
                "description": manifest.description,
                "operationId": f"start_{each.application}",
                "requestBody": {"content": {"application/json": {"schema": arguments.body_schema(manifest)}}},
                "responses": {"200": {"description": "The id of the request", "content": {"application/json": {}}}},
            }
        }
    return paths
