"""The Store on a server: `https://HOST:PORT`.

Rules of this file
- What reads and what changes a request is asked in the calling thread; what a journal writes goes through `Sender`.
- A large value is hashed here, and checked here when it comes back: the server is not believed.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from blake3 import blake3

from jupyter_durable.core.history import History
from jupyter_durable.core.model import (
    ArgumentsDecide,
    Attempted,
    CallRow,
    CodeVersion,
    Lease,
    Logged,
    Metric,
    NewRequest,
    NewRun,
    Owner,
    Progressed,
    Reached,
    RequestRow,
    RunRow,
)
from jupyter_durable.errors import DeserializationError, SDKUsageError, StoreError
from jupyter_durable.store.base import Buffer, Copied, Filter, Finding, Seen, Swept
from jupyter_durable.store.blob_format import checked, pieces_of, refused
from jupyter_durable.store.http.journal import HttpJournal
from jupyter_durable.store.http.link import Link
from jupyter_durable.store.http.sender import Sender

_PIECE: Final = 1 << 20


class HttpStore:
    """See `jupyter_durable.store.base.Store`."""

    def __init__(self, url: str, tell: Callable[[str], None] | None = None) -> None:
        self._link = Link(url, tell)
        try:
            self._link.reach()
        except StoreError:
            self._link.close()
            raise
        self.url = self._link.url
        self._sender = Sender(self._link)
        atexit.register(self.close)

    # requests

    def accept(
        self, new: NewRequest, calls: Iterable[CallRow] = (), *, seen: Seen | None = None
    ) -> tuple[RequestRow, bool]:
        found: tuple[RequestRow, bool] = self._link.ask("accept", new, list(calls), seen)
        return found

    def take_in(self, history: History, *, over: int | None = None) -> RequestRow:
        found: RequestRow = self._link.ask("take_in", history, over)
        return found

    def begin(self, serial: int, owner: Owner, run: NewRun, lease_until: float, *, epoch: int | None = None) -> Lease:
        found: Lease = self._link.ask("begin", serial, owner, run, lease_until, epoch)
        return found

    def settle(self, serial: int, epoch: int, status: str, at: float) -> None:
        self._link.ask("settle", serial, epoch, status, at)

    def journal(self, lease: Lease) -> HttpJournal:
        return HttpJournal(self._sender, lease)

    def request(self, id: str) -> RequestRow:
        found: RequestRow = self._link.ask("request", id)
        return found

    def requests(self, filter: Filter) -> list[RequestRow]:
        found: list[RequestRow] = self._link.ask("requests", filter)
        return found

    def cancel(self, serial: int) -> None:
        self._link.ask("cancel", serial)

    def pin(self, serial: int, pinned: bool) -> None:
        self._link.ask("pin", serial, pinned)

    def move(self, rows: Sequence[RequestRow], new_notebook: str) -> int:
        found: int = self._link.ask("move", list(rows), new_notebook)
        return found

    def delete(self, serial: int) -> None:
        self._link.ask("delete", serial)

    # journals, read

    def children(self, serial: int, parent: int, after: int, limit: int) -> list[CallRow]:
        found: list[CallRow] = self._link.ask("children", serial, parent, after, limit)
        return found

    def call(self, serial: int, parent: int, identity: int) -> CallRow | None:
        found: CallRow | None = self._link.ask("call", serial, parent, identity)
        return found

    def reached(self, serial: int, parent: int) -> list[Reached]:
        found: list[Reached] = self._link.ask("reached", serial, parent)
        return found

    def decided(self, serial: int, parent: int) -> list[ArgumentsDecide]:
        found: list[ArgumentsDecide] = self._link.ask("decided", serial, parent)
        return found

    def runs(self, serial: int) -> list[RunRow]:
        found: list[RunRow] = self._link.ask("runs", serial)
        return found

    def attempts(self, serial: int, identity: int) -> list[Attempted]:
        found: list[Attempted] = self._link.ask("attempts", serial, identity)
        return found

    def logs(self, serial: int, identity: int | None = None) -> list[Logged]:
        found: list[Logged] = self._link.ask("logs", serial, identity)
        return found

    def progress(self, serial: int) -> list[Progressed]:
        found: list[Progressed] = self._link.ask("progress", serial)
        return found

    def metrics(self, serial: int) -> list[Metric]:
        found: list[Metric] = self._link.ask("metrics", serial)
        return found

    def code(self, key: bytes) -> CodeVersion:
        found: CodeVersion = self._link.ask("code", key)
        return found

    # blobs

    def put_blob(self, head: bytes, buffers: Sequence[Buffer]) -> bytes:
        parts = pieces_of(head, buffers)
        hasher = blake3()
        for part in parts:
            hasher.update(part)
        try:
            kept = self._link.put(hasher.hexdigest(), lambda: _cut(parts), sum(map(len, parts)))
        except StoreError as error:
            raise refused(error, head, buffers) from error
        return bytes.fromhex(kept)

    def get_blob(self, key: bytes) -> tuple[bytes, list[memoryview]]:
        found = checked(memoryview(self._link.get(key.hex())), key)
        if found is None:
            raise DeserializationError(
                f"the value {key.hex()[:12]} came damaged from {self.url}; run the call again (rerun=) to make it anew"
            )
        return found

    # care

    def check(self) -> list[Finding]:
        found: list[Finding] = self._link.ask("check")
        return found

    def gc(self, *, older_than: float, now: float, dry_run: bool) -> Swept:
        found: Swept = self._link.ask("gc", older_than, now, dry_run)
        return found

    def copy(self, path: Path) -> Copied:
        raise SDKUsageError(
            f"what {self.url} keeps cannot be copied to {path} from here; copy its store on the machine of the server"
        )

    def watch(self, look: Callable[[], str | None]) -> None:
        self._sender.beside.append(look)

    def gone(self) -> bool:
        return False

    def unkept(self) -> bool:
        return False

    def size(self) -> int:
        found: int = self._link.ask("size")
        return found

    def close(self) -> None:
        atexit.unregister(self.close)
        if not self._link.is_over():
            self._sender.stop()
            self._link.close()


def _cut(parts: Sequence[memoryview]) -> Iterator[bytes]:
    for part in parts:
        for at in range(0, len(part), _PIECE):
            yield bytes(part[at : at + _PIECE])
