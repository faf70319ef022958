"""What the page is shown of requests, and what becomes of what is pressed there.

Rules of this file
- A request of a deployed application is cancelled, replayed and read as its own routes do it; any other one belongs to
  a notebook: it can be looked at and cancelled here, and run by its kernel only.
- What is about to run is shown as well: the store does not know of it yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from jupyter_durable.core.model import Status
from jupyter_durable.records import NamedTuple
from jupyter_durable.server.applications.records import OPEN, Accepted
from jupyter_durable.server.applications.service import Applications
from jupyter_durable.server.page.viewer import Viewer
from jupyter_durable.server.refusals import Refusal
from jupyter_durable.server.state import Server

KERNEL_ONLY: Final = (
    "it was made in a notebook, and only a kernel can run it: `jupyter durable replay {id}`, or Replay there"
)


class Result(NamedTuple):
    """A result to be downloaded."""

    data: bytes
    kind: str
    name: str


class Desk:
    """The requests of one namespace."""

    def __init__(self, server: Server, namespace: str) -> None:
        self._server = server
        self._namespace = namespace
        self._applications: Applications | None = server.kept.get(Applications)

    async def listing(self, wanted: Mapping[str, Any]) -> Any:
        """Requests, running first, then newest first."""
        found = await self._look("listing", **wanted)
        known = {each["id"] for each in found["requests"]}
        queued = [each for each in await self._queued() if each.id not in known and _fits(each, wanted)]
        found["requests"] = [*(_row(each) for each in reversed(queued)), *found["requests"]]
        return found

    async def look(self, id: str, what: str, given: Mapping[str, Any]) -> Any:
        """A look at one request. Raises `Refusal`."""
        deployed = await self.deployed(id)
        queued = deployed if await self.queued(deployed) else None
        if what == "info":
            found = await self._look(what, id=id) if queued is None else _row(queued)
            return {**found, "deployed": deployed is not None}
        return await self._look(what, id=id, **given) if queued is None else None

    async def queued(self, deployed: Accepted | None) -> bool:
        """Whether nothing of it has begun: the store does not know of it yet."""
        if deployed is None or deployed.state != OPEN:
            return False
        assert self._applications is not None
        return not await run_in_threadpool(self._applications.begun, deployed)

    async def cancel(self, id: str) -> None:
        """Ask whoever runs it to stop. Raises `Refusal`."""
        deployed = await self.deployed(id)
        if deployed is None:
            await self._look("cancel", id=id)
            return
        assert self._applications is not None
        await run_in_threadpool(self._applications.cancel, deployed)

    async def replay(self, id: str, *, strict: bool, latest: bool) -> None:
        """Run it again. Raises `Refusal`."""
        deployed = await self.deployed(id)
        if deployed is None:
            await self._look("info", id=id)
            raise Refusal(409, "KernelOnly", KERNEL_ONLY.format(id=id))
        applications = self._applications
        assert applications is not None
        await run_in_threadpool(lambda: applications.replay(deployed, strict=strict, upgrade=latest))

    async def output(self, id: str) -> Result:
        """The result of a request that succeeded. Raises `Refusal`."""
        deployed = await self.deployed(id)
        if deployed is None:
            text = await self._look("output", id=id)
            return Result(text.encode(), "application/json", f"{id}.json")
        assert self._applications is not None
        outcome, data = await run_in_threadpool(self._applications.output, deployed)
        if data is None:
            return Result(b"null", "application/json", f"{id}.json")
        kind = outcome.content_type or "application/octet-stream"
        return Result(data, kind, f"{id}{_ENDINGS.get(kind.partition(';')[0].strip(), '.bin')}")

    async def _look(self, what: str, **given: Any) -> Any:
        server, namespace = self._server, self._namespace
        url = await run_in_threadpool(server.namespaces.url, namespace)
        return await server.kept[Viewer].ask(url, what, **given)

    async def deployed(self, id: str) -> Accepted | None:
        """What is known of it as a request of an application; None for any other."""
        if self._applications is None:
            return None
        found = await run_in_threadpool(self._applications.ledger.request, id)
        return found if found is not None and found.namespace == self._namespace else None

    async def _queued(self) -> list[Accepted]:
        if self._applications is None:
            return []
        found = await run_in_threadpool(self._applications.ledger.open)
        return [each for each in found if each.namespace == self._namespace]


_ENDINGS: Final = {"application/json": ".json", "text/plain": ".txt", "text/csv": ".csv", "text/html": ".html.txt"}


def _fits(one: Accepted, wanted: Mapping[str, Any]) -> bool:
    """As the store filters."""
    text = str(wanted["text"]).lower()
    return (
        wanted["status"] in ("", Status.QUEUED)
        and not wanted["notebook"]
        and (not text or text in one.id or text in one.application.lower())
    )


def _row(one: Accepted) -> dict[str, Any]:
    """What is accepted, as lists show it."""
    return {
        "store": "",
        "id": one.id,
        "application": one.application,
        "kind": "function_call",
        "status": Status.QUEUED,
        "accepted_at": one.accepted_at,
        "runs": 0,
    }
