"""The records the engine thinks in. Plain values: no I/O, no clock, no behaviour beyond reading a field.

Rules of this file
- A `CallRow` is what the store keeps of one function call, column by column.
- `identity` is an integer, unique in its request, given when a call first executes. The root call has identity 1 and
  parent 0. Children hang on identities, so a call that moves in the code keeps what its children had finished.
- A parent's *body* is one pass through its code: the first attempt, each further attempt, each start-over.
  `pass_no` numbers the bodies of a parent: `run << 16 | body`. A larger pass is a later one.
- `seq` is the place of a call in its parent's body; it restarts at 0 with each body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, TypeAlias

from jupyter_durable.records import NamedTuple

ROOT: Final = 1
"""Identity of the root call of every request."""

FINGERPRINT_RULE: Final = 1
"""Version of the rule by which fingerprints are made; stored with each request."""


class Status:
    """States of requests, runs and calls. Requests know all of them; calls never wait in `QUEUED`."""

    QUEUED: Final = "queued"
    RUNNING: Final = "running"
    WAITING: Final = "waiting"
    SUCCEEDED: Final = "succeeded"
    FAILED: Final = "failed"
    CANCELLED: Final = "cancelled"
    INTERRUPTED: Final = "interrupted"
    DIVERGED: Final = "diverged"
    """Of runs only: a strict replay that raised `ReplayError`."""


ENDED: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED})


class Kind:
    """Kinds of calls, part of the fingerprint."""

    FUNCTION: Final = "function_call"
    MAP: Final = "map"
    MAP_ITEM: Final = "map_item"
    REDUCE: Final = "reduce"
    REDUCE_STEP: Final = "reduce_step"
    CELL: Final = "cell"
    SCRIPT: Final = "script"
    VALUE: Final = "value"
    """A recorded value: `now()`, `random()`, `uuid4()`."""


class Flag:
    """Bits of `CallRow.flags`."""

    WEAK: Final = 1
    """An argument had no canonical bytes: equal digests prove equal arguments, other ones prove nothing."""
    SET_ASIDE: Final = 2
    """The outcome must not be reused: the call was set aside by `rerun`, `from_call` or a wrong match."""
    NOT_STORED: Final = 4
    """Succeeded, but the result could not be serialized: completed, not checkpointed."""
    VOLATILE: Final = 8
    """`durable=False`: executes whenever it is reached."""
    ARGS_CHANGED: Final = 16
    """In the last run the call was reused by its place: the digest of its arguments is another one than recorded."""
    CODE_CHANGED: Final = 32
    """In the last run the call was reused although its code differs from the recorded code."""
    TAKEN_OVER: Final = 64
    """Executed under an identity recorded with other arguments, so its recorded children may be those of another call:
    they match by their arguments only. Stays with the row (`replay.carried`)."""
    RENEWED: Final = 128
    """Executed again after it was set aside: siblings not reached since do not match by place. Stays with the row."""
    NOT_COMPARABLE: Final = 256
    """Beside `ARGS_CHANGED`: one of the two digests is weak, so nobody knows whether the arguments are others."""
    FILE_CHANGED: Final = 512
    """In the last run the call was reused although a file that it, or a call below it, had read has changed."""
    TOO_LARGE: Final = 1024
    """Beside `WEAK`: an argument has more parts than the budget of a digest allows to look at."""


class CallRow(NamedTuple):
    """What the store keeps of one function call. The order is the column order of the table `call`."""

    parent: int
    identity: int
    pass_no: int
    """Body of the parent in which this call last executed."""
    seq: int
    """Place in that body."""
    kind: str
    name: str
    status: str
    """`running` (a started mark), `succeeded`, `failed`, `cancelled` or `interrupted`."""
    flags: int
    digest: bytes
    """16 bytes over the arguments."""
    code: bytes
    """16 bytes over the code of the function and what it uses; empty for values and cells."""
    attempts: int
    """Attempts so far in the current retry budget, 1 when the first one started."""
    started_at: float
    """Unix time in seconds of the first attempt."""
    duration: float | None
    """Seconds from the first start to the outcome; None while running."""
    codec: str
    """How `value` or `blob` is encoded: a name known to the serializer, "" when there is no value."""
    value: bytes | None
    """Encoded result, or encoded failure when `status` is `failed`; None when it is in a blob."""
    blob: bytes | None
    """BLAKE3 (32 bytes) of the file that holds a large value."""
    mac: bytes | None
    """MAC over the request's id and all of this row but its times (`runner.vouching`)."""
    inputs: bytes | None
    """Encoded arguments with their own codec byte, None when not kept."""
    writes: bytes | None
    """Encoded state writes of the whole subtree (key to value, last one wins), None when there were none."""
    children: int | None
    """How many calls the last body of this call created; None until a body has ended."""
    result: bytes | None
    """16-byte digest of the result; only reduce steps keep it."""
    below: bytes | None = None
    """Names and code hashes of the functions that were called below (`pack_codes`), None when there were none. When the
    call is reused as a whole, this is how a change of code below it is seen."""
    files: bytes | None = None
    """Files that it and the calls below it read, as they were then (`runner.opened`), None when there were none."""
    metrics: str | None = None
    """What it and the calls below it measured, summed (`metrics.packed`), None when they measured nothing."""


def pack_codes(codes: Mapping[str, bytes]) -> bytes:
    """Names with 16-byte code hashes as the bytes of `CallRow.below`."""
    parts = []
    for name, code in sorted(codes.items()):
        raw = name.encode()
        parts.append(len(raw).to_bytes(2, "little") + raw + code)
    return b"".join(parts)


