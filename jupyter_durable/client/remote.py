"""A request of a deployed application, as a user holds it: asked of its server, shaped as a local one.

Rules of this file
- What it says is what the server says when it is asked. Waiting follows the stream of events, and takes it up again
  when it breaks; a server that is away is waited for.
- An output is read as JSON, by the type hint where the application is known here. Bytes are a `File`. Nothing that a
  server sends is unpickled.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx

from jupyter_durable.client import accepting
from jupyter_durable.client.backend import Backend
from jupyter_durable.client.process import Process
from jupyter_durable.client.waits import until
from jupyter_durable.core.model import Status
from jupyter_durable.errors import (
    DeserializationError,
    RequestError,
    RequestFailed,
    SDKUsageError,
    TimeoutError,
)
from jupyter_durable.function import Spec
from jupyter_durable.options import refuse_unless_limit
from jupyter_durable.values import File, HttpBody

ENDED: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
BREAK_SECONDS: Final = 0.5
_MARKS: Final = {"succeeded": "✓", "failed": "✕", "running": "●", "cancelled": "⊘", "interrupted": "◌"}


class RemoteRequest:
    """One invocation of a deployed application."""

    def __init__(self, process: Process, backend: Backend, application: str, id: str, spec: Spec | None) -> None:
        self._process = process
        self._backend = backend
        self._spec = spec
        self.application = application
        self.id = id

    @property
    def _path(self) -> str:
        return f"/applications/{quote(self.application)}/requests/{quote(self.id)}"

    def _now(self) -> dict[str, Any]:
        said: dict[str, Any] = self._backend.ask("GET", self._path).json()
        return said

    @property
    def status(self) -> str:
        """queued, running, succeeded, failed or cancelled."""
        return str(self._now()["status"])

    @property
    def version(self) -> str:
        """The code version that it runs."""
        return str(self._now()["application_version"])

    def __repr__(self) -> str:
        return f"{self.id} {self.application} on {self._backend.url}"

    def wait(self, timeout: float | None = None) -> RemoteRequest:
        """Wait for the end, whatever it is. Raises `TimeoutError` after `timeout` seconds; the request goes on."""
        refuse_unless_limit("RemoteRequest.wait: the timeout", timeout)
        if not until(lambda: self.status in ENDED or self._followed(), timeout):
            raise TimeoutError(f"request {self.id} has not ended within {timeout} s; it goes on")
        return self

    def _followed(self) -> bool:
        """Follow the stream a little; whether it said that the request has ended."""
        end = time.monotonic() + BREAK_SECONDS
        try:
            with self._backend.events(f"{self._path}/progress") as events:
                for event in events:
                    if "RequestFinished" in event:
                        return True
                    if time.monotonic() > end:
                        return False
        except httpx.TransportError:
            time.sleep(BREAK_SECONDS)
        return False

    def output(self, timeout: float | None = None) -> Any:
        """The output, once it has ended; it is waited for.

        Raises `RequestFailed`, `RequestError` with the message it was raised with, `TimeoutError`.
        """
        said = self.wait(timeout)._now()
        error = said["error"]
        if said["status"] == Status.SUCCEEDED:
            return self._read(self._backend.ask("GET", f"{self._path}/output"))
        if said["request_error"] is not None:
            raise RequestError(said["request_error"]["message"])
        if said["status"] == Status.CANCELLED:
            raise RequestFailed(f"request {self.id} of {self.application} was cancelled; what had succeeded is kept")
        raise RequestFailed(
            f"request {self.id} of {self.application} failed ({said['failure_reason']}): {error['type']}: "
            f"{error['message']}. Replay it to go on"
        )

    def _read(self, answer: httpx.Response) -> Any:
        kind = answer.headers.get("content-type", "")
        if answer.status_code == 204:
            return None
        if kind == "application/python-pickle":
            raise DeserializationError(
                f"the output of {self.application} is a pickle, which is not loaded from a server: give the "
                'application output_serializer="json"'
            )
        if not kind.startswith("application/json"):
            return File(answer.content, kind)
        if self._spec is not None:
            return accepting.edge_of(self._process, self._spec).decode_output(answer.content)
        return answer.json()

    def tree(self) -> str:
        """The call tree as text."""
        calls = self._backend.ask("GET", f"{self._path}/tree").json()["calls"]
        return "\n".join(_line(call) for call in calls) or "(no run yet)"

    def calls(self) -> list[dict[str, Any]]:
        """All calls in program order, as the server lists them."""
        found: list[dict[str, Any]] = self._backend.ask("GET", f"{self._path}/tree").json()["calls"]
        return found

    def replay(self, mode: str = "adaptive", upgrade_to_latest_version: bool = False) -> RemoteRequest:
        """Have it run again: what succeeded is served from checkpoints. It has to have ended.

        `upgrade_to_latest_version`: with the code that was deployed last instead of what it ran.
        """
        how = {"mode": mode, "upgrade_to_latest_version": upgrade_to_latest_version}
        self._backend.ask("POST", f"{self._path}/replay", json=how)
        return self

    def cancel(self) -> None:
        """Stop it; what succeeded is kept, and it can be replayed."""
        self._backend.ask("POST", f"{self._path}/cancel")

    def delete(self) -> None:
        """Remove it with its values. It has to have ended."""
        self._backend.ask("DELETE", self._path)


def _line(call: Mapping[str, Any]) -> str:
    source = "from checkpoint" if call["source"] == "checkpoint" else "ran"
    return f"{'  ' * min(call['depth'], 40)}{_MARKS.get(call['status'], '…')} {call['label']} · {source}"


def run_remote(
    process: Process,
    named: str,
    spec: Spec | None,
    given: accepting.Given,
    idempotency_key: str | None,
) -> RemoteRequest:
    """Start a request on the server; it goes on there. Raises `SDKUsageError`, `InputMismatch`, `RemoteAPIError`."""
    backend = Backend(process)
    parts = _parts(process, spec, given)
    # What is sent again, since the answer was lost, is the same request.
    headers = {"Idempotency-Key": idempotency_key or f"once-{uuid.uuid4().hex}"}
    sent: dict[str, Any]
    if set(parts) <= {"0"} and not isinstance(parts.get("0"), File | HttpBody):
        sent = {"content": parts.get("0", b""), "headers": {**headers, "Content-Type": "application/json"}}
    else:
        sent = {"files": {name: _field(name, part) for name, part in parts.items()}, "headers": headers}
    said = backend.ask("POST", f"/applications/{quote(named)}", **sent).json()
    return RemoteRequest(process, backend, named, said["request_id"], spec)


def _parts(process: Process, spec: Spec | None, given: accepting.Given) -> Mapping[str, Any]:
    args, kwargs = given
    if spec is not None:
        return accepting.edge_of(process, spec).encode_input(args, kwargs)
    from pydantic_core import PydanticSerializationError, to_json

    named = {**{str(at): each for at, each in enumerate(args)}, **kwargs}
    try:
        return {name: each if isinstance(each, File | HttpBody) else to_json(each) for name, each in named.items()}
    except PydanticSerializationError as error:
        raise SDKUsageError(f"run_remote_application: an argument is not JSON: {error}") from error


def _field(name: str, part: Any) -> tuple[str, bytes, str]:
    if isinstance(part, bytes):
        return name, part, "application/json"
    return name, part.content, part.content_type or "application/octet-stream"
