"""Laws of the value serializer: a value comes back as it was, or is refused by the path of what refuses."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import enum
import io
import math
import os
import pickle
import socket
import sys
import tempfile
import textwrap
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_durable.errors import DeserializationError, SerializationError
from jupyter_durable.serializer.base import PICKLE, PLAIN
from jupyter_durable.serializer.digest import value_digest
from jupyter_durable.serializer.explain import explain
from jupyter_durable.serializer.pickle import OUT_OF_BAND_BYTES, ValueSerializer

SERIALIZER = ValueSerializer()


def through(value: Any, serializer: ValueSerializer = SERIALIZER) -> Any:
    encoded = serializer.encode(value)
    return serializer.decode(encoded.codec, encoded.head, list(encoded.buffers))


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Held:
    inner: Any


class Slots:
    __slots__ = ("client",)

    def __init__(self, client: object) -> None:
        self.client = client

    def __repr__(self) -> str:
        return "Slots()"  # the name of a test is the same in each worker


class Odd(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Refuses:
    def __reduce__(self) -> Any:
        raise RuntimeError("I would rather not")


ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
PLAINS = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(ATOMS, inner) | st.sets(ATOMS)
    | st.frozensets(ATOMS) | st.binary().map(bytearray),
    max_leaves=10,
)  # fmt: skip


@given(PLAINS)
def test_builtin_values_are_plain_and_come_back_exactly(value: Any) -> None:
    encoded = SERIALIZER.encode(value)
    assert (encoded.codec, encoded.buffers) == (PLAIN, ())
    assert value_digest(SERIALIZER.decode(PLAIN, encoded.head, [])) == value_digest(value)


@given(st.binary(max_size=80))
def test_plain_bytes_from_anywhere_give_builtin_values_or_an_error(head: bytes) -> None:
    for data in (head, b"\x80\x05" + head, b"\x80\x05" + head + b"."):
        with contextlib.suppress(DeserializationError):
            assert type(SERIALIZER.decode(PLAIN, data, [])).__module__ == "builtins"


GADGETS = [
    b"cos\nsystem\n(S'false'\ntR.",
    b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x05false\x85R.",
    b"(S'false'\nios\nsystem\n.",
    b"\x80\x02\x82\x01.",
    pickle.dumps(os.getcwd, 5),
    pickle.dumps(Path("a"), 5),
    pickle.dumps(collections.OrderedDict(a=1), 5),
    pickle.dumps("x" * 100 + "", 5)[:-1] + b"cos\ngetcwd\n)R.",
]


@pytest.mark.parametrize("head", GADGETS)
def test_plain_bytes_that_name_anything_are_refused(head: bytes) -> None:
    with pytest.raises(DeserializationError):
        SERIALIZER.decode(PLAIN, head, [])


def test_a_value_is_decoded_by_its_own_codec_only() -> None:
    head = SERIALIZER.encode(Level.LOW).head
    with pytest.raises(DeserializationError, match="names"):
        SERIALIZER.decode(PLAIN, head, [])
    with pytest.raises(DeserializationError, match="'zip'"):
        SERIALIZER.decode("zip", head, [])


OTHERS = [
    Level.LOW, True, math.inf, 1j, Path("a/b"), collections.OrderedDict(b=1, a=2), collections.deque([1], 2), Held([1]),
    Slots(1), range(3), slice(1, 2), len, os, ValueError("x"), KeyError("k"), np.float64(1.5), np.arange(5), int,
    np.arange(5)[::2], pd.Timestamp("2020"), types.SimpleNamespace(a=1), collections.Counter("aab"), ...,
]  # fmt: skip


@pytest.mark.parametrize("value", OTHERS, ids=repr)
def test_other_values_come_back_with_their_types(value: Any) -> None:
    again = through(value)
    assert type(again) is type(value)
    assert value_digest(again)[0] == value_digest(value)[0]


def test_sharing_and_cycles_inside_a_value_are_kept() -> None:
    part: list[Any] = [1]
    part.append(part)
    one, two = through([part, part])
    assert one is two
    assert one[1] is one
    held = through([Held(part)] * 2)
    assert held[0] is held[1]


def test_functions_and_local_classes_come_back() -> None:
    n = 3
    assert through(lambda x: x + n)(4) == 7

    class Local:
        value = n

    assert through(Local()).value == 3


def test_large_buffers_stay_outside_the_pickle_and_are_not_copied() -> None:
    array = np.arange(OUT_OF_BAND_BYTES, dtype="u1")
    encoded = SERIALIZER.encode({"a": array, "b": array[:-1].copy()})
    assert [view.nbytes for view in encoded.buffers] == [OUT_OF_BAND_BYTES]
    assert OUT_OF_BAND_BYTES - 1 < len(encoded.head) < OUT_OF_BAND_BYTES + 1000
    assert np.shares_memory(np.frombuffer(encoded.buffers[0], "u1"), array)
    mapped = bytearray(encoded.buffers[0])
    again = SERIALIZER.decode(PICKLE, encoded.head, [memoryview(mapped)])
    assert again["a"].flags.writeable  # type: ignore[index]
    assert again["b"].flags.writeable  # type: ignore[index]
    assert np.shares_memory(again["a"], np.frombuffer(mapped, "u1"))  # type: ignore[index]


def test_a_large_frame_goes_out_of_band() -> None:
    frame = pd.DataFrame({"a": np.arange(100_000), "b": np.arange(100_000.0), "c": ["x"] * 100_000})
    encoded = SERIALIZER.encode(frame)
    assert sum(view.nbytes for view in encoded.buffers) >= 1_600_000
    pd.testing.assert_frame_equal(through(frame), frame)


def test_fewer_buffers_than_were_written_is_an_error() -> None:
    encoded = SERIALIZER.encode(np.zeros(100_000))
    with pytest.raises(DeserializationError):
        SERIALIZER.decode(PICKLE, encoded.head, [])


def generator() -> Iterator[int]:
    yield 1


async def coroutine() -> None: ...


def frame() -> Any:
    return sys._getframe()


def refused() -> Iterator[tuple[Any, str, str]]:
    yield threading.Lock(), "", "threading.Lock"
    yield threading.RLock(), "", "threading.RLock"
    yield generator(), "", "a generator"
    yield memoryview(b"x"), "", "a memoryview"
    yield frame(), "", "a frame"
    yield Refuses(), "", "I would rather not"
    yield {"client": Held(types.SimpleNamespace(_lock=threading.Lock()))}, "['client'].inner._lock", "(threading.Lock)"
    yield [1, (2, Slots(threading.Lock()))], "[1][1].client", "(threading.Lock)"
    yield {Refuses(): 1}, " key", "I would rather not"
    yield {3, Refuses()}, " item", "I would rather not"
    yield [collections.deque([generator()])], "[0] item", "a generator"
    yield [["x"] * 50, {"a": {"b": [generator()]}}], "[1]['a']['b'][0]", "a generator"
    yield [lambda: LOCK], "[0] global LOCK", "threading.Lock"
    lock = threading.Lock()
    yield [lambda: lock], "[0] closure lock", "threading.Lock"
    yield Held(threading.Lock()).__init__, ".__self__.inner", "threading.Lock"  # type: ignore[misc]


LOCK = threading.Lock()
refused_values = list(refused())


@pytest.mark.parametrize(("value", "path", "reason"), refused_values)
def test_what_cannot_be_stored_is_named_by_its_path(value: Any, path: str, reason: str) -> None:
    with pytest.raises(SerializationError) as caught:
        SERIALIZER.encode(value)
    assert str(caught.value).startswith(f"result{path}")
    assert reason in str(caught.value)
    assert explain(value, "argument `x`").startswith(f"argument `x`{path}")


def test_the_text_of_the_design() -> None:
    class Client:
        def __init__(self) -> None:
            self._lock = threading.Lock()

    with pytest.raises(SerializationError, match=r"^result\['client'\]\._lock \(threading\.Lock\) cannot be stored"):
        SERIALIZER.encode({"client": Client()})


@pytest.mark.parametrize("around", [lambda part: [part], lambda part: {"key": part}, lambda part: (1, part)])
def test_what_nests_too_deep_is_told_in_a_line(around: Callable[[Any], Any]) -> None:
    """Of a path of thousands of steps, where it begins and ends."""
    value: Any = 1
    for _ in range(5_000):
        value = around(value)
    with pytest.raises(SerializationError, match=r"^result\[.*…") as raised:
        SERIALIZER.encode(value)
    assert len(str(raised.value)) < 500


def test_open_files_and_sockets_are_refused_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    with (
        path.open() as text,
        path.open("rb") as data,
        path.open("rb", buffering=0) as raw,
        socket.socket() as connection,
    ):
        for file in (text, data, raw, connection):
            for value in (file, [file], {"a": Held(file)}):
                with pytest.raises(SerializationError, match=r"an open file|a socket"):
                    SERIALIZER.encode(value)
    with tempfile.TemporaryFile() as unnamed, pytest.raises(SerializationError):
        SERIALIZER.encode(unnamed)
    with pytest.raises(SerializationError, match="open file"):
        SERIALIZER.encode(sys.__stdout__)


def test_files_in_memory_come_back_where_they_stood() -> None:
    file = io.BytesIO(b"abc")
    file.seek(1)
    assert through(file).read() == b"bc"
    assert through(io.StringIO("abc")).read() == "abc"


def test_a_coroutine_is_refused() -> None:
    waiting = coroutine()
    try:
        with pytest.raises(SerializationError, match="a coroutine"):
            SERIALIZER.encode([waiting])
    finally:
        asyncio.run(waiting)


def test_a_value_nested_too_deep_is_an_error_not_a_crash() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    try:
        with pytest.raises(SerializationError):
            SERIALIZER.encode(value)
    finally:
        while value:
            value = value.pop()


def test_exceptions_are_loaded_before_they_count_as_stored() -> None:
    assert pickle.dumps(Odd(1, 2))
    with pytest.raises(SerializationError, match="cannot be loaded again"):
        SERIALIZER.encode({"error": Odd(1, 2)})


@pytest.fixture
def cell() -> Iterator[types.ModuleType]:
    """A `__main__` as a kernel has it, put back afterwards."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    yield module
    sys.modules["__main__"] = before


