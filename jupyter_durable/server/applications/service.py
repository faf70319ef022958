"""Deployed applications as a server offers them: deploy, accept, look, replay, cancel, delete.

Rules of this file
- What it answers for is durable when it returns. It knows nothing of HTTP; what it refuses it raises as `Refusal`.
- All of it may block; who calls it from an event loop calls it on a thread.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import blake3

from jupyter_durable.core.model import Kind, RequestRow, Status
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.records import NamedTuple
from jupyter_durable.server.applications import arguments, form, progress
from jupyter_durable.server.applications.arguments import Part
from jupyter_durable.server.applications.ledger import Ledger, NewRequest
from jupyter_durable.server.applications.records import ENDED, Accepted, Deployed, Manifest, Outcome
from jupyter_durable.server.applications.refusals import (
    not_ended,
    unknown_application,
    unknown_request,
    unknown_version,
)
from jupyter_durable.server.applications.supervisor import Supervisor, Workers
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.store.base import Store

VERSION_DIGITS: Final = 16
MOST_CODE: Final = 10 * 1024 * 1024
HIDDEN_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Never handed on to an application."""


def version_of(code: bytes) -> str:
    """The name of a version of an application: equal code has an equal one."""
    return blake3.blake3(code).hexdigest()[:VERSION_DIGITS]


class Sent(NamedTuple):
    """What somebody who starts a request has sent."""

    parts: Sequence[Part]
    headers: Sequence[tuple[str, str]]
    key: str | None
    """Idempotency key."""


