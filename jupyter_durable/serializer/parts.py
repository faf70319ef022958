"""What a value is made of: its parts, and how their bytes become those of the whole.

Rules of this file
- Every encoding begins with a tag and gives the length of what follows, so that no two values share bytes.
- An encoder answers bytes where a value has no parts that need a walk, else `Parts`. It never walks itself.
- Content is read by the methods of the builtin type (`dict.items(value)`), never by those of a subclass, which may run
  the user's code.
- A long text counts by its hash, and a long flat sequence is looked at in pieces: Python writes a megabyte of bytes in
  12 ms and a million floats in 400, and what has begun cannot be given up.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from blake3 import blake3

__all__ = [
    "AS_THEY_ARE", "FLAT", "ITEMS", "MANY", "PAIRS", "Encode", "Encoded", "Names", "Parts", "Piece", "atom", "frame",
    "group", "is_plain", "known", "mapping", "odd_nan", "piece", "sequence", "sorted_items", "tagged", "wrapped",
]  # fmt: skip

FLAT: Final = frozenset({type(None), bool, int, float, str, bytes})
"""Types whose `ascii` is their value; only where the type is exact. A NaN with a payload is told apart (`odd_nan`)."""
AS_THEY_ARE, ITEMS, PAIRS = 0, 1, 2
"""Order of parts: as given, sorted by their bytes, or keys and values in turn, sorted by the bytes of the keys."""

LONG: Final = 64 * 1024
"""Texts and bytes that are longer count by their hash."""
MANY: Final = 256
"""A flat sequence of more items is looked at in pieces."""
PIECE: Final = 1024
_CODES: Final = {float: "d", int: "q"}
_NUMBERS: Final = FLAT - {str, bytes}
_is_str: Final = frozenset({str}).issuperset
_NAN: Final = struct.pack("<d", math.nan)


class Parts(NamedTuple):
    """A value in parts. A part may be `Parts` itself."""

    parts: Sequence[Any]
    whole: Callable[[Sequence[bytes]], bytes]
    """The bytes of the value from those of its parts, in the order in which they are to stand."""
    order: int = AS_THEY_ARE


class Names(Protocol):
    """What an encoder asks about classes and functions."""

    def name_of(self, kind: type) -> bytes:
        """The name of a class; that of a notebook's class says what its body is."""

    def code_of(self, value: Any) -> bytes | None:
        """The code of a function or class of the notebook or a local module; None where the name says it all."""

    def described(self, value: Any) -> Encoded:
        """A value without a canonical form, as the pickler sees it; what holds it is weak."""


Encoded: TypeAlias = bytes | Parts
Encode: TypeAlias = Callable[[Names, Any], Encoded]


def frame(tag: bytes, *parts: bytes) -> bytes:
    """`parts` under a tag of one letter, each with its length."""
    return tag + b"%d" % len(parts) + b"".join([b":%d:%b" % (len(part), part) for part in parts])


def tagged(tag: bytes, *before: bytes) -> Callable[[Sequence[bytes]], bytes]:
    """A `whole`: the parts in one frame, after what is known already."""
    return lambda got: frame(tag, *before, *got)


def wrapped(tag: bytes, inner: Encoded, *before: bytes) -> Encoded:
    """`inner` as the last part of a frame, after what is known already."""
    if isinstance(inner, bytes):
        return frame(tag, *before, inner)
    parts, whole, order = inner
    return Parts(parts, lambda got: frame(tag, *before, whole(got)), order)


def group(tag: bytes, *inner: Encoded) -> Encoded:
    """Several encodings in one frame."""
    if all(isinstance(each, bytes) for each in inner):
        return frame(tag, *inner)  # type: ignore[arg-type]
    return Parts([known(each) if isinstance(each, bytes) else each for each in inner], tagged(tag))


def known(encoding: bytes) -> Parts:
    """Bytes that are known already, as a part."""
    return Parts((), lambda _: encoding)


def odd_nan(value: object) -> bool:
    """Whether this is a float that `ascii` does not tell from another one: a NaN with a sign or a payload."""
    return type(value) is float and value != value and struct.pack("<d", value) != _NAN


