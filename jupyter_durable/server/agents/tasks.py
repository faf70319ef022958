"""A request as a task of the extension `io.modelcontextprotocol/tasks`, which is SEP-2663 of the protocol.

Rules of this file
- Values in, JSON out. A task says nothing that is not in the ledger or in the store, so that any process can tell it.
- `failed` is for errors of the protocol only; an application that failed is `completed`, with a result that says so.
- A request is kept until somebody deletes it: a task has no time to live.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import mcp_types as types

from jupyter_durable.core.model import Progressed
from jupyter_durable.server.agents import foreign
from jupyter_durable.server.agents.results import NotOfTheTool, result_of
from jupyter_durable.server.applications.records import OPEN, Accepted, Manifest

EXTENSION: Final = "io.modelcontextprotocol/tasks"
POLL_MS: Final = 500
"""How often a client is asked to look."""
METHODS: Final = ("tasks/get", "tasks/update", "tasks/cancel")


class TaskParams(types.RequestParams):
    """What is asked of one task."""

    task_id: str
    input_responses: dict[str, Any] | None = None
    """Of `tasks/update`: answers to what a task asked, which ours never do while they run."""


def created(accepted: Accepted) -> dict[str, Any]:
    """What a call that became a task is answered with."""
    return {"resultType": "task", **_head(accepted, "working", accepted.accepted_at)}


def detailed(
    accepted: Accepted, manifest: Manifest, output: bytes | None, reported: list[tuple[str, Progressed]]
) -> dict[str, Any]:
    """A task as it is now, with what came of it."""
    if accepted.state == OPEN:
        at = max([accepted.accepted_at, *(each.at for _, each in reported)])
        head = _head(accepted, "working", at)
        return {"resultType": "complete", **head, **({"statusMessage": progress_text(reported)} if reported else {})}
    assert accepted.outcome is not None
    at = accepted.ended_at or accepted.accepted_at
    if accepted.outcome.status == "cancelled":
        return {"resultType": "complete", **_head(accepted, "cancelled", at)}
    try:
        result = result_of(accepted, manifest, output)
    except NotOfTheTool as error:
        said = {"code": types.INTERNAL_ERROR, "message": str(error)}
        return {"resultType": "complete", **_head(accepted, "failed", at), "error": said}
    told = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return {"resultType": "complete", **_head(accepted, "completed", at), "result": told}


def progress_text(reported: list[tuple[str, Progressed]]) -> str:
    """The newest progress, in words."""
    name, newest = max(reported, key=lambda pair: pair[1].at)
    message = f": {newest.message}" if newest.message else ""
    return foreign.shown(f"{name} {newest.current:g} of {newest.total:g}{message}", foreign.MOST_PROGRESS)


def _head(accepted: Accepted, status: str, at: float) -> dict[str, Any]:
    return {
        "taskId": accepted.id,
        "status": status,
        "createdAt": _moment(accepted.accepted_at),
        "lastUpdatedAt": _moment(at),
        "ttlMs": None,
        "pollIntervalMs": POLL_MS,
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
