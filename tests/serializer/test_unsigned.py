"""Plain bytes for which no MAC vouches: they ask for no more memory than they are long, or are refused."""

from __future__ import annotations

import pickle
import struct
from typing import Any

import pytest

from jupyter_durable.errors import DeserializationError
from jupyter_durable.serializer.pickle import ValueSerializer, decode_unsigned

VALUES: list[Any] = [
    None, True, -7, 2**40, 2**3000, 0.5, "x" * 300, "x" * 70_000, b"y", b"y" * 70_000, [1, [2]], (), (1,), (1, 2, 3, 4),
    {"a": {"b": [None]}}, set(range(9)), frozenset("abc"), [["same"]] * 600,
]  # fmt: skip
BOMBS = {
    "a memo of 32 GB": b"\x80\x05Nr\xff\xff\xff\x7f.",
    "a memo by its text": b"\x80\x05Np2147483647\n.",
    "an array of a terabyte": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
    "bytes of a terabyte": b"\x80\x05\x8e" + struct.pack("<Q", 1 << 40) + b".",
    "a number of 2 GB": b"\x80\x05\x8b" + struct.pack("<i", 2**31 - 1) + b".",
    "a long number in digits": b"L" + b"9" * 1_000_000 + b"L\n.",
    "a name": pickle.dumps(print),
    "an opcode that is none": b"\x80\x05\xff.",
    "nothing": b"",
}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_every_plain_value_that_is_written_is_read(value: Any) -> None:
    assert decode_unsigned(ValueSerializer().encode(value).head) == value


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_never_written_is_refused_before_it_is_loaded(name: str) -> None:
    with pytest.raises(DeserializationError):
        decode_unsigned(BOMBS[name])
