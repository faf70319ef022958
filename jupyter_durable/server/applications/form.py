"""How applications and requests look in answers: Tensorlake's fields, and ours beside them.

Rules of this file
- JSON values in, JSON values out. Times are Unix seconds, but `created_at`, which Tensorlake's client reads in
  milliseconds.
"""

from __future__ import annotations

from typing import Any

from jupyter_durable.core.model import Progressed
from jupyter_durable.server.applications.records import Accepted, Deployed, Outcome


def application_json(deployed: Deployed) -> dict[str, Any]:
    """An application in a list."""
    manifest = deployed.manifest
    return {
        "name": deployed.application,
        "description": manifest.description,
        "tags": manifest.tags,
        "allow": manifest.allow,
        "version": deployed.version,
        "tombstoned": False,
        "created_at": int(deployed.deployed_at * 1000),
    }


def manifest_json(deployed: Deployed, versions: list[str]) -> dict[str, Any]:
    """An application in full."""
    manifest = deployed.manifest
    return {
        **application_json(deployed),
        "runtime": "python",
        "python": manifest.python,
        "entrypoint": manifest.entrypoint.model_dump(),
        "functions": manifest.functions,
        "parameters": [each.model_dump(by_alias=True) for each in manifest.parameters],
        "returns": manifest.returns,
        "versions": versions,
    }


def request_json(accepted: Accepted, status: str) -> dict[str, Any]:
    """A request; `status` is the one that holds now."""
    outcome = accepted.outcome
    failed = outcome is not None and outcome.status != "succeeded"
    return {
        "id": accepted.id,
        "application": accepted.application,
        "application_version": accepted.version,
        "status": status,
        "outcome": _outcome(outcome),
        "failure_reason": outcome.reason if failed and outcome is not None else None,
        "created_at": int(accepted.accepted_at * 1000),
        "accepted_at": accepted.accepted_at,
        "finished_at": accepted.ended_at,
        "idempotency_key": accepted.idempotency_key,
        "request_error": _request_error(outcome),
        "error": _error(outcome) if failed else None,
    }


def _outcome(outcome: Outcome | None) -> str | dict[str, str] | None:
    """As Tensorlake says it: a word for a success, an object for a failure, null before the end."""
    if outcome is None:
        return None
    return "success" if outcome.status == "succeeded" else {"failure": outcome.reason}


def _request_error(outcome: Outcome | None) -> dict[str, str] | None:
    if outcome is None or outcome.reason != "request_error":
        return None
    return {"function_name": outcome.function, "message": outcome.message}


def _error(outcome: Outcome | None) -> dict[str, str] | None:
    if outcome is None:
        return None
    return {"type": outcome.error, "message": outcome.message, "traceback": outcome.traceback}


def progress_json(id: str, name: str, progress: Progressed) -> dict[str, Any]:
    """An event: what a call reported."""
    return {
        "RequestProgressUpdated": {
            "request_id": id,
            "function_name": name,
            "current": progress.current,
            "step": progress.current,
            "total": progress.total,
            "message": progress.message,
            "attributes": progress.attributes,
            "created_at": progress.at,
        }
    }
