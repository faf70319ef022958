"""Which requests run now: each in a worker process, so many at once, in the order in which they were accepted.

Rules of this file
- The queue is what the ledger says is open. What is in memory only, who runs what, ends with this process, and so do
  its workers: the line between them breaks.
- A worker that ends without an outcome was lost: its request runs again after a pause. One that loses `MOST_LOSSES`
  workers fails, so that nothing runs for ever.
- A worker whose store cannot be used is no loss: it is tried again for as long as it takes.
- The event loop waits for no file: the ledger is written on threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jupyter_durable.errors import DurableError
from jupyter_durable.server.applications.ledger import Ledger
from jupyter_durable.server.applications.records import BEGUN, CANCEL, Accepted, Order, Outcome

_log: Final = logging.getLogger("jupyter_durable.server.applications")
UNAVAILABLE: Final = 75
"""Exit status of a worker that could not use its store."""
MOST_LOSSES: Final = 5
MOST_LINE: Final = 256 * 1024 * 1024
"""Bytes of an outcome."""
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 30.0
COMMAND: Final = (
    "import sys; from jupyter_durable.server.applications.worker import main; main(*map(int, sys.argv[1:]))"
)
"""What a worker executes: `__main__` stays empty, so that restored code finds its own names only."""


@dataclass(frozen=True, slots=True)
class Workers:
    """How workers are started."""

    most: int = 0
    """How many run at once; 0: as many as there are processors, at least 2."""
    python: str = sys.executable
    """Interpreter of the environment that applications have."""
    environment: dict[str, str] | None = None
    """None: that of the server."""

    def slots(self) -> int:
        """How many run at once."""
        return self.most or max(2, os.cpu_count() or 1)


@dataclass(slots=True)
class _Running:
    """A worker, and its line."""

    process: asyncio.subprocess.Process | None = None
    orders: int | None = None
    """Descriptor that words are written to."""
    begun: bool = False

    def say(self, word: str) -> None:
        if self.orders is not None:
            with contextlib.suppress(OSError):  # it is gone, and that is seen elsewhere
                os.write(self.orders, word.encode() + b"\n")


class Supervisor:
    """Runs what is open in the ledger."""

    def __init__(self, ledger: Ledger, store_of: Callable[[str], str], workers: Workers) -> None:
        self._ledger = ledger
        self._store_of = store_of
        self._workers = workers
        self._running: dict[str, _Running] = {}
        self._pauses: dict[str, tuple[float, float]] = {}
        """By request: when it may run again (monotonic), and how long it waited."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # from any thread

    def wake(self) -> None:
        """Something in the ledger has changed."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    def cancel(self, id: str) -> bool:
        """Tell the worker of a request to end it; False when it has none."""
        running = self._running.get(id)
        if running is None:
            return False
        running.say(CANCEL)
        return True

    def runs(self, id: str) -> bool:
        """Whether a worker has begun to run a request."""
        running = self._running.get(id)
        return running is not None and running.begun

    def pids(self) -> list[int]:
        """Processes of the workers."""
        return [each.process.pid for each in list(self._running.values()) if each.process is not None]

    # in the loop

    async def serve(self) -> None:
        """Run requests until this is cancelled; then all workers are ended."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._woken.clear()
                try:
                    await self._begin_waiting()
                except (OSError, sqlite3.Error) as error:  # a full disk, say: it goes on when there is room
                    _log.error("the ledger of applications cannot be read: %s", error)
                    await asyncio.sleep(LONGEST_PAUSE / 10)
                    continue
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._next_pause())
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin_waiting(self) -> None:
        if len(self._running) >= self._workers.slots():
            return
        now = time.monotonic()
        for accepted in await asyncio.to_thread(self._ledger.open):
            if len(self._running) >= self._workers.slots():
                return
            if accepted.id in self._running or self._pauses.get(accepted.id, (now, 0))[0] > now:
                continue
            self._running[accepted.id] = _Running()
            task = asyncio.get_running_loop().create_task(self._run(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next_pause(self) -> float | None:
        ends = [end for id, (end, _) in self._pauses.items() if id not in self._running]
        return max(0.01, min(ends) - time.monotonic()) if ends else None

    async def _run(self, accepted: Accepted) -> None:
        try:
            order = await asyncio.to_thread(self._order, accepted.id)
            if order is not None:
                await self._settle(accepted, *await self._worked(order))
        except (OSError, ValueError, sqlite3.Error, DurableError):
            _log.exception("request %s could not be run; it is tried again", accepted.id)
            self._pause(accepted.id)
        finally:
            self._running.pop(accepted.id, None)
            self._woken.set()

    def _order(self, id: str) -> Order | None:
        """What is to be done now; None when nothing is any more."""
        accepted = self._ledger.request(id)
        if accepted is None or accepted.state != "open":
            return None
        input, headers = self._ledger.given(id)
        code = self._ledger.code(accepted.namespace, accepted.application, accepted.version)
        store = self._store_of(accepted.namespace)
        return Order(id, accepted.application, store, code, input, headers, accepted.strict, accepted.cancelled)

    async def _worked(self, order: Order) -> tuple[Outcome | None, int]:
        """What a worker made of it, and its exit status."""
        running = self._running[order.request]
        theirs, ours = os.pipe()
        outcomes, saying = os.pipe()
        try:
            running.process = await asyncio.create_subprocess_exec(
                self._workers.python, "-c", COMMAND, str(theirs), str(saying),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=(theirs, saying),
                env=self._workers.environment, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            for descriptor in (ours, outcomes):
                os.close(descriptor)
            raise
        finally:
            os.close(theirs)
            os.close(saying)
        try:
            _log.info("request %s runs in worker %d", order.request, running.process.pid)
            await asyncio.to_thread(_write_all, ours, order.line())
            running.orders = ours
            if (now := await asyncio.to_thread(self._ledger.request, order.request)) is not None and now.cancelled:
                running.say(CANCEL)  # asked for while there was nobody to tell
            outcome = await self._heard(running, outcomes)
            return outcome, await running.process.wait()
        finally:
            running.orders = None
            os.close(ours)  # a worker that is still there ends
            if running.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    running.process.kill()

    async def _heard(self, running: _Running, outcomes: int) -> Outcome | None:
        """What a worker says, to its end."""
        reader = asyncio.StreamReader(limit=MOST_LINE)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(outcomes, "rb", buffering=0)
        )
        outcome = None
        try:
            while line := await reader.readline():
                if line.strip() == BEGUN.encode():
                    running.begun = True
                else:
                    outcome = Outcome.read(line)
        finally:
            transport.close()
        return outcome

    async def _settle(self, accepted: Accepted, outcome: Outcome | None, status: int) -> None:
        id = accepted.id
        if outcome is not None:
            self._pauses.pop(id, None)
            await asyncio.to_thread(self._ledger.end, id, outcome, time.time())
            _log.info("request %s %s", id, outcome.status)
            return
        if status == UNAVAILABLE:
            self._pause(id)
            return
        _log.warning("request %s: its worker ended with status %d; it is run again", id, status)
        await asyncio.to_thread(self._ledger.lost, id)
        if accepted.losses + 1 >= MOST_LOSSES:
            lost = Outcome(
                "failed", "worker_lost", accepted.application, "WorkerLost",
                f"{MOST_LOSSES} workers died while they ran it (the last with status {status}; -9 is what a system out "
                "of memory sends); what had succeeded is kept: replay it when that is mended",
            )  # fmt: skip
            await asyncio.to_thread(self._ledger.end, id, lost, time.time())
            return
        self._pause(id)

    def _pause(self, id: str) -> None:
        before = self._pauses.get(id, (0.0, FIRST_PAUSE / 2))[1]
        seconds = min(LONGEST_PAUSE, 2 * before)
        self._pauses[id] = (time.monotonic() + seconds, seconds)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    with contextlib.suppress(BrokenPipeError):  # it died: that is seen by what it says
        while view:
            view = view[os.write(descriptor, view) :]
