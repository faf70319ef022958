"""Laws of digests: equal values give equal digests, anywhere; different values never do."""

from __future__ import annotations

import array
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import itertools
import json
import math
import os
import pathlib
import pickle
import re
import subprocess
import sys
import textwrap
import threading
import types
import uuid
import zoneinfo
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_durable.core.model import Flag
from jupyter_durable.serializer.canonical import frame
from jupyter_durable.serializer.digest import DIGEST_BYTES, Digesting, args_digest, over_budget, value_digest
from jupyter_durable.serializer.shape import shape_of


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Record:
    a: int
    b: list[int]


@dataclasses.dataclass
class Other:
    a: int
    b: list[int]


class Model(pydantic.BaseModel):
    a: int
    tags: set[str]


class Slotted:
    __slots__ = ("__secret", "left", "right")

    def __init__(self, left: object, right: object, secret: object = None) -> None:
        self.left, self.right, self.__secret = left, right, secret


class Plain:
    def __init__(self, **state: object) -> None:
        self.__dict__.update(state)


class Cached:
    def __init__(self) -> None:
        self.lock = threading.Lock()


class Words(list[str]):
    pass


def adder(n: int) -> Any:
    return lambda x: x + n


MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5)
ZONE = zoneinfo.ZoneInfo("Europe/Berlin")
DIFFERENT: list[Any] = [
    None, True, False, 1, 0, 1.0, 0.0, -0.0, math.nan, "1", "", b"1", b"", bytearray(b"1"), 1j, 10**5000, 10**5000 + 1,
    [], (), {}, set(), frozenset(), [1], (1,), {1}, frozenset({1}), [[1]], [(1,)], [1, [2]], [[1], 2], [True], ["1"],
    {1: 2}, {"1": 2}, {1: "2"}, {(1,): 2}, {"a": [1]}, {"a": (1,)}, {"a": {"b": 1}}, {"a": 1, "b": None}, {"a": None},
    ["a", "b"], ["ab"], ["a,b"], ["a', 'b"], range(3), range(4), slice(1), slice(1, 2), ..., NotImplemented,
    MOMENT, MOMENT.replace(tzinfo=datetime.UTC), MOMENT.replace(tzinfo=ZONE), MOMENT.replace(fold=1), MOMENT.date(),
    MOMENT.time(), datetime.timedelta(1), datetime.timedelta(2), decimal.Decimal("1"), decimal.Decimal("1.0"),
    fractions.Fraction(1, 2), uuid.UUID(int=1), pathlib.PurePosixPath("a"), re.compile("a"), re.compile("a", re.I),
    Colour.RED, Colour.BLUE, Point(1, 2), Point(2, 1), (1, 2), Record(1, []), Record(1, [1]), Other(1, []),
    Model(a=1, tags={"x"}), Model(a=1, tags={"x", "y"}), Slotted(1, 2), Slotted(1, 2, 3), Plain(), Plain(a=1),
    Plain(b=1), Words(["a"]), collections.OrderedDict(a=1), collections.Counter("aab"), collections.deque([1]),
    collections.deque([1], 3), ValueError("a"), ValueError("b"), KeyError("a"), len, max, os.path.join, os, sys, int,
    Colour, Point, adder(1), adder(2), lambda x: x + 1, lambda x: x + 2, functools.partial(max, 1), "a".upper,
    np.arange(6), np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2), np.arange(6.0), np.arange(6, dtype="i4"),
    np.arange(6, dtype=">i8"), np.float64(1), np.float32(1), np.int64(1), np.array(["a", "b"]), np.array([]),
    np.array([{"a": 1}, None], dtype=object), np.array([{"a": 2}, None], dtype=object), np.datetime64("2020-01-01"),
    np.array([(1, 2.0)], dtype=[("a", "i8"), ("b", "f8")]), np.ma.array([1, 2], mask=[False, True]),
    np.ma.array([1, 2], mask=[True, False]), np.dtype("i4"),
    pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [1, 2]}), pd.DataFrame({"a": [1, 3]}),
    pd.DataFrame({"a": [1, 2]}, index=["x", "y"]), pd.DataFrame({"a": ["1", "2"]}), pd.DataFrame({"a": [1.0, 2.0]}),
    pd.DataFrame({"a": [[1], [2]]}), pd.DataFrame({"a": pd.Categorical(["x", "y"])}),
    pd.DataFrame({"a": pd.Categorical(["x", "y"], ordered=True)}), pd.DataFrame({"a": pd.Categorical(["x", "z"])}),
    pd.DataFrame([[1, 2]], columns=["a", "a"]), pd.DataFrame([[2, 1]], columns=["a", "a"]),
    pd.Series([1, 2]), pd.Series([1, 2], name="a"), pd.Series([1, None], dtype="Int64"), pd.Series([True, None]),
    pd.Series(pd.to_datetime(["2020-01-01"])), pd.Series(pd.to_datetime(["2020-01-01"]).tz_localize("UTC")),
    pd.Index([1, 2]), pd.RangeIndex(2), pd.RangeIndex(3), pd.MultiIndex.from_tuples([(1, 2)]), pd.NaT, pd.NA,
    pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01", tz="UTC"), pd.Timedelta(1), pd.Period("2020-01", "M"),
]  # fmt: skip


