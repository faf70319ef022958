"""A bad network: an asyncio proxy that drops, cuts, duplicates and delays. The same seed does the same to the nth
connection."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Iterator

FAULTS = ("refused", "request cut", "answer cut", "answer lost", "twice", "late")


class Proxy:
    """Stands before a server; `share` of its connections are bad."""

    def __init__(self, target: int, seed: int, share: float = 0.7) -> None:
        self.port = 0
        self.seen: Counter[str] = Counter()
        self._target = target
        self._random = random.Random(seed)
        self._share = share
        self._faults: list[str] = []

    async def serve(self, listens: threading.Event, over: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        listens.set()
        await over.wait()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._faults:  # each as often as the others
            self._faults = self._random.sample(FAULTS, len(FAULTS))
        fault = self._faults.pop() if self._random.random() < self._share else "none"
        limit = self._random.randrange(1, 4000)
        self.seen[fault] += 1
        try:
            await self._through(reader, writer, fault, limit)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _through(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: str, limit: int
    ) -> None:
        if fault == "refused":
            return
        if fault == "late":
            await asyncio.sleep(limit / 20_000)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            if fault in ("request cut", "answer cut", "answer lost", "twice"):
                await self._one_request(reader, writer, far_reader, far_writer, (fault, limit))
                return
            # A good connection, for a while: a new one is a new chance to go wrong.
            ways = (self._pump(reader, far_writer, limit), self._pump(far_reader, writer, None))
            _, open_ways = await asyncio.wait(
                list(map(asyncio.ensure_future, ways)), return_when=asyncio.FIRST_COMPLETED
            )
            for way in open_ways:
                way.cancel()
        finally:
            far_writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: int | None) -> None:
        passed = 0
        while most is None or passed < most:
            piece = await source.read(65536)
            if not piece:
                return
            passed += len(piece)
            sink.write(piece)
            await sink.drain()

    async def _one_request(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
        how: tuple[str, int],
    ) -> None:
        fault, limit = how
        request = await _message(reader)
        if fault == "request cut":
            far_writer.write(request[: limit % len(request)])
            await far_writer.drain()
            return
        far_writer.write(request)
        answer = await _message(far_reader)
        if fault == "twice":
            again_reader, again_writer = await asyncio.open_connection("127.0.0.1", self._target)
            again_writer.write(request)
            await _message(again_reader)
            again_writer.close()
        if fault == "answer lost":
            return
        writer.write(answer[: limit % len(answer)] if fault == "answer cut" else answer)
        await writer.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One HTTP message with a length."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


@contextlib.contextmanager
def bad_network(target: int, seed: int) -> Iterator[Proxy]:
    """A proxy in a thread of its own."""
    proxy = Proxy(target, seed)
    listens = threading.Event()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    def run() -> None:
        loop.run_until_complete(proxy.serve(listens, over))
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert listens.wait(60)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(60)
