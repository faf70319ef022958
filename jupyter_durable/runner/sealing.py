"""Values on their way into a row and out of it: encoded, and vouched for with the row they stand in.

Rules of this file
- A row of a call is signed whole (`vouching.call_record`): its values, its arguments, its state and what it is matched
  by cannot be exchanged for those of another call, column or request. Bytes above `INLINE_BYTES` are a blob; then the
  MAC is over the blob's BLAKE3, and its bytes are hashed again when it is read.
- *Packed* bytes are the form for inputs and state: one byte codec, one byte length of a MAC of format 1 (0 since then),
  that MAC, data. Out-of-band buffers follow the head in the data, each after its length: a packed value is one piece.
- What every call needs is made by `tuple.__new__`: the constructor of a NamedTuple is a Python function, and what runs
  after an fsync costs five times its warm time.
- Nothing is decoded before its MAC was checked, and nothing is a value that no MAC vouches for. A request that was
  accepted before format 2 may hold rows that format 1 vouches for, until they are written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final, NoReturn, TypeVar

from jupyter_durable.code.credentials import masked
from jupyter_durable.core.model import (
    ArgumentsDecide,
    CallRow,
    Dropped,
    Flag,
    Kind,
    NewRequest,
    Reached,
    RequestRow,
    Status,
)
from jupyter_durable.errors import DeserializationError
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.vouching import (
    CALL,
    PLACE,
    REQUEST,
    call_record,
    is_old,
    may_lack_places,
    place_record,
    request_record,
)
from jupyter_durable.serializer.base import PICKLE, PLAIN, Context, Signer, Voucher
from jupyter_durable.serializer.pickle import ValueSerializer
from jupyter_durable.serializer.signing import CHANGED
from jupyter_durable.store.base import INLINE_BYTES, BlobRefused, Buffer, Store

BLOB: Final = "+blob"
PREVIEW: Final = "preview"
_CODECS: Final = (PLAIN, PICKLE, PREVIEW)
PREVIEW_CHARACTERS: Final = 500
_new: Final = tuple.__new__
_Place = TypeVar("_Place", Reached, ArgumentsDecide)


class Preview(str):
    """Stands for an argument that could not be stored: its text, shortened."""

    __slots__ = ()


class Kept(NamedTuple):
    """The columns of a stored value."""

    codec: str
    value: bytes | None
    blob: bytes | None


NOTHING: Final = Kept("", None, None)


def turn_of(pass_no: int, attempts: int) -> int:
    """The number of an attempt that a MAC of format 1 is bound to."""
    return pass_no * 4096 + attempts


def _bound_to(row: CallRow) -> str:
    """What a value of format 1 is bound to besides its place: the outcome it is, and what its call is matched by."""
    return f"|{row.status}|{row.name}|{row.digest.hex()}"


class Sealer:
    """Encodes and signs the values of one request."""

    def __init__(self, request: str, store: Store, serializer: ValueSerializer, signer: Signer) -> None:
        self._request = request
        self._store = store
        self._serializer = serializer
        self._signer = signer
        voucher = signer.voucher(CALL, request)
        self._sign, self._flaw = voucher.sign, voucher.flaw
        self.refused: dict[bytes, BlobRefused] = {}
        """Large values that the store did not take, by the name they have in their rows."""

    # writing

    def keep(self, value: Any) -> Kept:
        """The columns for a value. Raises `SerializationError`, `CheckpointError`."""
        codec, head, buffers = self._serializer.encode(value)
        if not buffers and len(head) <= INLINE_BYTES:
            return _new(Kept, (codec, head, None))
        return Kept(codec, None, self._put(head, buffers))

    def pack(self, value: Any) -> bytes:
        """A value with its codec in one piece. Raises `SerializationError`."""
        codec, head, buffers = self._serializer.encode(value)
        return _packed(codec, _joined(head, buffers))

    def pack_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any], limit: int) -> bytes:
        """Arguments, or previews of them where they cannot be stored or are larger than `limit` bytes."""
        encoded = self._serializer.encode_arguments(args, kwargs, limit)
        if encoded is not None:
            return _packed(encoded.codec, _joined(encoded.head, ()))
        previews = (tuple(preview(value) for value in args), {name: preview(value) for name, value in kwargs.items()})
        _, head, _ = self._serializer.encode(previews)
        return _packed(PREVIEW, _joined(head, ()))

    def signed(self, columns: tuple[Any, ...]) -> CallRow:
        """A row of these columns, with its MAC in the place of what stands there."""
        mac = self._sign(call_record(columns))
        return _new(CallRow, (*columns[:16], mac, *columns[17:]))

    def dropped(self, row: CallRow) -> Dropped:
        """The write that takes the value out of a row whose value was opened."""
        without = row._replace(codec="", value=None, blob=None)
        return Dropped(row.parent, row.identity, self._sign(call_record(without)))

    def copied(self, row: CallRow, to: Sealer, place: tuple[int, int]) -> CallRow:
        """A row in another request and at another place, once its MACs were checked."""
        self.check(row)
        status = Status.INTERRUPTED if row.status == Status.RUNNING else row.status
        copy = row._replace(
            pass_no=place[0], seq=place[1], status=status, inputs=self._bare(row, row.inputs),
            writes=self._bare(row, row.writes),
        )  # fmt: skip
        return to.signed(copy)

    def _bare(self, row: CallRow, packed: bytes | None) -> bytes | None:
        """Packed bytes without the MAC of format 1 that they may carry."""
        if packed is None:
            return None
        codec, head = self._unpacked(row, packed)
        return _packed(codec, head)

    # where calls stood

    @cached_property
    def _places(self) -> Voucher:
        return self._signer.voucher(PLACE, self._request)

    def placed(self, places: Iterable[_Place]) -> list[_Place]:
        """Stretches of reused calls, or decisions for arguments, each with its MAC."""
        return [place._replace(mac=self._places.sign(place_record(place))) for place in places]

    def sound(self, places: Sequence[_Place]) -> Sequence[_Place]:
        """The same as they were read. Raises `DeserializationError` for one that this user's key does not vouch for."""
        for place in places:
            flaw = self._places.flaw(place_record(place), place.mac)
            if flaw is None or (place.mac is None and may_lack_places(self._request)):
                continue
            raise DeserializationError(
                f"where the calls below call {place.parent} of request {self._request} stood in an earlier run "
                f"{flaw}, so nothing is served by it. `%durable fork {self._request}` goes on without it"
            )
        return places

    # the request

    def vouched(self, new: NewRequest) -> NewRequest:
        """A request to accept, with its MAC."""
        return new._replace(mac=self.mac_of(new))

    def mac_of(self, request: NewRequest | RequestRow) -> bytes:
        """The MAC of a request as it is or will be."""
        return self._signer.voucher(REQUEST, self._request).sign(request_record(request))

    def flaw_of(self, row: RequestRow) -> str | None:
        """Why nobody vouches for a request; None when this user's key does."""
        return self._signer.voucher(REQUEST, self._request).flaw(request_record(row), row.mac)

    def input(self, row: RequestRow) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the root of a request that was checked. Raises `DeserializationError`."""
        codec, mac, head = _taken_apart(row.input or b"")
        if row.mac is None or mac:
            self._signer.verify(Context(self._request, 0, 0), codec + "@", head, mac)
        first, *buffers = _split(head)
        value = self._serializer.decode(codec, bytes(first), buffers)
        if not isinstance(value, tuple) or not _is_arguments(value):
            raise DeserializationError(f"the input of request {self._request} holds no arguments")
        arguments: tuple[tuple[Any, ...], dict[str, Any]] = value
        return arguments

    def input_is_old(self, row: RequestRow) -> None:
        """Whether the input of a request was signed by format 1. Raises `DeserializationError`."""
        codec, mac, head = _taken_apart(row.input or b"")
        self._signer.verify(Context(self._request, 0, 0), codec + "@", head, mac)

    # reading

    def check(self, row: CallRow) -> None:
        """Whether this user's key vouches for a row. Raises `DeserializationError`, which says what to do."""
        flaw = self._flaw(call_record(row), row.mac)
        if flaw is not None:
            self._check_old(row, flaw)

    def _put(self, head: bytes, buffers: Sequence[Buffer]) -> bytes:
        """The name of a large value. What the store refuses is in `refused`: its row must not be written before it."""
        try:
            return self._store.put_blob(head, buffers)
        except BlobRefused as refused:
            self.refused[refused.key] = refused
            return refused.key

    def open(self, row: CallRow) -> Any:
        """The value of a row. Raises `DeserializationError`."""
        flaw = self._flaw(call_record(row), row.mac)
        if flaw is not None:
            self._check_old(row, flaw)
        if row.value is not None:
            return self._rebuilt(row, row.value, [])
        if row.blob is None:
            raise DeserializationError(
                f"request {self._request}: {row.name} has no stored value (an earlier reduce value, or never stored)"
            )
        try:
            head, buffers = self._store.get_blob(row.blob)
        except DeserializationError as error:
            raise self._unserved(row, error) from None
        return self._rebuilt(row, head, buffers)

    def _rebuilt(self, row: CallRow, head: bytes, buffers: list[memoryview]) -> Any:
        try:
            return self._serializer.decode(row.codec, head, buffers)
        except DeserializationError as error:
            raise self._unserved(row, error) from error

    def _unserved(self, row: CallRow, error: DeserializationError) -> DeserializationError:
        again = f'%durable replay {self._request} --rerun "{row.name}"'
        return DeserializationError(f"the result of {row.name} cannot be served: {error}: {again}")

    def inputs(self, row: CallRow) -> tuple[tuple[tuple[Any, ...], dict[str, Any]], bool]:
        """The kept arguments of a row, and whether they are only previews. Raises `DeserializationError`."""
        self.check(row)
        value, only_previews = self._opened(row, row.inputs or b"")
        if not _is_arguments(value):
            raise DeserializationError(f"the arguments of {row.name} in request {self._request} are none; {RERUN}")
        return value, only_previews

    def written(self, row: CallRow) -> dict[str, Any]:
        """The state that a row wrote; the row was checked. Raises `DeserializationError`."""
        value, _ = self._opened(row, row.writes or b"")
        if not isinstance(value, dict):
            raise DeserializationError(f"the state that {row.name} of request {self._request} wrote is none; {RERUN}")
        return value

    def _opened(self, row: CallRow, packed: bytes) -> tuple[Any, bool]:
        codec, head = self._unpacked(row, packed)
        first, *buffers = _split(head)
        return self._serializer.decode(PLAIN if codec == PREVIEW else codec, bytes(first), buffers), codec == PREVIEW

    def _unpacked(self, row: CallRow, packed: bytes) -> tuple[str, bytes]:
        """Codec and data of packed bytes in a row that was checked."""
        codec, mac, head = _taken_apart(packed)
        if row.mac is None or len(row.mac) == OLD_MAC_BYTES:
            place = Context(self._request, row.identity, turn_of(row.pass_no, row.attempts))
            self._signer.verify(place, codec + "@", head, mac)
        return codec, head

    def _check_old(self, row: CallRow, flaw: str) -> None:
        """Whether format 1 vouches for a row. What has no value had no MAC there."""
        if not is_old(self._request):
            self._refuse(row, flaw)
        if row.mac is None:
            if row.value is None and row.blob is None and _may_lack(row):
                return
            self._refuse(row, flaw)
        if len(row.mac) != OLD_MAC_BYTES:
            self._refuse(row, flaw)
        context = Context(self._request, row.identity, turn_of(row.pass_no, row.attempts))
        codec, data = (row.codec, row.value) if row.value is not None else (row.codec + BLOB, row.blob or b"")
        self._signer.verify(context, codec + _bound_to(row), data, row.mac)

    def _refuse(self, row: CallRow, flaw: str) -> NoReturn:
        raise DeserializationError(f"{row.name} (call {row.identity} of request {self._request}) {not_loaded(flaw)}")


