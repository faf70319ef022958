"""How values become bytes and what vouches for them.

Rules of this file
- `plain` is a non-executing codec: pickle protocol 5 that holds no global, loaded by an unpickler that knows none.
  It covers None, bool, int, float, complex-free numbers, str, bytes, bytearray, list, tuple, dict, set, frozenset.
- `pickle` (cloudpickle, protocol 5, out-of-band buffers) is used only where `plain` cannot; it may run code on load.
- There is no fallback on read: a value is decoded by the codec it was written with, after its MAC was checked.
"""

from __future__ import annotations

from typing import Final, Protocol

from jupyter_durable.records import NamedTuple

PLAIN: Final = "plain"
PICKLE: Final = "pickle"

Buffer = bytes | bytearray | memoryview


class Encoded(NamedTuple):
    """A value as bytes; `buffers` are the out-of-band buffers of `head`, empty for small and plain values."""

    codec: str
    head: bytes
    buffers: tuple[memoryview, ...] = ()


class Context(NamedTuple):
    """What a MAC of format 1 binds a value to, besides its bytes."""

    request: str
    identity: int
    attempt: int
    """`pass_no` and attempts folded into one number by the runner."""


class Serializer(Protocol):
    def encode(self, value: object) -> Encoded:
        """Raises `SerializationError` that names the path of what cannot be stored."""

    def decode(self, codec: str, head: bytes, buffers: list[memoryview]) -> object:
        """Raises `DeserializationError`."""


class Voucher(Protocol):
    """Vouches for the records of one domain and request."""

    def sign(self, record: bytes) -> bytes:
        """The MAC of a record."""

    def flaw(self, record: bytes, mac: bytes | None) -> str | None:
        """Why nobody vouches for a record, in words; None when this user's key does."""


class Signer(Protocol):
    """The keys of a user."""

    def voucher(self, domain: str, request: str = "") -> Voucher:
        """What vouches for the records of a domain, and of one request."""

    def verify(self, context: Context, codec: str, data: bytes, mac: bytes) -> None:
        """Format 1. Raises `DeserializationError` naming the request and the remedy when the MAC is not ours."""
