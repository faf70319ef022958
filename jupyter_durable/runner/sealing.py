"""Values on their way into a row and out of it: encoded, bound to their call by a MAC, in the row or in a blob.

Rules of this file
- What is stored is `codec`, bytes and a MAC over both and the call: its identity and attempt, and what it is matched by
  (`bound_to`: outcome, name, digest of the arguments), so that no row can pass for another one. Bytes above
  `INLINE_BYTES` are a blob; then the MAC is over the blob's BLAKE3, and its bytes are hashed again when it is read.
- *Sealed* bytes are the form for inputs and state: one byte codec, one byte length of the MAC, MAC, data. Out-of-band
  buffers follow the head in the data, each after its length, so that a sealed value is one piece.
- What every call needs is made by `tuple.__new__`: the constructor of a NamedTuple is a Python function, and what runs
  after an fsync costs five times its warm time.
- Nothing is decoded before its MAC was checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from jupyter_durable.core.model import CallRow
from jupyter_durable.errors import DeserializationError
from jupyter_durable.serializer.base import PICKLE, PLAIN, Context, Signer
from jupyter_durable.serializer.pickle import ValueSerializer
from jupyter_durable.store.base import INLINE_BYTES, BlobRefused, Buffer, Store

BLOB: Final = "+blob"
PREVIEW: Final = "preview"
_CODECS: Final = (PLAIN, PICKLE, PREVIEW)
PREVIEW_CHARACTERS: Final = 500
_new: Final = tuple.__new__


class Preview(str):
    """Stands for an argument that could not be stored: its text, shortened."""

    __slots__ = ()


class Kept(NamedTuple):
    """The columns of a stored value."""

    codec: str
    value: bytes | None
    blob: bytes | None
    mac: bytes | None


NOTHING: Final = Kept("", None, None, None)


def turn_of(pass_no: int, attempts: int) -> int:
    """The number of an attempt that a MAC is bound to."""
    return pass_no * 4096 + attempts


def bound_to(status: str, name: str, digest: bytes) -> str:
    """What a value is bound to besides its place: the outcome it is, and what its call is matched by."""
    return f"|{status}|{name}|{digest.hex()}"


class Sealer:
    """Encodes and signs the values of one request."""

    def __init__(self, request: str, store: Store, serializer: ValueSerializer, signer: Signer) -> None:
        self._request = request
        self._store = store
        self._serializer = serializer
        self._signer = signer
        self._sign = signer.sign
        self.refused: dict[bytes, BlobRefused] = {}
        """Large values that the store did not take, by the name they have in their rows."""

    def keep(self, value: Any, identity: int, turn: int, bound: str) -> Kept:
        """The columns for a value. Raises `SerializationError`, `CheckpointError`."""
        codec, head, buffers = self._serializer.encode(value)
        context: Context = _new(Context, (self._request, identity, turn))
        if not buffers and len(head) <= INLINE_BYTES:
            return _new(Kept, (codec, head, None, self._sign(context, codec + bound, head)))
        blob = self._put(head, buffers)
        return Kept(codec, None, blob, self._sign(context, codec + BLOB + bound, blob))

    def _put(self, head: bytes, buffers: Sequence[Buffer]) -> bytes:
        """The name of a large value. What the store refuses is in `refused`: its row must not be written before it."""
        try:
            return self._store.put_blob(head, buffers)
        except BlobRefused as refused:
            self.refused[refused.key] = refused
            return refused.key

    def open(self, row: CallRow) -> Any:
        """The value of a row. Raises `DeserializationError`."""
        context: Context = _new(Context, (self._request, row.identity, turn_of(row.pass_no, row.attempts)))
        if row.mac is None:
            raise DeserializationError(
                f"request {self._request}: {row.name} has no stored value (an earlier reduce value, or never stored)"
            )
        bound = bound_to(row.status, row.name, row.digest)
        if row.value is not None:
            self._signer.verify(context, row.codec + bound, row.value, row.mac)
            return self._serializer.decode(row.codec, row.value, [])
        if row.blob is None:
            raise DeserializationError(f"request {self._request}: the stored value of {row.name} is missing")
        self._signer.verify(context, row.codec + BLOB + bound, row.blob, row.mac)
        try:
            head, buffers = self._store.get_blob(row.blob)
        except DeserializationError as error:
            again = f'%durable replay {self._request} --rerun "{row.name}"'
            raise DeserializationError(f"the result of {row.name} cannot be served: {error}: {again}") from None
        return self._serializer.decode(row.codec, head, buffers)

    def seal(self, value: Any, identity: int, turn: int) -> bytes:
        """A value with its codec and MAC in one piece. Raises `SerializationError`."""
        codec, head, buffers = self._serializer.encode(value)
        return self._sealed(codec, _joined(head, buffers), identity, turn)

    def seal_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any], identity: int, turn: int, limit: int) -> bytes:
        """Arguments, or previews of them where they cannot be stored or are larger than `limit` bytes."""
        encoded = self._serializer.encode_arguments(args, kwargs, limit)
        if encoded is not None:
            return self._sealed(encoded.codec, _joined(encoded.head, ()), identity, turn)
        previews = (tuple(preview(value) for value in args), {name: preview(value) for name, value in kwargs.items()})
        _, head, _ = self._serializer.encode(previews)
        return self._sealed(PREVIEW, _joined(head, ()), identity, turn)

    def transferred(self, row: CallRow, to: Sealer, turn: int) -> bytes | None:
        """The MAC of a copied call in another request, once the one it has was checked."""
        if row.mac is None:
            return None
        codec, data = (row.codec, row.value) if row.value is not None else (row.codec + BLOB, row.blob or b"")
        codec += bound_to(row.status, row.name, row.digest)
        before = turn_of(row.pass_no, row.attempts)
        self._signer.verify(Context(self._request, row.identity, before), codec, data, row.mac)
        return to._sign(Context(to._request, row.identity, turn), codec, data)

    def seal_again(self, sealed: bytes | None, old: Sealer, identity: int, turns: tuple[int, int]) -> bytes | None:
        """Sealed bytes of another request under this one's MAC, without decoding them. `turns`: theirs and ours."""
        if sealed is None:
            return None
        codec, mac, data = _opened(sealed)
        old._signer.verify(Context(old._request, identity, turns[0]), codec + "@", data, mac)
        return self._sealed(codec, data, identity, turns[1])

    def _sealed(self, codec: str, head: bytes, identity: int, turn: int) -> bytes:
        mac = self._sign(_new(Context, (self._request, identity, turn)), codec + "@", head)
        return b"%c%c%b%b" % (_CODECS.index(codec), len(mac), mac, head)

    def unseal(self, sealed: bytes, identity: int, turn: int) -> tuple[Any, bool]:
        """The value, and whether it is only a preview. Raises `DeserializationError`."""
        codec, mac, head = _opened(sealed)
        self._signer.verify(Context(self._request, identity, turn), codec + "@", head, mac)
        first, *buffers = _split(head)
        return self._serializer.decode(PLAIN if codec == PREVIEW else codec, bytes(first), buffers), codec == PREVIEW


def _opened(sealed: bytes) -> tuple[str, bytes, bytes]:
    """Codec, MAC and data of sealed bytes; nothing of it is checked yet."""
    if len(sealed) < 2 or sealed[0] >= len(_CODECS):
        raise DeserializationError("a sealed value is damaged: it does not begin as one")
    end = 2 + sealed[1]
    return _CODECS[sealed[0]], sealed[2:end], sealed[end:]


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
    return text if len(text) <= PREVIEW_CHARACTERS else text[: PREVIEW_CHARACTERS - 1] + "…"
