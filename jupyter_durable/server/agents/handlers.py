"""What an agent asks: which tools there are, to call one, and what became of a task.

Rules of this file
- Each handler finds out who asks and for which namespace (`Desk`), asks `Applications` on a thread, and answers.
- A call is accepted durably before anything is answered. Where the client knows tasks it is told the id at once; else
  it waits, and a connection that breaks meanwhile stops nothing.
- What does not fit is a result that the agent can read; what it may not do is an error of the protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any, Final, TypeVar

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from jupyter_durable.core.model import Progressed
from jupyter_durable.errors import DurableError
from jupyter_durable.records import NamedTuple
from jupyter_durable.server.agents import asking, foreign, results, tasks, tools
from jupyter_durable.server.agents.tasks import EXTENSION, TaskParams
from jupyter_durable.server.applications.records import OPEN, Accepted, Deployed, Manifest
from jupyter_durable.server.applications.service import Applications, Sent
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.tokens import SCOPES

IDEMPOTENCY: Final = "jupyter-durable/idempotency-key"
"""In `_meta` of a call: calls with the same key are one request, as with the header `Idempotency-Key`."""
MOST_KEY: Final = 255
FIRST_LOOK, LAST_LOOK = 0.02, 0.25
"""Seconds between two looks at a request that somebody waits for."""
LISTED: Final = CacheHint(5_000, "private")
"""How long, in milliseconds, a client may keep a list: applications are deployed meanwhile."""
Context = ServerRequestContext[Any, Any]
T = TypeVar("T")


class Desk(NamedTuple):
    """For whom a handler works."""

    applications: Applications
    namespace: str
    scope: str
    only: frozenset[str] | None = None
    """Names of the applications that are tools; None: all of the namespace."""

    def offered(self) -> list[Deployed]:
        """Applications that may be tools."""
        found = self.applications.applications(self.namespace)
        return [each for each in found if self.only is None or each.application in self.only]


def serve_tools(desk_of: Callable[[Context], Desk]) -> Server[Any]:
    """A server of the protocol; `desk_of` says who asks."""
    handlers = Handlers(desk_of)
    server: Server[Any] = Server(
        "jupyter-durable",
        version=version("jupyter-durable"),
        instructions=foreign.INSTRUCTIONS,
        cache_hints={
            "server/discover": LISTED,
            "tools/list": LISTED,
            "prompts/list": LISTED,
            "resources/list": LISTED,
            "resources/templates/list": LISTED,
        },
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call,
        on_list_prompts=_no_prompts,
        on_list_resources=_no_resources,
        on_list_resource_templates=_no_templates,
    )
    server.extensions[EXTENSION] = {}
    server.add_request_handler("tasks/get", TaskParams, handlers.get_task)
    server.add_request_handler("tasks/update", TaskParams, handlers.update_task)
    server.add_request_handler("tasks/cancel", TaskParams, handlers.cancel_task)
    return server


class Handlers:
    """The handlers."""

    def __init__(self, desk_of: Callable[[Context], Desk]) -> None:
        self._desk_of = desk_of

    async def list_tools(self, ctx: Context, _: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """The applications of the namespace."""
        desk = self._desk(ctx, "read")
        return types.ListToolsResult(tools=[tools.tool_of(each) for each in tools.offered(await _asked(desk.offered))])

    async def call(self, ctx: Context, params: types.CallToolRequestParams) -> Any:
        """Begin a request, and answer with its task, or with its result once there is one."""
        desk = self._desk(ctx, "write")
        deployed = tools.named(await _asked(desk.offered), params.name)
        if deployed is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {foreign.shown(params.name, 100)!r}")
        manifest, mode = deployed.manifest, tools.mode_of(deployed.manifest)
        if mode == tools.REQUIRED and not _knows_tasks(ctx):
            raise _needs_tasks(f"the tool {params.name} runs as a task only")
        asked_for = asking.asked_for(manifest, params, _capabilities(ctx) if _is_modern(ctx) else None)
        if asked_for is not None:
            return asked_for
        try:
            accepted = await _asked(lambda: _start(desk, manifest, asking.with_answers(params), ctx.meta or {}))
        except Refusal as refusal:
            return results.refused(refusal)
        if mode != tools.SYNC and _knows_tasks(ctx):
            return tasks.created(accepted)
        accepted = await _ended(desk.applications, accepted, ctx)
        output = await _asked(lambda: desk.applications.ledger.output(accepted.id))
        try:
            return results.result_of(accepted, manifest, output)
        except results.NotOfTheTool as error:
            raise MCPError(types.INTERNAL_ERROR, str(error)) from None

    async def get_task(self, ctx: Context, params: TaskParams) -> dict[str, Any]:
        """What became of a task."""
        desk, accepted = await self._task(ctx, params, "read")
        return await _asked(lambda: _detailed(desk, accepted))

    async def update_task(self, ctx: Context, params: TaskParams) -> dict[str, Any]:
        """Answers to what a task asked: ours ask before they begin, so that there is nothing to be done."""
        await self._task(ctx, params, "write")
        return {}

    async def cancel_task(self, ctx: Context, params: TaskParams) -> dict[str, Any]:
        """End a task; one that has ended stays as it is."""
        desk, accepted = await self._task(ctx, params, "write")
        await _asked(lambda: desk.applications.cancel(accepted))
        return {}

    def _desk(self, ctx: Context, scope: str) -> Desk:
        desk = self._desk_of(ctx)
        if SCOPES.index(desk.scope) < SCOPES.index(scope):
            raise MCPError(types.INVALID_REQUEST, f"the token allows {desk.scope}, and this needs {scope}")
        return desk

    async def _task(self, ctx: Context, params: TaskParams, scope: str) -> tuple[Desk, Accepted]:
        if not _knows_tasks(ctx):
            raise _needs_tasks("tasks are asked for by clients that know them")
        if ctx.request is not None and decode_header_value(ctx.request.headers.get(MCP_NAME_HEADER)) != params.task_id:
            raise MCPError(types.HEADER_MISMATCH, f"the header {MCP_NAME_HEADER} must say the id of the task")
        desk = self._desk(ctx, scope)
        found = await _asked(lambda: desk.applications.ledger.request(params.task_id))
        if found is None or found.namespace != desk.namespace:
            raise MCPError(types.INVALID_PARAMS, f"there is no task {foreign.shown(params.task_id, 100)!r}")
        return desk, found


async def _no_prompts(_: Context, __: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=[])


async def _no_resources(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=[])


async def _no_templates(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(resource_templates=[])


def _start(desk: Desk, manifest: Manifest, arguments: Mapping[str, Any], meta: Mapping[str, Any]) -> Accepted:
    """Accept a request. Raises `Refusal`."""
    key = meta.get(IDEMPOTENCY)
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= MOST_KEY):
        raise Refusal(400, "InvalidIdempotencyKey", f"{IDEMPOTENCY} is a text of 1 to {MOST_KEY} characters")
    traced = [(name, value) for name in ("traceparent", "tracestate") if isinstance(value := meta.get(name), str)]
    sent = Sent(tools.parts_of(manifest, arguments), traced, key)
    return desk.applications.start(desk.namespace, manifest.name, sent)[0]


def _detailed(desk: Desk, accepted: Accepted) -> dict[str, Any]:
    applications = desk.applications
    versions = applications.versions(accepted.namespace, accepted.application)
    manifest = next((each.manifest for each in versions if each.version == accepted.version), versions[0].manifest)
    if accepted.state == OPEN:
        return tasks.detailed(accepted, manifest, None, applications.look(accepted).reported)
    return tasks.detailed(accepted, manifest, applications.ledger.output(accepted.id), [])


async def _ended(applications: Applications, accepted: Accepted, ctx: Context) -> Accepted:
    """The request once it has ended; what it reports meanwhile is passed on."""
    pause, told = FIRST_LOOK, 0.0
    while True:
        now = await _asked(lambda: applications.ledger.request(accepted.id))
        if now is None:
            raise MCPError(types.INTERNAL_ERROR, f"request {accepted.id} was deleted while it was waited for")
        if now.state != OPEN:
            return now
        told = await _report(ctx, (await _asked(partial(applications.look, now))).reported, told)
        await asyncio.sleep(pause)
        pause = min(LAST_LOOK, 1.5 * pause)


async def _report(ctx: Context, reported: Iterable[tuple[str, Progressed]], told: float) -> float:
    """Pass on what the outermost call reports, when it has risen: the protocol wants numbers that only rise."""
    first = min(reported, key=lambda pair: pair[1].identity, default=None)
    if first is None or first[1].current <= told:
        return told
    message = foreign.shown(first[1].message, foreign.MOST_PROGRESS) if first[1].message else None
    await ctx.session.report_progress(first[1].current, first[1].total, message)
    return first[1].current


async def _asked(work: Callable[[], T]) -> T:
    """What a look at the ledger or the store gives, on a thread. An error of ours is one of the protocol."""
    try:
        return await asyncio.to_thread(work)
    except Refusal:
        raise
    except DurableError as error:
        raise MCPError(types.INTERNAL_ERROR, error.message) from error


def _is_modern(ctx: Context) -> bool:
    """Whether the client speaks a version that has tasks, and calls that ask back."""
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def _capabilities(ctx: Context) -> types.ClientCapabilities | None:
    return ctx.session.client_capabilities


def _knows_tasks(ctx: Context) -> bool:
    capabilities = _capabilities(ctx)
    return _is_modern(ctx) and capabilities is not None and EXTENSION in (capabilities.extensions or {})


def _needs_tasks(what: str) -> MCPError:
    data: dict[str, Any] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    return MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, f"{what}: declare the extension {EXTENSION}", data)