def unpack_codes(packed: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, code hash) of `pack_codes`. Damaged bytes give names that nobody has."""
    at = 0
    while at < len(packed):
        end = at + 2 + int.from_bytes(packed[at : at + 2], "little")
        yield packed[at + 2 : end].decode(errors="replace"), packed[end : end + 16]
        at = end + 16


class Reached(NamedTuple):
    """`count` calls reused one after the other: places `seq…` of `pass_no` are identities `identity…`."""

    parent: int
    pass_no: int
    seq: int
    identity: int
    count: int  # type: ignore[assignment]  # the column is called so, and nobody counts with it
    flags: int
    """Drift marks shared by all of them: `Flag.ARGS_CHANGED`, `NOT_COMPARABLE`, `CODE_CHANGED`, `FILE_CHANGED`."""
    mac: bytes | None = None
    """HMAC-SHA256 over the request's id and the rest (`runner.vouching`); None in a request of before schema 6."""


class Attempted(NamedTuple):
    """One attempt of a call that had several: those that failed and were followed by another, and the last one."""

    identity: int
    pass_no: int
    attempt: int
    started_at: float
    duration: float
    error: bytes
    """Encoded failure, plain codec; empty for the last one, whose outcome is that of the call."""


class Logged(NamedTuple):
    """What one call printed."""

    identity: int
    pass_no: int
    at: float
    stream: str
    text: str


def joined(logs: Sequence[Logged]) -> list[Logged]:
    """Neighbours of one call and stream as one: what `print` was given at once may stand in several."""
    groups = (list(group) for _, group in groupby(logs, lambda log: (log.identity, log.pass_no, log.stream)))
    return [group[0]._replace(text="".join(log.text for log in group)) for group in groups]


class Progressed(NamedTuple):
    """The newest progress of one call."""

    identity: int
    current: float
    total: float
    message: str | None
    attributes: str | None
    """JSON object of strings."""
    at: float


class Metric(NamedTuple):
    """One `metrics.timer` or `metrics.counter` record."""

    identity: int
    kind: str
    name: str
    value: float


class ArgumentsDecide(NamedTuple):
    """Under this parent, calls of this function match by their arguments only (a match by place was wrong)."""

    parent: int
    name: str
    pass_no: int
    """The body in which it was found; what that body executed is claimed again by arguments only."""
    mac: bytes | None = None
    """As in `Reached`."""


def diverged(run: int) -> ArgumentsDecide:
    """The mark of a run whose path is no reference for a strict replay; it stands where no call does."""
    return ArgumentsDecide(0, Status.DIVERGED, run << 16)


class Dropped(NamedTuple):
    """The value of an earlier reduce step is no longer kept."""

    parent: int
    identity: int
    mac: bytes | None = None
    """The MAC of the row without it."""


Write: TypeAlias = CallRow | Reached | Attempted | Logged | Progressed | Metric | ArgumentsDecide | Dropped


class Owner(NamedTuple):
    """Who may write a request. Only an owner on this boot of this machine can be probed for being alive."""

    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    pid_started: str


class CodeVersion(NamedTuple):
    """A snapshot of the code a request runs, keyed by its bytes."""

    key: bytes
    """BLAKE3 (32 bytes) of `data`."""
    data: bytes
    mac: bytes


class NewRequest(NamedTuple):
    """A request to accept."""

    id: str
    application: str
    kind: str
    """Kind of the root call: `function_call`, `cell` or `script`."""
    accepted_at: float
    input: bytes | None
    """Encoded arguments of the root call with their codec byte."""
    input_digest: bytes
    code: CodeVersion
    notebook: str | None
    """Path of the notebook, None outside of one."""
    cell: str | None
    """What finds the cell again: NAME, cell id or the hash of its text."""
    idempotency_key: str | None
    forked_from: str | None
    headers: str | None
    """JSON array of name, value pairs."""
    mac: bytes | None = None
    """MAC over its id and what decides what it executes (`runner.vouching`)."""


class RequestRow(NamedTuple):
    """A request as the store knows it."""

    serial: int
    id: str
    application: str
    kind: str
    status: str
    accepted_at: float
    started_at: float | None
    finished_at: float | None
    input: bytes | None
    input_digest: bytes
    code_key: bytes
    notebook: str | None
    cell: str | None
    idempotency_key: str | None
    forked_from: str | None
    headers: str | None
    rule: int
    run: int
    """Number of the last run, 0 before the first."""
    epoch: int
    owner: Owner | None
    lease_until: float
    cancel_requested: bool
    pinned: bool
    error: str | None
    """One line of plain text for lists; the failure itself is the root call's value."""
    lease_boot: float | None = None
    """When the lease runs out in seconds since the boot of the owner's machine, which no step of a clock changes; None
    where that is not known."""
    mac: bytes | None = None
    """As in `NewRequest`; None in a request that was accepted before schema 5 and has not run since."""


class RunRow(NamedTuple):
    """The original execution of a request, or one replay."""

    run: int
    mode: str
    """`adaptive` or `strict`."""
    status: str
    started_at: float
    finished_at: float | None
    code_key: bytes
    executed: int
    reused: int
    saved: float
    """Seconds the reused calls took when they ran."""


class NewRun(NamedTuple):
    """A run to begin, with everything that must commit together with its start."""

    mode: str
    started_at: float
    code: CodeVersion | None
    """None: the code of the last run."""
    set_aside: tuple[tuple[int, int], ...]
    """(parent, identity) of the calls whose outcome is not to be reused."""
    lease_boot: float | None = None
    """When the lease runs out in seconds since boot; None where there is no such clock."""
    mac: bytes | None = None
    """The MAC of the request with the code of this run; None: as it was."""


class Lease(NamedTuple):
    """The right to write a request, until another one acquires it."""

    serial: int
    id: str
    epoch: int
    run: int
    next_identity: int
    """Identities from here on are free."""