def test_different_values_have_different_digests() -> None:
    found: dict[bytes, object] = {}
    for value in DIFFERENT:
        digest, _ = value_digest(value)
        assert len(digest) == DIGEST_BYTES
        assert digest not in found, f"{value!r} and {found[digest]!r}"
        found[digest] = value


@pytest.mark.parametrize("value", DIFFERENT, ids=lambda value: type(value).__name__)
def test_a_copy_has_the_same_digest_and_none_of_these_is_weak(value: Any) -> None:
    digest, weak = value_digest(value)
    assert not weak
    assert value_digest(value) == (digest, False)
    if not isinstance(value, (types.ModuleType, collections.abc.Callable)):  # type: ignore[arg-type]
        assert value_digest(copy.deepcopy(value)) == (digest, False)


def test_memory_layout_does_not_count() -> None:
    array = np.arange(12).reshape(3, 4)
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]})
    assert value_digest(np.asfortranarray(array)) == value_digest(array)
    assert value_digest(np.arange(24).reshape(3, 8)[:, ::2]) == value_digest(array * 2)
    assert value_digest(frame.iloc[::-1].iloc[::-1].copy()) == value_digest(frame.set_index(frame.index.values[:]))


def test_sharing_does_not_count() -> None:
    part = [1, [2]]
    assert value_digest([part, part]) == value_digest([[1, [2]], [1, [2]]])
    assert pickle.dumps([part, part]) != pickle.dumps([[1, [2]], [1, [2]]])


def test_keywords_are_moved_into_position_and_the_rest_is_sorted() -> None:
    names = ("a", "b", "c")
    assert (
        args_digest(names, (1,), {"b": 2}) == args_digest(names, (1, 2), {}) == args_digest(names, (), {"b": 2, "a": 1})
    )
    assert args_digest(names, (1,), {"b": [2]}) == args_digest(names, (1, [2]), {})
    assert args_digest(names, (1,), {"c": 2}) != args_digest(names, (1, 2), {})
    assert args_digest(names, (), {"y": 1, "x": 2}) == args_digest(names, (), {"x": 2, "y": 1})
    assert args_digest(names, (), {"y": 1, "x": []}) == args_digest(names, (), {"x": [], "y": 1})
    assert args_digest((), (1, [("k", 2)]), {}) != args_digest((), (1,), {"k": 2})


def test_the_arguments_are_left_as_they_are() -> None:
    kwargs = {"a": 1, "k": 2}
    args_digest(("a",), (), kwargs)
    assert kwargs == {"a": 1, "k": 2}


def test_what_cannot_be_described_equals_nothing_not_even_itself() -> None:
    """Nothing is ever matched by its type alone."""
    generator = (letter for letter in "")
    hidden = [object(), threading.Lock(), Cached(), [object()], {"a": generator}, {object()}, {threading.Lock(): 1}]
    for value in hidden:
        first, second = value_digest(value), value_digest(value)
        assert first[1] == second[1] == Flag.WEAK, value
        assert first[0] != second[0], value


def test_what_can_be_pickled_is_weak_and_equal_where_it_is_described_alike() -> None:
    """Equal descriptions are equal values; other ones prove nothing, and so the digest says that it is weak."""
    for make in (lambda n: itertools.count(n), lambda n: iter([n, 2]), lambda n: {"a": [itertools.count(n)]}):
        one, again, other = value_digest(make(1)), value_digest(make(1)), value_digest(make(2))
        assert one == again
        assert one[1] == Flag.WEAK
        assert one[0] != other[0]