OLD_MAC_BYTES: Final = 36
RERUN: Final = "replay the request with rerun= that call, which makes it anew"
TRUST: Final = "If you trust whoever wrote this store, get that user's key file: `%durable trust PATH_OF_KEY`"


def not_loaded(flaw: str) -> str:
    """The end of a message about a record that nobody here vouches for."""
    if flaw == CHANGED:
        return f"{flaw}, so it is not loaded. {RERUN.capitalize()}"
    return f"{flaw}, so it is not loaded. {TRUST}"


def _may_lack(row: CallRow) -> bool:
    """Whether format 1 wrote rows like this one without a value."""
    return (
        row.status != Status.SUCCEEDED
        or row.kind in (Kind.MAP, Kind.REDUCE, Kind.REDUCE_STEP)
        or bool(row.flags & Flag.NOT_STORED)
    )


def _is_arguments(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], tuple) and isinstance(value[1], dict)


def _packed(codec: str, head: bytes) -> bytes:
    return b"%c\0%b" % (_CODECS.index(codec), head)


def _taken_apart(packed: bytes) -> tuple[str, bytes, bytes]:
    """Codec, MAC of format 1 and data of packed bytes."""
    if len(packed) < 2 or packed[0] >= len(_CODECS):
        raise DeserializationError("a stored value is damaged: it does not begin as one")
    end = 2 + packed[1]
    return _CODECS[packed[0]], packed[2:end], packed[end:]


def _joined(head: bytes, buffers: Sequence[memoryview]) -> bytes:
    if not buffers:
        return b"\0" + head
    parts: list[bytes | memoryview] = [b"\1", len(head).to_bytes(8, "little"), head]
    for buffer in buffers:
        raw = buffer.cast("B") if buffer.format != "B" or buffer.ndim != 1 else buffer
        parts += [raw.nbytes.to_bytes(8, "little"), raw]
    return b"".join(parts)


def _split(data: bytes) -> list[memoryview]:
    if data[:1] == b"\0":
        return [memoryview(data)[1:]]
    whole, at, parts = memoryview(bytearray(data)), 1, []
    while at < len(whole):
        size = int.from_bytes(whole[at : at + 8], "little")
        parts.append(whole[at + 8 : at + 8 + size])
        at += 8 + size
    return parts


def preview(value: Any) -> str:
    """A value in short, in one line of text; never raises because of the value."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ was called
        text = f"<{type(value).__name__}: repr failed with {type(error).__name__}>"
    text = masked(text[: 4 * PREVIEW_CHARACTERS])
    return text if len(text) <= PREVIEW_CHARACTERS else text[: PREVIEW_CHARACTERS - 1] + "…"
