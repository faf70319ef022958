"""A server as this process reaches it: its URL, its token, and what its answers mean.

Rules of this file
- URL and token come from settings and environment only. The token goes to that URL and follows no redirect.
- A refusal is raised as the error it stands for, with the server's own sentence. What may only have been lost on the
  way is sent again, for `PATIENCE_SECONDS`; whoever sends something twice says so with an idempotency key.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx

from jupyter_durable.client.process import Process
from jupyter_durable.errors import InputMismatch, RemoteAPIError, SDKUsageError
from jupyter_durable.store.http.origin import TOKEN_VARIABLE, origin_of, token_for

PATIENCE_SECONDS: Final = 60.0
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
_AWAY: Final = frozenset({502, 503, 504})
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)


class Backend:
    """The server that the settings of a process name. Raises `SDKUsageError` where they name none."""

    def __init__(self, process: Process) -> None:
        settings = process.settings
        url = settings.server or (settings.store if settings.store.startswith("http") else "")
        if not url:
            raise SDKUsageError(
                "no server is set: give its URL with configure(server='https://…') or JUPYTER_DURABLE_SERVER, and its "
                f"token in {TOKEN_VARIABLE}"
            )
        origin = origin_of(url)
        self.url = origin.url
        self._link = httpx.Client(
            base_url=origin.base,
            headers={"Authorization": f"Bearer {token_for(origin)}"},
            timeout=_TIMEOUT,
            follow_redirects=False,
        )

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """An answer of success. Raises `RemoteAPIError`, or `InputMismatch` for an input that does not fit."""
        pause, end = FIRST_PAUSE, time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._link.request(method, path, **given)
            except httpx.TransportError as error:
                lost = RemoteAPIError(
                    503, f"{self.url} cannot be reached ({error}); it is tried again when you ask again"
                )
                if time.monotonic() > end:
                    raise lost from error
            else:
                if answer.status_code not in _AWAY or time.monotonic() > end:
                    return checked(answer)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    @contextmanager
    def events(self, path: str) -> Iterator[Iterator[dict[str, Any]]]:
        """The events of a stream. What breaks it is raised as `httpx.TransportError`."""
        with self._link.stream("GET", path, headers={"Accept": "text/event-stream"}) as answer:
            if answer.status_code != 200:
                answer.read()
                checked(answer)
            yield (json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data:"))


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer, when it is one of success."""
    if answer.is_success:
        return answer
    said = _said(answer)
    message = str(said.get("message") or f"{answer.request.url} answered {answer.status_code}")
    if said.get("code") == "InputMismatch":
        faults = [f"{'.'.join(map(str, each['at'][1:]))}: {each['message']}" for each in said.get("errors", [])]
        raise InputMismatch(f"{message} ({'; '.join(faults)})" if faults else message)
    raise RemoteAPIError(answer.status_code, message)


def _said(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        said = answer.json()
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
