"""What a value is made of: its parts, and how their bytes become those of the whole.

Rules of this file
- Every encoding begins with a tag and gives the length of what follows, so that no two values share bytes.
- An encoder answers bytes where a value has no parts that need a walk, else `Parts`. It never walks itself.
- Content is read by the methods of the builtin type (`dict.items(value)`), never by those of a subclass, which may run
  the user's code.
- A long text counts by its hash, and a long flat sequence is looked at in pieces: Python writes a megabyte of bytes in
  12 ms and a million floats in 400, and what has begun cannot be given up.
- Texts that are long only in sum count by their hashes, too. Long integers are written one by one and by sixteens: in
  decimal they take the square of their length.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from blake3 import blake3

from jupyter_durable.records import NamedTuple

__all__ = [
    "AS_THEY_ARE", "FEW", "FLAT", "ITEMS", "MANY", "PAIRS", "ROOM", "Encode", "Encoded", "Names", "Parts", "Piece",
    "atom", "frame", "group", "is_plain", "known", "mapping", "odd_nan", "piece", "room_after", "sequence",
    "sorted_items", "tagged", "wrapped", "written",
]  # fmt: skip

FLAT: Final = frozenset({type(None), bool, int, float, str, bytes})
"""Types whose `ascii` is their value; only where the type is exact. A NaN with a payload is told apart (`odd_nan`)."""
AS_THEY_ARE, ITEMS, PAIRS = 0, 1, 2
"""Order of parts: as given, sorted by their bytes, or keys and values in turn, sorted by the bytes of the keys."""

LONG: Final = 64 * 1024
"""Texts and bytes that are longer count by their hash."""
ROOM: Final = 8 * LONG
"""So many characters are written as one text. Of more in sum, those longer than `SHORT` count by their hashes."""
SHORT: Final = 1024
WIDE: Final = 1 << 2048
"""Integers from here on are written by sixteens."""
HUGE: Final = 8 * LONG
"""Integers of more bits count by their hash."""
MANY: Final = 256
"""A flat sequence of more items is looked at in pieces."""
FEW: Final = 8
"""So many items are not looked at together."""
SOME: Final = 32
"""So many integers are written as text, however long they are: Python refuses those of too many digits."""
PIECE: Final = 1024
KEYS: Final = 512
KEY: Final = 64
"""Keys of a dict of no more characters are names: so many in all, and for each of them."""
_CODES: Final = {float: "d", int: "q"}
_NUMBERS: Final = FLAT - {str, bytes}
_are_numbers: Final = _NUMBERS.issuperset
_is_str: Final = frozenset({str}).issuperset
_NAN: Final = struct.pack("<d", math.nan)


class Parts(NamedTuple):
    """A value in parts. A part may be `Parts` itself."""

    parts: Sequence[Any]
    whole: Callable[[Sequence[bytes]], bytes]
    """The bytes of the value from those of its parts, in the order in which they are to stand."""
    order: int = AS_THEY_ARE
    written: int = 0
    """About so many bytes of text are written by `whole`, beside those of the parts."""


class Names(Protocol):
    """What an encoder asks about classes and functions."""

    def name_of(self, kind: type) -> bytes:
        """The name of a class; that of a notebook's class says what its body is."""

    def code_of(self, value: Any) -> bytes | None:
        """The code of a function or class of the notebook or a local module; None where the name says it all."""

    def read_by(self, value: Any) -> Mapping[str, object]:
        """What such a function or class reads, beside the plain data that its code counts with."""

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
    parts, whole, order, written = inner
    return Parts(parts, lambda got: frame(tag, *before, whole(got)), order, written)


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


def room_after(items: Iterable[Any], room: int) -> int:
    """What is left of so much room after the text of these items; below zero also if one is long or not flat.

    The fastest way for a few.
    """
    for item in items:
        kind = type(item)
        if kind is str or kind is bytes:
            size = len(item)
            if size > LONG:
                return -1
            room -= size
        elif kind is int:
            if not -WIDE < item < WIDE:
                room -= item.bit_length() ** 2 >> 13
        elif kind not in _NUMBERS:
            return -1
    return room


def is_plain(items: Collection[Any]) -> bool:
    """Whether all items are flat, and none is long, nor all together. The fastest way for a few."""
    if len(items) > FEW:
        return (len(items) <= SOME and _are_numbers(map(type, items))) or room_after(items, ROOM) >= 0
    for item in items:
        kind = type(item)
        if kind is str or kind is bytes:
            if len(item) > LONG:
                return False
        elif kind not in _NUMBERS:
            return False
    return True


def _are_short(kinds: set[type], items: Collection[Any]) -> bool:
    """Whether no flat item is long. The fastest way for many of these types."""
    if not items:
        return True
    if len(kinds) == 1:
        if int in kinds:
            return bool(min(items) > -WIDE and max(items) < WIDE)
        return kinds <= _NUMBERS or max(map(len, items)) <= LONG
    return (int not in kinds and kinds <= _NUMBERS) or all(map(_is_short, items))


