"""An agent's client, in Python: it speaks the protocol with the extension for tasks, over HTTP or stdio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.streamable_http import streamable_http_client
from pydantic import ConfigDict, RootModel

from jupyter_durable.server.agents.tasks import EXTENSION, TaskParams

PATIENCE = 120.0


class TaskMade(types.Result):
    """A call that became a task."""

    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"] = "task"
    task_id: str


class TaskRequest(types.Request[TaskParams, str]):
    """Asks about one task."""

    name_param = "taskId"


class Answer(RootModel[dict[str, Any]]):
    """Any answer."""


class Tasks(ClientExtension):
    """What a client that knows tasks says of itself."""

    identifier = EXTENSION

    def claims(self) -> list[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=TaskMade, resolve=self._never)]

    async def _never(self, made: TaskMade, _: ClaimContext) -> types.CallToolResult:
        raise AssertionError("tests look at tasks themselves")


class Agent:
    """A client, and what tests do with it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def tools(self) -> dict[str, types.Tool]:
        return {tool.name: tool for tool in (await self.client.list_tools()).tools}

    async def call(self, tool: str, **arguments: Any) -> types.CallToolResult:
        """Call a tool and wait for it."""
        return await self.client.call_tool(tool, arguments)

    async def begin(self, tool: str, meta: Any = None, **arguments: Any) -> str:
        """Call a tool that becomes a task; its id."""
        made = await self.client.session.call_tool(tool, arguments, meta=meta, allow_claimed=True)
        assert isinstance(made, TaskMade), made
        return made.task_id

    async def ask(self, verb: str, id: str) -> dict[str, Any]:
        """What is answered to `tasks/…`."""
        request = TaskRequest(method=f"tasks/{verb}", params=TaskParams(task_id=id))
        return (await self.client.session.send_request(request, Answer)).root

    async def settled(self, id: str) -> dict[str, Any]:
        """A task once it has ended."""
        end = time.monotonic() + PATIENCE
        while (said := await self.ask("get", id))["status"] == "working":
            assert time.monotonic() < end, said
            await asyncio.sleep(0.1)
        return said


@asynccontextmanager
async def agent_of(url: str, token: str, *, tasks: bool = True, mode: Any = "2026-07-28") -> AsyncIterator[Agent]:
    """An agent at a server."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http, terminate_on_close=False)
        async with Client(transport, mode=mode, extensions=[Tasks()] if tasks else None) as client:
            yield Agent(client)


def text_of(result: types.CallToolResult) -> str:
    """The text of a result."""
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))