SOURCE = textwrap.dedent("""
    import enum, typing
    class Point:
        class Inner: ...
        def __init__(self, x): self.x = x
    class Problem(Exception): ...
    class Colour(enum.Enum):
        RED = 1
    class Pair(typing.NamedTuple):
        a: int
""")


def test_instances_of_a_cell_class_come_back_as_the_class_after_the_cell_ran_again(cell: types.ModuleType) -> None:
    exec(SOURCE, vars(cell))
    value = [cell.Point(1), cell.Point.Inner(), cell.Problem("p"), cell.Colour.RED, cell.Pair(1), cell.Point]
    encoded = SERIALIZER.encode(value)
    exec(SOURCE, vars(cell))
    assert SERIALIZER.encode(value).head == encoded.head, "an instance of the class that was replaced is stored alike"
    again: Any = SERIALIZER.decode(encoded.codec, encoded.head, [])
    point, inner, problem, red, pair, kind = again
    assert (type(point), type(inner), type(problem)) == (cell.Point, cell.Point.Inner, cell.Problem)
    assert red is cell.Colour.RED
    assert type(pair) is cell.Pair
    assert kind is cell.Point


def test_the_caller_answers_for_the_classes_of_main(cell: types.ModuleType) -> None:
    exec(SOURCE, vars(cell))
    encoded = SERIALIZER.encode(cell.Point(1))

    class Recorded: ...

    asked = []

    def find(module: str, name: str) -> Any:
        asked.append((module, name))
        return Recorded

    assert type(ValueSerializer(find).decode(PICKLE, encoded.head, [])) is Recorded
    assert asked == [("__main__", "Point")]


def test_a_cell_class_that_is_gone_is_named(cell: types.ModuleType) -> None:
    exec(SOURCE, vars(cell))
    encoded = SERIALIZER.encode(cell.Point(1))
    del cell.Point
    with pytest.raises(DeserializationError, match="`Point`, which is not defined here: run the cell"):
        SERIALIZER.decode(encoded.codec, encoded.head, [])
