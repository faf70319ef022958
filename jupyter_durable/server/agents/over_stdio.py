"""Tools for the agent that started this process: the protocol over stdin and stdout, requests from a ledger.

Rules of this file
- What the agent asks is accepted and looked at as on a server. It is run by one of the processes that share a ledger:
  the one that holds its lock; when that one goes, another takes its place.
- The process ends with its agent. What was open stays so, and goes on when the next one comes.
- Standard output belongs to the protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import blake3
from mcp.server.stdio import stdio_server

from jupyter_durable.files import make_folder
from jupyter_durable.server.agents.handlers import Context, Desk, serve_tools
from jupyter_durable.server.applications.records import Deployed, Manifest
from jupyter_durable.server.applications.service import VERSION_DIGITS, Applications
from jupyter_durable.server.applications.supervisor import Workers
from jupyter_durable.server.tokens import checked_namespace
from jupyter_durable.store import open_store

LOOK_SECONDS: Final = 0.2
"""How often the process that runs requests looks for what others accepted or cancelled."""


def serve(deployed: Sequence[tuple[Manifest, bytes]], folder: Path, store: str, namespace: str) -> None:
    """See `agents.stdio`."""
    asyncio.run(_serve(deployed, folder, store, checked_namespace(namespace)))


async def _serve(deployed: Sequence[tuple[Manifest, bytes]], folder: Path, url: str, namespace: str) -> None:
    make_folder(folder)
    store = open_store(url)
    try:
        applications = Applications(folder, lambda _: url, lambda _: store, Workers())
        try:
            for manifest, code in deployed:
                _deploy(applications, namespace, manifest, code)
            only = frozenset(manifest.name for manifest, _ in deployed)
            async with _running(applications, folder / "running"):
                await _answer(Desk(applications, namespace, "write", only))
        finally:
            applications.close()
    finally:
        store.close()


def _deploy(applications: Applications, namespace: str, manifest: Manifest, code: bytes) -> None:
    """Keep a version, but where it is the latest already: many processes begin with the same."""
    version = blake3.blake3(code).hexdigest()[:VERSION_DIGITS]
    latest: list[Deployed] = applications.ledger.versions(namespace, manifest.name)[:1]
    if not latest or latest[0].version != version or latest[0].manifest != manifest:
        applications.deploy(namespace, manifest, code)


async def _answer(desk: Desk) -> None:
    """Answer until the agent goes."""

    def desk_of(_: Context) -> Desk:
        return desk

    server = serve_tools(desk_of)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


@contextlib.asynccontextmanager
async def _running(applications: Applications, lock: Path) -> AsyncIterator[None]:
    """Meanwhile what is open runs, here or in the process that has the lock."""
    running = asyncio.create_task(_run_in_turn(applications, lock))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _run_in_turn(applications: Applications, lock: Path) -> None:
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        while not _locked(descriptor):
            await asyncio.sleep(LOOK_SECONDS)
        supervising = asyncio.create_task(applications.supervisor.serve())
        try:
            while not supervising.done():
                await asyncio.to_thread(_tell_cancelled, applications)
                applications.supervisor.wake()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            supervising.cancel()
            await asyncio.gather(supervising, return_exceptions=True)
    finally:
        os.close(descriptor)


def _tell_cancelled(applications: Applications) -> None:
    """Another process has written down that a request is to end; only this one can tell its worker."""
    for accepted in applications.ledger.open():
        if accepted.cancelled:
            applications.supervisor.cancel(accepted.id)


def _locked(descriptor: int) -> bool:
    """Whether this process runs what is open. Where files cannot be locked each does, and leases keep them apart."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