def nested(depth: int, end: object) -> Any:
    value = end
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [1, 49, 50, 51, 64, 500, 5_000])
def test_depth_is_no_matter(depth: int) -> None:
    """A value is looked at to its end, however deep it is."""
    assert value_digest(nested(depth, "a")) == value_digest(nested(depth, "a"))
    assert value_digest(nested(depth, "a")) != value_digest(nested(depth, "b"))
    assert not value_digest(nested(depth, "a"))[1]


def test_a_digest_ends_where_parts_are_shared() -> None:
    """Each object is walked once, though sharing does not count: 2 ** 60 paths lead to the end of this one."""
    value: list[Any] = ["x", None]
    for _ in range(60):
        value = [value, value]
    assert value_digest(value) == value_digest(copy.deepcopy(value))
    assert not value_digest(value)[1]


class Linked:
    """A node of a graph: with its parent, its children and its neighbours."""

    def __init__(self, name: str, parent: Linked | None = None) -> None:
        self.name, self.parent = name, parent
        self.children: list[Linked] = []
        self.next: Linked | None = None


def family(names: str) -> Linked:
    parent = Linked("parent")
    parent.children = [Linked(name, parent) for name in names]
    for one, other in itertools.pairwise(parent.children):
        one.next = other
    return parent


def test_objects_that_hold_each_other_are_equal_when_their_graphs_are() -> None:
    """Parents and children, seen from wherever one begins."""
    one, same, other = family("abcde"), family("abcde"), family("abcdf")
    assert value_digest(one) == value_digest(same)
    assert not value_digest(one)[1]
    assert value_digest(one)[0] != value_digest(other)[0]
    assert value_digest(one.children[2]) == value_digest(same.children[2])
    assert value_digest(one.children[2])[0] != value_digest(one.children[3])[0]
    assert value_digest([one, one.children[2]]) == value_digest([same, same.children[2]])
    assert value_digest([one, one.children[2]])[0] != value_digest([one, one.children[3]])[0]
    one.children[4].name = "f"
    assert value_digest(one) == value_digest(other)


def cyclic_list(*items: Any) -> list[Any]:
    value = [*items]
    value.append(value)
    return value


def cyclic_dict(item: Any) -> dict[str, Any]:
    value = {"item": item}
    value["self"] = value
    return value


@pytest.mark.parametrize(
    ("make", "one", "other"),
    [
        (cyclic_list, 1, 2),
        (cyclic_dict, 1, 2),
        (lambda n: cyclic_list(cyclic_dict(n)), 1, 2),
        (lambda n: (cyclic_list(n),), 1, 2),
    ],
)
def test_a_value_that_holds_itself_has_a_digest(make: Any, one: Any, other: Any) -> None:
    """A cycle is seen as one, and what is in it counts."""
    assert value_digest(make(one)) == value_digest(make(one))
    assert value_digest(make(one)) != value_digest(make(other))
    assert not value_digest(make(one))[1]


def test_a_set_of_objects_that_hold_it_is_weak() -> None:
    """They are told apart by who they are, and so the set has no order of its own."""
    owner = Linked("owner")
    owner.__dict__["members"] = {Linked("a", owner), Linked("b", owner)}
    assert value_digest(owner)[1] == Flag.WEAK


LARGE: list[Any] = [
    [(n, str(n)) for n in range(30_000)],
    {n: [n] for n in range(30_000)},
    [Slotted(n, n) for n in range(1_000)] + [[n] for n in range(30_000)],
]


@pytest.mark.parametrize("value", LARGE, ids=["tuples", "dict", "objects"])
def test_what_is_over_the_budget_counts_by_its_pickled_bytes(value: Any) -> None:
    """Equal bytes are equal values, and who asks is told that the argument was too large."""
    digest, flags = args_digest(("x", "large"), (1, value), {})
    assert flags == Flag.WEAK | Flag.TOO_LARGE
    assert args_digest(("x", "large"), (1, value), {}) == (digest, flags)
    assert args_digest(("x", "large"), (2, value), {})[0] != digest
    assert args_digest(("x", "large"), (1,), {"k": value})[1] == flags
    assert over_budget(("x", "large"), (1, value), {}) == ["large"]
    assert args_digest(("x", "large"), (1, value), {}, Digesting(budget=10.0))[1] == 0


def test_what_cannot_be_pickled_within_the_budget_equals_nothing() -> None:
    """It is not even equal to itself, since that would take too long to find out."""
    value = [Slotted(n, n) for n in range(30_000)]
    assert value_digest(value)[1] == Flag.WEAK | Flag.TOO_LARGE
    assert value_digest(value)[0] != value_digest(value)[0]


