"""A large value as bytes: how it is laid out, what names it, and how it is read back.

Format: magic, length of the head, number of buffers, (offset, length) of each buffer, the head, then the buffers, each
at a multiple of 64 bytes. All numbers are 64 bits, little endian. Its name is the BLAKE3 of all of that, so that it has
the same name in every store.

Rules of this file
- Nothing is handed out before its hash was checked. The head is copied out first and hashed from that copy: with a
  shared mapping another process could change opcodes after the check.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from blake3 import blake3

from jupyter_durable.errors import StoreError
from jupyter_durable.store.base import BlobRefused, Buffer

_MAGIC: Final = b"JDBLOB1\n"
_START: Final = struct.Struct("<8sQQ")
_ENTRY: Final = struct.Struct("<QQ")
_ALIGN: Final = 64


def hashed(pieces: Iterable[memoryview]) -> bytes:
    """The name of a value."""
    hasher = blake3()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


def refused(reason: StoreError, head: bytes, buffers: Sequence[Buffer]) -> BlobRefused:
    """The error that holds a value which could not be written."""
    copies = [bytes(buffer) for buffer in buffers]
    return BlobRefused(reason, hashed(pieces_of(head, copies)), head, copies)


def pieces_of(head: bytes, buffers: Sequence[Buffer]) -> list[memoryview]:
    """The value as a list of memory pieces; no buffer is copied."""
    flat = [memoryview(b).cast("B") if memoryview(b).nbytes else memoryview(b"") for b in buffers]
    at = _START.size + _ENTRY.size * len(flat) + len(head)
    prefix = bytearray(_START.pack(_MAGIC, len(head), len(flat)))
    padded: list[memoryview] = []
    for buffer in flat:
        gap = -at % _ALIGN
        prefix += _ENTRY.pack(at + gap, len(buffer))
        padded += [memoryview(bytes(gap)), buffer]
        at += gap + len(buffer)
    return [memoryview(bytes(prefix) + head), *padded]


def checked(data: memoryview, key: bytes) -> tuple[bytes, list[memoryview]] | None:
    """Head and buffers of a value whose hash is `key`; None when it is not."""
    if len(data) < _START.size:
        return None
    magic, head_length, count = _START.unpack(bytes(data[: _START.size]))
    end = _START.size + _ENTRY.size * count + head_length
    if magic != _MAGIC or end > len(data):
        return None
    prefix = bytes(data[:end])
    hasher = blake3(prefix)
    hasher.update(data[end:])
    if hasher.digest() != key:
        return None
    # Parsed from the copy that was hashed, never from the mapping.
    _, head_length, count = _START.unpack_from(prefix)
    table = _ENTRY.iter_unpack(prefix[_START.size : _START.size + _ENTRY.size * count])
    return prefix[end - head_length :], [data[offset : offset + length] for offset, length in table]