def is_plain(items: Iterable[Any]) -> bool:
    """Whether all items are flat, and none is a long text. The fastest way for a few."""
    for item in items:
        kind = type(item)
        if kind is str or kind is bytes:
            if len(item) > LONG:
                return False
        elif kind not in _NUMBERS:
            return False
    return True


def _are_plain(kinds: set[type], items: Collection[Any]) -> bool:
    """The same for many items, of these types."""
    if not kinds <= FLAT:
        return False
    if kinds <= _NUMBERS:
        return True
    return max(map(len, items)) <= LONG if len(kinds) == 1 else is_plain(items)


def atom(value: Any) -> bytes:
    """A flat value."""
    kind = type(value)
    if (kind is str or kind is bytes) and len(value) > LONG:
        data = value if kind is bytes else value.encode("utf-8", "surrogatepass")
        return frame(b"a", kind.__name__.encode(), blake3(data).digest())
    try:
        return frame(b"a", b"nan" + struct.pack("<d", value) if odd_nan(value) else ascii(value).encode())
    except ValueError:  # an integer of more digits than Python turns into text
        return frame(b"a", hex(value).encode())


def _flat(values: Any, items: Sequence[Any]) -> bytes | None:
    """The text of short flat `items`, which stand in `values`, at the speed of C; None where it is not their value."""
    try:
        text = ascii(values)
    except ValueError:  # as above
        return None
    return None if "nan" in text and any(map(odd_nan, items)) else text.encode()


def sequence(items: list[Any] | tuple[Any, ...]) -> Encoded:
    """Items in order."""
    kinds = set(map(type, items))
    if not _are_plain(kinds, items):
        return Parts(items, tagged(b"S"))
    if len(items) > MANY:
        return _numbers(kinds, items) or Parts([*_pieces(items)], tagged(b"V"))
    text = _flat(items if type(items) is list else [*items], items)
    return frame(b"F", text) if text is not None else Parts(items, tagged(b"S"))


def _numbers(kinds: set[type], items: Sequence[Any]) -> bytes | None:
    """Many numbers of one type in binary, which takes a tenth of the time of their text."""
    code = _CODES.get(next(iter(kinds))) if len(kinds) == 1 else None
    if code is None:
        return None
    try:
        return frame(b"j", code.encode(), blake3(memoryview(array(code, items)).cast("B")).digest())
    except OverflowError:  # an integer of more than 64 bits
        return None


class Piece:
    """Some items of a long flat sequence."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items


def _pieces(items: Sequence[Any]) -> Iterator[Piece]:
    return (Piece(items[at : at + PIECE]) for at in range(0, len(items), PIECE))


def piece(_: Names, value: Piece) -> Encoded:
    """A piece, its floats in binary."""
    floats = array("d", [item for item in value.items if type(item) is float])
    others = [... if type(item) is float else item for item in value.items] if floats else [*value.items]
    try:
        return frame(b"j", floats.tobytes(), ascii(others).encode())
    except ValueError:  # as above
        return Parts(value.items, tagged(b"S"))


def mapping(value: dict[Any, Any]) -> Encoded:
    """Pairs, sorted by the bytes of their keys."""
    if not _is_str(map(type, value)):
        return Parts([part for pair in value.items() for part in pair], tagged(b"D"), PAIRS)
    keys = sorted(value)
    items = [value[key] for key in keys]
    if not _are_plain(set(map(type, items)), items):
        return Parts(items, partial(_named, keys))
    if len(items) > MANY:
        return Parts((keys, items), tagged(b"V"))
    text = _flat([*zip(keys, items, strict=True)], items)
    return frame(b"G", text) if text is not None else Parts(items, partial(_named, keys))


def _named(keys: list[str], got: Sequence[bytes]) -> bytes:
    return frame(b"M", *[part for key, item in zip(keys, got, strict=True) for part in (ascii(key).encode(), item)])


def sorted_items(items: Iterable[Any]) -> Parts:
    """Items in the order of their bytes."""
    return Parts([*items], tagged(b"U"), ITEMS)