@pytest.mark.parametrize("kind", [bytes, bytearray, str, lambda data: array.array("b", data), memoryview])
def test_the_bytes_of_a_buffer_cost_no_budget(kind: Any) -> None:
    """Only objects do: hashing bytes is as fast as reading them."""
    zeros = kind(bytes(10_000_000)) if kind is not str else "0" * 10_000_000
    one = kind(bytes(9_999_999) + b"1") if kind is not str else "0" * 9_999_999 + "1"
    assert args_digest(("x",), ([zeros],), {}) == args_digest(("x",), ([zeros],), {})
    assert args_digest(("x",), ([zeros],), {})[1] == 0
    assert args_digest(("x",), ([zeros],), {})[0] != args_digest(("x",), ([one],), {})[0]


def test_a_durable_function_counts_by_its_name() -> None:
    def make(body: Any) -> Any:
        body.__durable__ = True
        body.__qualname__ = "f"
        return body

    assert value_digest(make(lambda: 1)) == value_digest(make(lambda: 2))


def test_no_property_and_no_getstate_runs() -> None:
    class Trap:
        def __init__(self) -> None:
            self.a = 1

        def __getstate__(self) -> object:
            raise AssertionError

        def __reduce_ex__(self, protocol: object) -> Any:
            raise AssertionError

        @property
        def b(self) -> int:
            raise AssertionError

    assert not value_digest(Trap())[1]


class Measured:
    def __init__(self, a: int) -> None:
        self.a = a

    @functools.cached_property
    def size(self) -> int:
        return self.a * 2


def test_what_a_cached_property_keeps_does_not_count() -> None:
    """Whether it was asked for says nothing of the value."""
    value = Measured(1)
    before = value_digest(value)
    assert value.size == 2
    assert value_digest(value) == before


def test_what_stands_beside_the_fields_of_a_dataclass_counts() -> None:
    """A reader can see it."""
    record = Record(1, [2])
    before = value_digest(record)
    record.__dict__["beside"] = 3
    assert value_digest(record) != before


def test_digests_are_the_same_under_another_hash_seed() -> None:
    source = textwrap.dedent("""
        import numpy, pandas
        from jupyter_durable.serializer.digest import args_digest
        words = {"alpha", "beta", "gamma", ("d", frozenset({"e", "f", "g"}))}
        nested = {word: {"set": words, word: [word]} for word in words}
        def outer(n):
            return lambda x: (x in {"a", "b", "c"}, n)
        frame = pandas.DataFrame({"a": [{"x", "y", "z"}], "b": ["t"]})
        print(args_digest(("w",), (words, nested, frame, outer(3)), {"z": words}))
    """)
    found = {
        subprocess.run(
            [sys.executable, "-c", source], env={**os.environ, "PYTHONHASHSEED": seed}, text=True,
            capture_output=True, check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert len(found) == 1, found
    assert found.pop().strip().endswith("False)")


def test_nothing_is_imported_that_is_not_there() -> None:
    source = (
        "import sys; from jupyter_durable.serializer.digest import value_digest; value_digest([object()]);"
        "print(sorted({'numpy', 'pandas', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", source], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
        | st.frozensets(st.text(max_size=3) | st.integers(), max_size=4)
    ),
    max_leaves=12,
)