class Applications:
    """The applications of a server.

    `store_url` gives the URL of the store of a namespace, which workers open; `store` that store, open here.
    """

    def __init__(
        self, folder: Path, store_url: Callable[[str], str], store: Callable[[str], Store], workers: Workers
    ) -> None:
        self.ledger = Ledger(folder / "applications.db")
        self.supervisor = Supervisor(self.ledger, store_url, workers)
        self._store = store

    def close(self) -> None:
        """Let go of the ledger; the supervisor has ended before."""
        self.ledger.close()

    # applications

    def deploy(self, namespace: str, manifest: Manifest, code: bytes) -> Deployed:
        """Keep a version of an application: the latest from now on. Raises `Refusal`."""
        if not code or len(code) > MOST_CODE:
            raise Refusal(413, "CodeTooLarge", f"the code has {len(code):,} bytes; at most {MOST_CODE:,} are taken")
        arguments.check_schemas(manifest)
        deployed = Deployed(namespace, manifest.name, version_of(code), manifest, time.time())
        self.ledger.deploy(deployed, code)
        return deployed

    def applications(self, namespace: str) -> list[Deployed]:
        """The latest version of each application."""
        return self.ledger.applications(namespace)

    def versions(self, namespace: str, application: str) -> list[Deployed]:
        """All versions of an application, the latest first. Raises `Refusal` when there is none."""
        found = self.ledger.versions(namespace, application)
        if not found:
            raise unknown_application(application)
        return found

    # requests

    def start(self, namespace: str, application: str, sent: Sent) -> tuple[Accepted, bool]:
        """Accept a request of the latest version. False: one of this idempotency key was there. Raises `Refusal`."""
        latest = self.versions(namespace, application)[0]
        input = arguments.checked(latest.manifest, sent.parts)
        kept = [[name, value] for name, value in sent.headers if name.lower() not in HIDDEN_HEADERS]
        id = f"req_{os.urandom(8).hex()}"
        new = NewRequest(id, namespace, application, latest.version, time.time(), sent.key, input, kept)
        accepted, created = self.ledger.accept(new)
        if not created and self.ledger.given(accepted.id)[0] != input:
            raise Refusal(
                409,
                "IdempotencyKeyReused",
                f"the idempotency key {sent.key!r} belongs to request {accepted.id}, which has another input; use "
                "another key",
            )
        self.supervisor.wake()
        return accepted, created

    def request(self, namespace: str, application: str, id: str) -> Accepted:
        """A request. Raises `Refusal`."""
        found = self.ledger.request(id)
        if found is None or (found.namespace, found.application) != (namespace, application):
            if not self.ledger.versions(namespace, application):
                raise unknown_application(application)
            raise unknown_request(application, id)
        return found

    def to_replay(self, namespace: str, application: str, id: str) -> Accepted:
        """As `request`, or one of the application that the store has: a notebook began it, and it goes on here.

        Raises `Refusal`.
        """
        row = self._stored(namespace, id) if self.ledger.request(id) is None else None
        if row is None or (row.id, row.kind, row.application) != (id, Kind.FUNCTION, application):
            return self.request(namespace, application, id)
        latest = self.versions(namespace, application)[0]
        new = NewRequest(
            id, namespace, application, latest.version, row.accepted_at, None, {"args": [], "kwargs": {}}, []
        )
        status = row.status if row.status in (Status.SUCCEEDED, Status.CANCELLED) else Status.FAILED
        return self.ledger.adopt(new, Outcome(status, "interrupted", message="it was begun elsewhere; replay it here"))

    def requests(self, namespace: str, application: str, before: int | None, limit: int) -> list[Accepted]:
        """Requests of an application, newest accepted first. Raises `Refusal`."""
        self.versions(namespace, application)
        return self.ledger.requests(namespace, application, before, limit)

    def status(self, accepted: Accepted) -> str:
        """The status that holds now."""
        if accepted.outcome is not None:
            return accepted.outcome.status
        return Status.RUNNING if self.supervisor.runs(accepted.id) else Status.QUEUED

    def output(self, accepted: Accepted) -> tuple[Outcome, bytes | None]:
        """How a request ended, and its output. Raises `Refusal` while it has not, and when it did not succeed."""
        outcome = accepted.outcome
        if outcome is None:
            raise not_ended(accepted.id, "ask for its output")
        if outcome.status != Status.SUCCEEDED:
            raise Refusal(409, "RequestFailed", f"request {accepted.id} {outcome.status}: {outcome.message}")
        return outcome, self.ledger.output(accepted.id)

    def replay(self, accepted: Accepted, *, strict: bool, upgrade: bool) -> Accepted:
        """Run an ended request again, on the version it ran or on the latest. Raises `Refusal`."""
        versions = self.versions(accepted.namespace, accepted.application)
        known = [each.version for each in versions]
        if not upgrade and accepted.version not in known:
            raise unknown_version(accepted.application, accepted.version)
        if not self.ledger.replay(accepted.id, known[0] if upgrade else accepted.version, strict=strict):
            raise not_ended(accepted.id, "replay it")
        self.supervisor.wake()
        return self.request(accepted.namespace, accepted.application, accepted.id)

    def cancel(self, accepted: Accepted) -> Accepted:
        """End a request; one that has ended stays as it is."""
        self.ledger.cancel(accepted.id)
        if not self.supervisor.cancel(accepted.id) and self._row(accepted) is None:
            # Nothing of it has run, and nobody is about to run it.
            outcome = Outcome("cancelled", "cancelled", message="the request was cancelled before it ran")
            self.ledger.end(accepted.id, outcome, time.time())
        self.supervisor.wake()
        return self.request(accepted.namespace, accepted.application, accepted.id)

    def delete(self, accepted: Accepted) -> None:
        """Remove an ended request with its values. Raises `Refusal`."""
        if accepted.state != ENDED:
            raise not_ended(accepted.id, "delete it")
        row = self._row(accepted)
        if row is not None:
            try:
                self._store(accepted.namespace).delete(row.serial)
            except SDKUsageError:
                raise not_ended(accepted.id, "delete it") from None
        if not self.ledger.delete(accepted.id):
            raise not_ended(accepted.id, "delete it")

    # looking

    def tree(self, accepted: Accepted) -> dict[str, Any]:
        """The calls of a request, without values."""
        row = self._row(accepted)
        live = self.supervisor.runs(accepted.id)
        root = None if row is None else progress.tree(self._store(accepted.namespace), row, live=live)
        return {"request_id": accepted.id, "status": self.status(accepted), **progress.tree_json(root)}

    def look(self, accepted: Accepted) -> progress.Seen:
        """A request as a stream of events sees it now."""
        now = self.ledger.request(accepted.id) or accepted
        row = self._row(now)
        reported = [] if row is None else progress.reports(self._store(now.namespace), row)
        finished = form.request_json(now, self.status(now))
        return progress.Seen(now.state == ENDED, row is not None and row.run > 0, reported, finished)

    def begun(self, accepted: Accepted) -> bool:
        """Whether something of a request is in the store."""
        return self._row(accepted) is not None

    def _row(self, accepted: Accepted) -> RequestRow | None:
        return self._stored(accepted.namespace, accepted.id)

    def _stored(self, namespace: str, id: str) -> RequestRow | None:
        with contextlib.suppress(SDKUsageError):  # nothing of it has begun
            return self._store(namespace).request(id)
        return None
