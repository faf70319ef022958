"""How a request ended, as the result of a tool.

Rules of this file
- What the application itself ended with, a failure too, is a result that an agent can read. What happened around it
  (no worker survived, its code could not be restored) is an error of the protocol.
- Every result says the id of its request, so that it can be looked at, replayed and paid for once.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, Final

import mcp_types as types

from jupyter_durable.server.agents import foreign
from jupyter_durable.server.agents.tools import gives_object
from jupyter_durable.server.applications.records import Accepted, Manifest, Outcome
from jupyter_durable.server.refusals import Refusal

REQUEST: Final = "jupyter-durable/request"
"""In `_meta` of results: the id of the request."""
MOST_RESULT: Final = 1 << 20
"""Bytes of an output that is handed to an agent."""
_OF_APPLICATIONS: Final = frozenset({"function_error", "function_timeout", "request_error", "input_mismatch"})
"""Reasons of failures that the application is the cause of."""


class NotOfTheTool(Exception):
    """A request failed by what happened around it; the text may be shown."""


def result_of(accepted: Accepted, manifest: Manifest, output: bytes | None) -> types.CallToolResult:
    """The result of a request that has ended. Raises `NotOfTheTool`."""
    outcome = accepted.outcome
    assert outcome is not None
    if outcome.status == "succeeded":
        if len(output or b"") > MOST_RESULT:
            return failure(_too_large(accepted, len(output or b"")), accepted.id)
        content, structured = _given(accepted, outcome, manifest, output)
        return types.CallToolResult(content=content, structured_content=structured, _meta={REQUEST: accepted.id})
    if outcome.status == "cancelled":
        return failure(f"Request {accepted.id} was cancelled; what it had done is kept.", accepted.id)
    if outcome.reason not in _OF_APPLICATIONS:
        said = foreign.shown(outcome.message, foreign.MOST_MESSAGE)
        raise NotOfTheTool(f"request {accepted.id} failed ({outcome.reason}): {said}")
    return failure(_failed(accepted, outcome), accepted.id)


def failure(text: str, id: str | None = None) -> types.CallToolResult:
    """A result that says what went wrong."""
    meta = None if id is None else {REQUEST: id}
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True, _meta=meta)


def refused(refusal: Refusal) -> types.CallToolResult:
    """Arguments that do not fit: the agent can send others."""
    lines = [refusal.message]
    for fault in refusal.more.get("errors", ()):
        at = ".".join(map(str, fault["at"][1:])) or "input"
        lines.append(f"- {at}: {fault['message']}")
    return failure(foreign.shown("\n".join(lines), foreign.MOST_MESSAGE))


def _failed(accepted: Accepted, outcome: Outcome) -> str:
    where = f" in {outcome.function}" if outcome.function else ""
    kind = f" with {outcome.error}" if outcome.error else ""
    head = (
        f"Request {accepted.id} failed{where}{kind} ({outcome.reason}). What had succeeded is kept: when the cause is "
        "mended it can be replayed, and executes only the rest."
    )
    text = outcome.traceback or outcome.message
    if outcome.message and outcome.message not in text:
        text = f"{outcome.message}\n{text}"
    return f"{head}\n{foreign.said_by_application(text, foreign.MOST_TRACEBACK)}" if text else head


def _given(
    accepted: Accepted, outcome: Outcome, manifest: Manifest, output: bytes | None
) -> tuple[list[types.ContentBlock], dict[str, Any] | None]:
    data, kind = output or b"", outcome.content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        value = json.loads(data) if data else None
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        structured = value if gives_object(manifest) and isinstance(value, dict) else None
        return [types.TextContent(text=text)], structured
    if kind == "application/python-pickle":
        text = f"The output is a Python object, which is no text: {_where(accepted)} gives it."
        return [types.TextContent(text=text)], None
    return [_file(data, kind, accepted.id)], None


def _too_large(accepted: Accepted, size: int) -> str:
    return (
        f"Request {accepted.id} succeeded, and its output of {size:,} bytes is too large for an agent ({MOST_RESULT:,} "
        f"at most): {_where(accepted)} gives it."
    )


def _where(accepted: Accepted) -> str:
    return f"GET /applications/{accepted.application}/requests/{accepted.id}/output of the server"


def _file(data: bytes, kind: str, id: str) -> types.ContentBlock:
    if kind.startswith("text/"):
        return types.TextContent(text=data.decode("utf-8", "replace"))
    encoded = b64encode(data).decode()
    if kind.startswith("image/"):
        return types.ImageContent(data=encoded, mime_type=kind)
    if kind.startswith("audio/"):
        return types.AudioContent(data=encoded, mime_type=kind)
    return types.EmbeddedResource(
        resource=types.BlobResourceContents(uri=f"durable://requests/{id}/output", mime_type=kind, blob=encoded)
    )