def exact(value: Any) -> Any:
    """An independent model of sameness: types and contents, order only where there is one."""
    if isinstance(value, dict):
        return "dict", frozenset((exact(key), exact(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return type(value).__name__, tuple(map(exact, value))
    if isinstance(value, frozenset):
        return "set", frozenset(map(exact, value))
    return type(value).__name__, repr(value)


@given(VALUES, VALUES)
def test_digests_are_equal_exactly_when_the_values_are(one: Any, other: Any) -> None:
    assert (value_digest(one) == value_digest(other)) is (exact(one) == exact(other))


@given(
    st.dictionaries(st.text(max_size=3) | st.integers() | st.tuples(st.integers()), VALUES, max_size=6), st.randoms()
)
def test_the_order_of_a_dict_does_not_count(value: dict[Any, Any], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert value_digest(dict(items)) == value_digest(value)


CHANGES: list[tuple[Any, Any]] = [
    ([1, 2], lambda value: value.append(3)),
    ([1, 2], lambda value: value.reverse()),
    ([[1], {"a": [2]}], lambda value: value[1]["a"].append(3)),
    ({"a": 1}, lambda value: value.update(b=2)),
    ({"a": 1}, lambda value: value.update(a=True)),
    ({1, 2}, lambda value: value.add(3)),
    (list(range(1000)), lambda value: value.pop()),
    (np.arange(10), lambda value: value.__setitem__(3, 0)),
    (np.arange(100_000), lambda value: value.__iadd__(1)),
    (np.array([{}, []], dtype=object), lambda value: value[1].append(1)),
    (pd.DataFrame({"a": [1, 2]}), lambda value: value.__setitem__("b", [3, 4])),
    (pd.DataFrame({"a": [1, 2]}), lambda value: value.loc.__setitem__((2, "a"), 3)),
    (pd.DataFrame({"a": range(1000)}), lambda value: value.__setitem__("a", 0)),
    (pd.Series(["x", "y"]), lambda value: value.__setitem__(0, "z")),
    ((1, [2]), lambda value: value[1].clear()),
    (bytearray(b"ab"), lambda value: value.extend(b"c")),
]  # fmt: skip


@pytest.mark.parametrize(("value", "change"), CHANGES)
def test_a_changed_argument_looks_changed_and_an_unchanged_one_does_not(value: Any, change: Any) -> None:
    before = shape_of(value)
    assert before is not None
    value_digest(value)
    assert shape_of(value) == before
    change(value)
    assert shape_of(value) != before


def test_other_objects_are_not_watched() -> None:
    assert [shape_of(value) for value in (1, "a", None, Plain(), threading.Lock(), 10**5000)] == [None] * 6


def test_the_order_in_which_a_dict_was_made_does_not_count() -> None:
    for one, other in (("a", "b"), (1, "b"), ((1,), None)):
        assert value_digest({one: 1, other: 2}) == value_digest({other: 2, one: 1})
        assert value_digest({one: [1], other: 2}) == value_digest({other: 2, one: [1]})


@given(st.lists(st.binary(max_size=3)), st.lists(st.binary(max_size=3)))
def test_a_frame_tells_its_parts_apart(one: list[bytes], other: list[bytes]) -> None:
    assert (frame(b"S", *one) == frame(b"S", *other)) is (one == other)
    assert frame(b"S", *one, b"a", b"bc") != frame(b"S", *one, b"ab", b"c")


def test_arrow_tables_count_by_content_not_by_chunks() -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]})
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert value_digest(chunked) == value_digest(table)
    assert not value_digest(table)[1]
    others = [
        table.slice(1),
        table.select(["a"]),
        table.rename_columns(["a", "c"]),
        table["a"],
        table["b"],
        table.schema,
    ]
    assert len({value_digest(value)[0] for value in [table, *others]}) == len(others) + 1


@pytest.mark.parametrize(
    "view", [memoryview(bytes(8)).cast("q"), memoryview(b"")[:0], memoryview(bytes(8)).cast("h")[::2]]
)
def test_a_view_of_any_format_has_a_digest(view: memoryview) -> None:
    """Also where its items are no bytes, there are none, or they do not follow each other."""
    assert value_digest(view) == value_digest(view[:])
    assert value_digest(view) != value_digest(memoryview(bytes(view.nbytes + 1)))


def test_a_module_counts_by_its_name_where_it_is_imported_only() -> None:
    one, other = types.ModuleType("made"), types.ModuleType("made")
    one.value, other.value = 1, 2  # type: ignore[attr-defined]
    assert value_digest(json) == value_digest(json)
    assert not value_digest(json)[1]
    assert value_digest(one)[0] != value_digest(other)[0]
    assert value_digest(one)[1]


LARGE, LARGER = [[number] for number in range(6000)], [[number, number] for number in range(6000)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (((1,), {"b": [[1]]}), (((1,), {"b": [[1]]}), {})),
        (((1,), {"b": "x" * 70_000}), (((1,), {"b": "x" * 70_000}), {})),
        (((), {"a": LARGE, "b": LARGER}), ((), {"c": LARGE, "d": LARGER})),
        (((LARGE, LARGER), {}), ((LARGE,), {"d": LARGER})),
        (((1,), {"b": [[1]]}), ((), {"a": 1, "b": [[1]]})),
    ],
)
def test_keywords_of_any_size_are_told_from_positional_arguments_and_by_their_names(one: Any, other: Any) -> None:
    assert args_digest((), *one)[0] != args_digest((), *other)[0]


def test_a_path_that_is_no_text_is_told_from_one_that_spells_its_bytes() -> None:
    assert value_digest(pathlib.PurePath("a\udcff"))[0] != value_digest(pathlib.PurePath("a\\udcff"))[0]