def _is_short(item: Any) -> bool:
    kind = type(item)
    if kind is str or kind is bytes:
        return len(item) <= LONG
    return kind is not int or -WIDE < item < WIDE


def _length(items: Iterable[Any]) -> int:
    """Characters of the texts among flat items."""
    return sum([len(item) for item in items if type(item) is str or type(item) is bytes])


def written(items: Iterable[Any]) -> int:
    """About so many bytes are written for texts that are not long; the escapes of others than ASCII are longer."""
    return sum([
        len(item) * (1 if item.isascii() else 6 if type(item) is str else 4)
        for item in items
        if (type(item) is str or type(item) is bytes) and len(item) <= LONG
    ])  # fmt: skip


def _hashed(items: Iterable[Any]) -> list[Any]:
    """The items, with texts that are not short by their hashes."""
    return [
        known(_hash(item)) if (type(item) is str or type(item) is bytes) and len(item) > SHORT else item
        for item in items
    ]


def _hash(text: str | bytes) -> bytes:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return frame(b"a", type(text).__name__.encode(), blake3(data).digest())


def atom(value: Any) -> bytes:
    """A flat value."""
    kind = type(value)
    if (kind is str or kind is bytes) and len(value) > LONG:
        return _hash(value)
    if kind is int and not -WIDE < value < WIDE:
        return frame(b"a", hex(value).encode() if value.bit_length() <= HUGE else _hash_of_int(value))
    return frame(b"a", b"nan" + struct.pack("<d", value) if odd_nan(value) else ascii(value).encode())


def _hash_of_int(value: int) -> bytes:
    return b"int" + blake3(value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)).digest()


def _flat(values: Any, items: Sequence[Any]) -> bytes | None:
    """The text of short flat `items`, which stand in `values`, at the speed of C; None where it is not their value."""
    text = ascii(values)
    return None if "nan" in text and any(map(odd_nan, items)) else text.encode()


def sequence(items: list[Any] | tuple[Any, ...]) -> Encoded:
    """Items in order."""
    if len(items) <= MANY and room_after(items, SHORT) >= 0:
        text = _flat(items if type(items) is list else [*items], items)
        return frame(b"F", text) if text is not None else Parts(items, tagged(b"S"))
    kinds = set(map(type, items))
    if not kinds <= FLAT:
        return Parts(items, tagged(b"S"))
    if len(items) > MANY:
        return _numbers(kinds, items) or Parts([*_pieces(items)], tagged(b"V"))
    long = _long(kinds, items)
    if long is not None:
        return long
    if any(map(odd_nan, items)):
        return Parts(items, tagged(b"S"))
    values = items if type(items) is list else [*items]
    return Parts((), lambda _: frame(b"F", ascii(values).encode()), written=written(items))


def _long(kinds: set[type], items: Sequence[Any]) -> Parts | None:
    """Flat items of these types one by one, where one of them is long, or all together; else None."""
    if not kinds <= _NUMBERS and _length(items) > ROOM:
        return Parts(_hashed(items), tagged(b"S"))
    return None if _are_short(kinds, items) else Parts(items, tagged(b"S"))


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
    long = _long(set(map(type, value.items)), value.items)
    if long is not None:
        return long
    floats = array("d", [item for item in value.items if type(item) is float])
    others = [... if type(item) is float else item for item in value.items] if floats else [*value.items]
    return frame(b"j", floats.tobytes(), ascii(others).encode())


def mapping(value: dict[Any, Any]) -> Encoded:
    """Pairs, sorted by the bytes of their keys."""
    if not _is_str(map(type, value)):
        return Parts([part for pair in value.items() for part in pair], tagged(b"D"), PAIRS)
    keys = sorted(value)
    items = [value[key] for key in keys]
    length = sum(map(len, keys))
    if len(items) <= MANY and room_after(items, SHORT - length) >= 0:
        text = _flat([*zip(keys, items, strict=True)], items)
        return frame(b"G", text) if text is not None else Parts(items, partial(_named, keys))
    kinds = set(map(type, items))
    flat = kinds <= FLAT
    if flat and (len(items) > MANY or length + _length(items) > ROOM):
        return Parts((keys, items), tagged(b"V"))
    if not flat or not _are_short(kinds, items):
        # Names are no work. Keys that are long are looked at as a sequence, which is.
        usual = length <= KEYS + KEY * len(keys)
        return Parts(items, partial(_named, keys)) if usual else Parts((keys, items), tagged(b"V"))
    if any(map(odd_nan, items)):
        return Parts(items, partial(_named, keys))
    pairs = [*zip(keys, items, strict=True)]
    return Parts((), lambda _: frame(b"G", ascii(pairs).encode()), written=written(keys) + written(items))


def _named(keys: list[str], got: Sequence[bytes]) -> bytes:
    return frame(b"M", *[part for key, item in zip(keys, got, strict=True) for part in (ascii(key).encode(), item)])


def sorted_items(items: Iterable[Any]) -> Parts:
    """Items in the order of their bytes."""
    return Parts([*items], tagged(b"U"), ITEMS)
