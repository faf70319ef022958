"""What a client and a server of a remote store say to each other. Both import this file, and know nothing else of it.

Rules of this file
- `POST /v1/store/VERB`: the body is the arguments of the verb as one MessagePack array, the answer its result; records
  are arrays of their fields, in order. Large values go as they are, in the form of their files, by `PUT` and `GET
  /v1/blobs/NAME`, NAME being the BLAKE3 of that form.
- What is read is checked against the type of each field. Nothing is ever loaded by name, so no code can be sent.
- Both sides send the version of this protocol. Who gets a newer one than it knows says which side is to be updated.
- Every operation that changes something has an idempotency key. Who has lost an answer sends the same again, and says
  so.
- Each side sends its wall clock with what it sends, so the end of a lease is translated: a lease holds for so many
  seconds by the clock of whoever reads it. One that has ended has ended by every clock.
- An error is JSON, `{"code", "message"}`; the code is the name of the error that the client raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec

from jupyter_durable import errors
from jupyter_durable.core.history import History
from jupyter_durable.core.model import (
    ArgumentsDecide,
    Attempted,
    CallRow,
    CodeVersion,
    Dropped,
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
from jupyter_durable.errors import DurableError, RemoteAPIError, StoreError
from jupyter_durable.records import NamedTuple
from jupyter_durable.store.base import (
    BlobLost,
    Filter,
    Finding,
    Finish,
    Heartbeat,
    NotAsRead,
    Seen,
    Settled,
    Swept,
    TookTooLong,
)

PROTOCOL: Final = 1
STORE: Final = "/v1/store/"
BLOBS: Final = "/v1/blobs/"
PROTOCOL_HEADER: Final = "Jupyter-Durable-Protocol"
NOW_HEADER: Final = "Jupyter-Durable-Now"
KEY_HEADER: Final = "Idempotency-Key"
AGAIN_HEADER: Final = "Jupyter-Durable-Again"
"""Sent where the same operation was sent before, and no answer came."""
MSGPACK: Final = "application/msgpack"
BATCH_BYTES: Final = 4 << 20
"""About as much is sent at once; one that is larger goes alone."""


class Tagged(NamedTuple):
    """A write of a journal, with its kind."""

    kind: str
    row: msgspec.Raw


class Outcome(NamedTuple):
    """An outcome to record, and what is committed with it."""

    row: CallRow
    writes: list[Tagged]


class Part(NamedTuple):
    """What a batch holds for one journal: first what was queued, then outcomes."""

    lease: Lease
    later: list[Tagged]
    outcomes: list[Outcome]


class Refused(NamedTuple):
    """Why something was not done: the name of an error, and its text."""

    code: str
    message: str


class Answered(NamedTuple):
    """What became of a part."""

    later: Refused | None
    outcomes: list[Refused | None]


class Verb(NamedTuple):
    """One thing that can be asked of a store."""

    arguments: Any
    result: Any
    scope: str = "read"
    """What the token has to allow."""


VERBS: Final[dict[str, Verb]] = {
    "accept": Verb(tuple[NewRequest, list[CallRow], Seen | None], tuple[RequestRow, bool], "write"),
    "take_in": Verb(tuple[History, int | None], RequestRow, "write"),
    "begin": Verb(tuple[int, Owner, NewRun, float, int | None], Lease, "write"),
    "settle": Verb(tuple[int, int, str, float], None, "write"),
    "cancel": Verb(tuple[int], None, "write"),
    "pin": Verb(tuple[int, bool], None, "write"),
    "move": Verb(tuple[list[RequestRow], str], int, "write"),
    "delete": Verb(tuple[int], None, "write"),
    "write": Verb(tuple[list[Part]], list[Answered], "write"),
    "finish": Verb(tuple[Lease, Finish], None, "write"),
    "renew": Verb(tuple[Lease, float, float | None], Heartbeat, "write"),
    "let_go": Verb(tuple[Lease], None, "write"),
    "gc": Verb(tuple[float, float, bool], Swept, "admin"),
    "request": Verb(tuple[str], RequestRow),
    "requests": Verb(tuple[Filter], list[RequestRow]),
    "children": Verb(tuple[int, int, int, int], list[CallRow]),
    "call": Verb(tuple[int, int, int], CallRow | None),
    "reached": Verb(tuple[int, int], list[Reached]),
    "decided": Verb(tuple[int, int], list[ArgumentsDecide]),
    "runs": Verb(tuple[int], list[RunRow]),
    "attempts": Verb(tuple[int, int], list[Attempted]),
    "logs": Verb(tuple[int, int | None], list[Logged]),
    "progress": Verb(tuple[int], list[Progressed]),
    "metrics": Verb(tuple[int], list[Metric]),
    "code": Verb(tuple[bytes], CodeVersion),
    "check": Verb(tuple[()], list[Finding]),
    "size": Verb(tuple[()], int),
}
_KINDS: Final[dict[str, type[Any]]] = {
    kind.__name__: kind for kind in (CallRow, Reached, Attempted, Logged, Progressed, Metric, ArgumentsDecide, Dropped)
}
_ENCODER: Final = msgspec.msgpack.Encoder()
_ARGUMENTS: Final = {name: msgspec.msgpack.Decoder(verb.arguments) for name, verb in VERBS.items()}
_RESULTS: Final = {name: msgspec.msgpack.Decoder(verb.result) for name, verb in VERBS.items()}
_WRITES: Final = {name: msgspec.msgpack.Decoder(kind) for name, kind in _KINDS.items()}
_ERRORS: Final[dict[str, type[DurableError]]] = {
    **{name: getattr(errors, name) for name in errors.__all__ if name not in ("RemoteAPIError", "TimeoutError")},
    **{kind.__name__: kind for kind in (BlobLost, NotAsRead, Settled, TookTooLong)},
}
_SIGNED: Final = (CallRow, CodeVersion)
"""Written as they are, or not at all."""


class ServerRefused(StoreError, RemoteAPIError):
    """The server of a store refused what it was asked; what it said stands in the message."""


class Malformed(StoreError):
    """What came over the wire is no message of this protocol."""


def encode(value: object) -> bytes:
    """A value as it is sent. A text that is no UTF-8 is sent with its strays escaped, where it only tells something.

    Raises `StoreError` for what cannot be sent.
    """
    try:
        try:
            return _ENCODER.encode(value)
        except UnicodeEncodeError:
            return _ENCODER.encode(_storable(value))
    except (UnicodeEncodeError, TypeError, OverflowError, ValueError) as error:
        raise StoreError(f"a record cannot be sent to the server: {error}") from error


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, _SIGNED):
        return value
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return value._make(map(_storable, value))
    return type(value)(map(_storable, value)) if isinstance(value, (list, tuple)) else value


def arguments(verb: str, body: bytes) -> tuple[Any, ...]:
    """The arguments of a verb. Raises `Malformed`."""
    return cast(tuple[Any, ...], _decoded(_ARGUMENTS[verb], body, f"no arguments of {verb}"))


def result(verb: str, body: bytes) -> Any:
    """The result of a verb. Raises `Malformed`."""
    return _decoded(_RESULTS[verb], body, f"no answer to {verb}")


def tagged(writes: Sequence[Write]) -> list[Tagged]:
    """Writes of a journal as they are sent."""
    return [Tagged(type(write).__name__, msgspec.Raw(encode(_numbers(write)))) for write in writes]


def _numbers(write: Write) -> Write:
    """No marks may be False, which every store keeps as 0."""
    return write._replace(flags=int(write.flags)) if isinstance(write, (CallRow, Reached)) else write


def writes_of(sent: Sequence[Tagged]) -> list[Write]:
    """Writes of a journal as they came. Raises `Malformed`."""
    found = []
    for kind, row in sent:
        decoder = _WRITES.get(kind)
        if decoder is None:
            raise Malformed(f"there is no write of a journal named {kind!r}")
        found.append(cast(Write, _decoded(decoder, row, f"no {kind}")))
    return found


def _decoded(decoder: msgspec.msgpack.Decoder[Any], body: bytes | msgspec.Raw, flaw: str) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Malformed(f"these bytes are {flaw}: {error}") from None


def refused(error: DurableError) -> Refused:
    """An error as it is sent."""
    named = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _ERRORS)
    return Refused(named, error.message)


def error_of(status: int, code: str, message: str) -> DurableError:
    """The error that the client raises."""
    kind = _ERRORS.get(code)
    return ServerRefused(status, f"the server answered {status}: {message}") if kind is None else kind(message)


def translated(until: float, theirs: float, ours: float) -> float:
    """The end of a lease, of a wall clock that shows `theirs`, by one that shows `ours` at the same time."""
    left = until - theirs
    return ours + left if left > 0 else min(until, ours)


def newer(version: str | None) -> str | None:
    """The version of a protocol that is not ours; None where it is."""
    return None if version == str(PROTOCOL) else version or "none"
