"""What shows requests, in a process of its own: it reads the stores, and of values those that are plain data.

Rules of this file
- The process is begun when the page is first asked for something, and ends with this one: its standard input closes.
- It is told a question and answers it, each a line of JSON with the number of the question. When it dies, who waits is
  told so, and the next question begins another.
- What it says of a failure has been made fit to be shown there; its name for the store is not ours to hide again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import sys
from typing import Any, Final

from jupyter_durable.server.refusals import Refusal

MODULE: Final = "jupyter_durable_server.looking"
"""It stands above the library, with what the Jupyter server shows; so it is named here, and not imported."""
SECONDS: Final = 130.0
"""More than a look at one request may take there."""
MOST: Final = 64
"""Questions at a time; more are refused."""
_LONGEST_LINE: Final = 256 * 1024 * 1024
log = logging.getLogger("jupyter_durable.server")


class Viewer:
    """The process, and what it was asked."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def ask(self, url: str, what: str, **given: Any) -> Any:
        """What is to be seen in the store of this URL. Raises `Refusal`."""
        if len(self._asked) >= MOST:
            raise Refusal(503, "Unavailable", "the server has much to show just now; it is asked again in a moment")
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            process = await self._begun()
            assert process.stdin is not None
            process.stdin.write(json.dumps({"n": number, "url": url, "what": what, "given": given}).encode() + b"\n")
            await process.stdin.drain()
            said = await asyncio.wait_for(answer, SECONDS)
        except (ConnectionError, TimeoutError):
            raise _gone() from None
        finally:
            self._asked.pop(number, None)
        if said["status"] != 200:
            if "told" in said:
                log.warning("not shown", extra={"told": {"what": what, "error": said["told"]}})
            raise Refusal(said["status"], said["code"], said["message"])
        return said["answer"]

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._hearing is not None:
            await self._hearing

    async def _begun(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", MODULE,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LONGEST_LINE,
                    start_new_session=True,
                )  # fmt: skip
                self._hearing = asyncio.create_task(self._hear(self._process))
            return self._process

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                said = json.loads(line)
                waits = self._asked.get(said["n"])
                if waits is not None and not waits.done():
                    waits.set_result(said)
        finally:
            code = await process.wait()
            if self._process is process:
                log.warning("what shows requests ended; it is begun anew", extra={"told": {"exit": code}})
            for waits in self._asked.values():
                if not waits.done():
                    waits.set_exception(_gone())


def _gone() -> Refusal:
    return Refusal(503, "Unavailable", "what shows requests has not answered; the page asks again by itself")
