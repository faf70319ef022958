"""What a store is: two Protocols, one to find and own requests, one to write the journal of an owned request.

Rules of this file
- A store keeps opaque bytes. It never encodes, signs, verifies or decodes a value.
- Every write of a journal is conditional on the epoch of its lease; a refused write raises `LeaseLost`.
- What is decided from a row that was read (nobody owns it, its owner is gone, it may be resumed) is done to the request
  as it was read, or not at all: the epoch is compared in the transaction that acts, and `NotAsRead` says that it moved.
  Beginning, ending, letting go, settling, and cancelling what had not begun all raise it.
- What `record` returned from is durable. `later` is durable at the latest with the next commit, or `FLUSH_SECONDS` on.
- A write that fails raises `CheckpointError` to whoever waits for it and is acknowledged to nobody.
- Threads may share a store and a journal. After a fork the child must not use them (`StoreError`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

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
    Write,
)
from jupyter_durable.errors import CheckpointError, LeaseLost, SDKUsageError, StoreError
from jupyter_durable.records import NamedTuple

Buffer = bytes | bytearray | memoryview


class Settled(LeaseLost):
    """The call already has a durable outcome for this pass and attempt (as after an interrupt inside a commit)."""


class StoreAway(StoreError):
    """What keeps the store does not answer now, as a database that is restarted; the same can be asked again later."""


class NotWrittenNow(CheckpointError, StoreAway):
    """The same of a write. Whether it was done is not known to who asked."""


class TookTooLong(StoreError):
    """Who only looks has given up: reading takes longer than it may."""


class NotAsRead(SDKUsageError):
    """Somebody acted on the request since it was read; nothing was done. Read it again and decide anew."""


def not_as_read(row: RequestRow) -> NotAsRead:
    """The refusal for a request that reads `row` now."""
    if row.owner is None:
        return NotAsRead(f"request {row.id} was {row.status} when it was to be changed; look at it again")
    return NotAsRead(
        f"request {row.id} is being run by process {row.owner.pid} on {row.owner.host}; wait for it, cancel it, or take"
        " it over (--take-over)"
    )


def key_taken(id: str, known: RequestRow) -> SDKUsageError:
    """The refusal to take in a request whose idempotency key belongs to another one."""
    return SDKUsageError(
        f"request {id} has the idempotency key {known.idempotency_key!r}, which request {known.id} of"
        f" {known.application} has there; go on with that one, or delete it first"
    )


def only(id: str, found: Sequence[RequestRow]) -> RequestRow:
    """The request that `id` means. Raises `SDKUsageError` for none or several."""
    if found and (len(found) == 1 or found[0].id == id) and id:
        return found[0]
    if not id or not found:
        raise SDKUsageError(
            "there is no request yet"
            if id == "last"
            else f"there is no request {id!r}; `%durable list`, `jupyter durable list` and list_requests() show"
            " those there are"
        )
    names = ", ".join(row.id for row in found[:5]) + (", …" if len(found) > 5 else "")
    raise SDKUsageError(f"{id!r} may mean several requests: {names}; give more of the id")


class BlobLost(CheckpointError):
    """A large value was removed before its row was committed, and is nowhere any more: its call executes again."""


class BlobRefused(CheckpointError):
    """A large value could not be written. It is in here, whole, to be written when there is room again."""

    def __init__(self, reason: StoreError, key: bytes, head: bytes, buffers: Sequence[Buffer]) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.reason = reason
        self.key = key
        """The name it will have."""
        self.head = head
        self.buffers = buffers
        """Copies: what they were made of may change meanwhile."""


FLUSH_SECONDS: Final = 0.05
"""How long a started mark may wait for a commit."""
INLINE_BYTES: Final = 64 * 1024
"""Encoded values up to this size stand in the row; larger ones are blobs."""


class Heartbeat(NamedTuple):
    """Answer to a renewed lease."""

    cancel_requested: bool


class Finish(NamedTuple):
    """The end of a run: root outcome, status of request and run, release of the lease, in one transaction."""

    root: CallRow | None
    """None when the run ended without an outcome of the root (interrupted, diverged)."""
    status: str
    run_status: str
    error: str | None
    finished_at: float
    executed: int
    reused: int
    saved: float


class Filter(NamedTuple):
    """Which requests to list. None: any."""

    status: str | None = None
    application: str | None = None
    notebook: str | None = None
    cell: str | None = None
    text: str | None = None
    since: float | None = None
    before: int | None = None
    """Only requests with a smaller serial (the next page)."""
    limit: int = 100


class Seen(NamedTuple):
    """What a look for requests has found, for whoever acts on it."""

    wanted: Filter
    newest: int
    """Serial of the newest that was there, 0 when there was none."""


class Finding(NamedTuple):
    """One thing `check` has to say."""

    level: str
    """`ok`, `warning` or `error`."""
    text: str


class Swept(NamedTuple):
    """What garbage collection removed, or would remove."""

    requests: tuple[str, ...]
    blobs: int
    bytes: int


class Copied(NamedTuple):
    """A store that was copied."""

    path: Path
    missing: int
    """Large values that were not found any more: their calls execute again with rerun=."""


class Journal(Protocol):
    """The write side of one acquired request."""

    lease: Lease

    def record(self, row: CallRow, writes: Sequence[Write] = ()) -> None:
        """Commit the outcome of a call, or a started mark, with `writes`, and return when it is durable.

        Alone it is one autocommit statement in the calling thread; when anything is queued, the group commits in
        the store's thread. The outcome of a call that is no longer open (same pass and attempt already settled)
        raises `Settled`, which is a `LeaseLost`.
        """

    def post(self, row: CallRow, done: Callable[[BaseException | None], None], writes: Sequence[Write] = ()) -> None:
        """As `record`, without waiting: `done(error)` is called, in any thread, when it is durable or refused.

        `done` must be short and must not wait for the store; reading and `later` are allowed.
        """

    def alone(self) -> bool:
        """Whether `record` would commit in the calling thread now."""

    def later(self, write: Write) -> None:
        """Queue a write for the next commit. A started mark is superseded by the outcome of its call."""

    def flush(self) -> None:
        """Return when everything queued so far is durable."""

    def finish(self, finish: Finish) -> None:
        """End the run. Nothing can be written through this journal afterwards."""

    def renew(self, lease_until: float, lease_boot: float | None = None) -> Heartbeat:
        """Hold the lease until `lease_until` (Unix seconds), and `lease_boot` (seconds since boot)."""

    def close(self) -> None:
        """Flush and let go of the journal without ending the run (the request then reads as interrupted)."""


class Store(Protocol):
    """Requests and their journals."""

    url: str

    # requests
    def accept(
        self, new: NewRequest, calls: Iterable[CallRow] = (), *, seen: Seen | None = None
    ) -> tuple[RequestRow, bool]:
        """Add a request, with copied calls for a fork, in one transaction. With a known idempotency key of the same
        application: that request and False.

        `seen` is the look from which the caller has decided that there is none to go on with. Raises `NotAsRead`
        when there is a newer one by now.
        """

    def take_in(self, history: History, *, over: int | None = None) -> RequestRow:
        """Add a request with all that is recorded of it, as it was in another store, in one transaction.

        Its large values are here already. `over` is the epoch of the request of that id that it takes the place of,
        whose history it continues; None: there is none. Raises `NotAsRead` when that one was acted on since, and
        `SDKUsageError` when the id or the idempotency key is another request's.
        """

    def begin(self, serial: int, owner: Owner, run: NewRun, lease_until: float, *, epoch: int | None = None) -> Lease:
        """Acquire the request, raise its epoch, add the run, set calls aside: one transaction.

        A run that was open is recorded as interrupted. `epoch` is that of the row from which the caller has decided
        that it may have the request: nobody owns it, its owner is gone, or the user said so. None: only what nobody
        owns. Raises `NotAsRead`, which names the owner.
        """

    def settle(self, serial: int, epoch: int, status: str, at: float) -> None:
        """End a request that nobody runs any more, as `interrupted` or `cancelled`, at a Unix time.

        `epoch` is that of the row from which this was decided. Raises `NotAsRead`.
        """

    def journal(self, lease: Lease) -> Journal: ...

    def request(self, id: str) -> RequestRow:
        """By id, unique prefix or `last`. Raises `SDKUsageError` for none or several, naming them."""

    def requests(self, filter: Filter) -> list[RequestRow]:
        """Newest accepted first."""

    def cancel(self, serial: int) -> None:
        """Ask the owner to cancel; a queued request becomes cancelled at once, and who was to begin it is refused."""

    def pin(self, serial: int, pinned: bool) -> None: ...

    def move(self, rows: Sequence[RequestRow], new_notebook: str) -> int:
        """Adopt the requests of a notebook that was moved, those that are as they were read; how many."""

    def delete(self, serial: int) -> None:
        """Remove a request that is not running, with its values, in chunks.

        Blobs younger than a day are left to `gc`. Raises `SDKUsageError` while its status is running or waiting, also
        when its owner is gone: settle it first.
        """

    # journals, read
    def children(self, serial: int, parent: int, after: int, limit: int) -> list[CallRow]:
        """Calls of one parent in order of identity, from `after` (exclusive), values of rows included."""

    def call(self, serial: int, parent: int, identity: int) -> CallRow | None: ...

    def reached(self, serial: int, parent: int) -> list[Reached]:
        """All recorded stretches of reused calls, by pass, then place."""

    def decided(self, serial: int, parent: int) -> list[ArgumentsDecide]: ...

    def runs(self, serial: int) -> list[RunRow]: ...

    def attempts(self, serial: int, identity: int) -> list[Attempted]: ...

    def logs(self, serial: int, identity: int | None = None) -> list[Logged]: ...

    def progress(self, serial: int) -> list[Progressed]: ...

    def metrics(self, serial: int) -> list[Metric]: ...

    def code(self, key: bytes) -> CodeVersion: ...

    # blobs
    def put_blob(self, head: bytes, buffers: Sequence[Buffer]) -> bytes:
        """Keep a large value; its BLAKE3. Durable on return. Raises `BlobRefused`, which holds it."""

    def get_blob(self, key: bytes) -> tuple[bytes, list[memoryview]]:
        """The head and the (writable, copy on write) buffers of a blob whose hash was checked.

        Raises `DeserializationError` when it is missing or damaged; a damaged one is moved aside.
        """

    # care
    def check(self) -> list[Finding]: ...

    def gc(self, *, older_than: float, now: float, dry_run: bool) -> Swept:
        """Remove requests that ended more than `older_than` seconds before `now` (Unix seconds), and loose blobs.

        Queued, running, interrupted and pinned requests stay, and so do blobs younger than a day.
        """

    def copy(self, path: Path) -> Copied:
        """Write all requests with their values into a new store, durably, also when the file of this one is gone.

        Raises `SDKUsageError` when `path` is there already, `StoreError` when it cannot be written.
        """

    def watch(self, look: Callable[[], str | None]) -> None:
        """Have `look` asked, too, whether what is needed to read the store later stands where it stood.

        It says what happened, or None; in any thread, and it must not wait for the store.
        """

    def gone(self) -> bool:
        """Whether the files were found to be no longer where they were opened; see `StoreGone`."""

    def unkept(self) -> bool:
        """Whether closing it would lose what was acknowledged: it is gone, and was not copied since."""

    def size(self) -> int:
        """Bytes on disk, blobs included."""

    def close(self) -> None: ...
