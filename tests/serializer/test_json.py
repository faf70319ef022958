"""Facts of an application's edge: what JSON does to input and output, and what is said about it."""

from __future__ import annotations

import dataclasses
import datetime
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pydantic
import pytest

from jupyter_durable.errors import SDKUsageError, SerializationError
from jupyter_durable.function import Results
from jupyter_durable.serializer.json import JsonEdge
from jupyter_durable.values import File, Headers, HttpBody


class Model(pydantic.BaseModel):
    x: int
    tags: tuple[str, ...] = ()


@dataclasses.dataclass
class Record:
    when: datetime.datetime
    model: Model | None = None


def plain(a, b=2):
    return a


def hinted(
    model: Model, record: Record, pair: tuple[int, str], keys: dict[int, str], *rest: int, **more: Any
) -> Record:
    return record


def text(value: str) -> str:
    return value


NOW = datetime.datetime(2026, 1, 2)


def test_hinted_values_come_back_as_they_were() -> None:
    args = (Model(x=1, tags=("a",)), Record(NOW, Model(x=2)), (1, "a"), {1: "b"}, 5, 6)
    passed = JsonEdge(hinted).decode_input(args, {"flag": True})
    assert (passed.args, passed.kwargs, passed.changed) == (args, {"flag": True}, [])
    assert type(passed.args[0]) is Model
    assert passed.args[0] is not args[0]


def test_what_fits_a_hint_becomes_the_hinted_type() -> None:
    passed = JsonEdge(hinted).decode_input(({"x": 1}, {"when": "2026-01-02T00:00:00"}, [1, "a"], {"1": "b"}), {})
    assert passed.args == (Model(x=1), Record(NOW), (1, "a"), {1: "b"})


@pytest.mark.parametrize(
    ("value", "after", "changed"),
    [
        (1, 1, []),
        ({"a": [1.5, None, "x"]}, {"a": [1.5, None, "x"]}, []),
        ((1, 2), [1, 2], ["a"]),
        ({"k": [(1,), 2]}, {"k": [[1], 2]}, ["a['k'][0]"]),
        ({1: 2}, {"1": 2}, ["a (its keys)"]),
        ({"k": {True: 1}}, {"k": {"true": 1}}, ["a['k'] (its keys)"]),
        (NOW, "2026-01-02T00:00:00", ["a"]),
        (Model(x=1), {"x": 1, "tags": []}, ["a"]),
        (float("nan"), None, ["a"]),
        ([{"s"}], [["s"]], ["a[0]"]),
        (b"text", "text", ["a"]),
    ],
)
def test_what_json_changes_is_reported_by_path(value: Any, after: Any, changed: list[str]) -> None:
    passed = JsonEdge(plain).decode_input((value,), {})
    assert (passed.args, passed.changed) == ((after,), changed)


def test_many_changes_are_reported_in_short() -> None:
    assert len(JsonEdge(plain).decode_input(([(1,)] * 1000,), {}).changed) == 20


@pytest.mark.parametrize("value", [object(), threading.Lock(), b"\xff", plain, [{"a": object()}]])
def test_what_is_not_json_names_the_way_out(value: Any) -> None:
    edge = JsonEdge(plain)
    with pytest.raises(SerializationError, match=r"`a` of application plain.*input_deserializer=\"pickle\""):
        edge.decode_input((value,), {})
    with pytest.raises(SerializationError, match=r"`result` of application plain.*output_serializer=\"pickle\""):
        edge.encode_output(value)


def test_a_cycle_is_an_error() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(SerializationError, match="input_deserializer"):
        JsonEdge(plain).decode_input((value,), {})


def test_a_hint_that_json_does_not_know_is_an_error() -> None:
    def locked(lock: threading.Thread) -> None: ...

    locked.__annotations__ = {"lock": threading.Thread}
    with pytest.raises(SerializationError, match="its type hint has no JSON form"):
        JsonEdge(locked).decode_input((threading.current_thread(),), {})


def test_a_hint_that_names_nothing_is_an_error() -> None:
    def broken(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(SDKUsageError, match="Nowhere"):
        JsonEdge(broken)


def test_what_does_not_fit_its_hint_is_a_serialization_error_and_for_input_a_usage_error_too() -> None:
    with pytest.raises(SDKUsageError, match=r"`value` of application text does not fit") as raised:
        JsonEdge(text).decode_input((1,), {})
    assert isinstance(raised.value, SerializationError)
    with pytest.raises(SerializationError, match=r"`result` of application text does not fit"):
        JsonEdge(text).encode_output(1)


def test_arguments_that_are_not_taken_are_named_and_missing_ones_refused() -> None:
    edge = JsonEdge(plain)
    passed = edge.decode_input((1,), {"unknown": object()})
    assert (passed.args, passed.kwargs, passed.ignored) == ((1,), {}, ["unknown"])
    surplus = edge.decode_input((1, 2, 3), {"unknown": 4})
    assert (surplus.args, surplus.ignored) == ((1, 2), ["argument 3", "unknown"])
    with pytest.raises(SDKUsageError, match="missing a required argument"):
        edge.decode_input((), {})


def test_defaults_are_not_applied() -> None:
    assert JsonEdge(plain).decode_input((1,), {}).args == (1,)


def test_the_first_parameter_of_a_method_is_not_an_argument() -> None:
    class Shop:
        def open(self, day: int) -> None: ...

    Shop.open.__annotations__ = {"day": int}
    assert JsonEdge(Shop.open, bound=True).decode_input((3,), {}).args == (3,)


@pytest.mark.parametrize("raw", [File(b"\xff", "image/png"), HttpBody(b"\xff"), Headers({"A": "b"})])
def test_raw_values_pass_as_they_are(raw: Any) -> None:
    assert JsonEdge(plain).decode_input((raw,), {}).args[0] is raw
    output = JsonEdge(plain).encode_output(raw)
    assert (output.data, output.changed) == (None, [])
    assert output.value is raw


def test_output_is_json_text_and_the_value_after_it() -> None:
    record: Callable[..., Any] = hinted
    output = JsonEdge(record).encode_output(Record(NOW))
    assert output.data == b'{"when":"2026-01-02T00:00:00","model":null}'
    assert (output.value, output.changed) == (Record(NOW), [])
    assert JsonEdge(plain).encode_output((1, 2)) == (b"[1,2]", [1, 2], ["result"])


def test_pydantic_is_imported_with_the_first_value_only() -> None:
    source = "import sys, jupyter_durable.serializer.json; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_a_map_returned_is_a_list_to_json() -> None:
    output = JsonEdge(plain).encode_output(Results([1, 2]))
    assert (output.value, output.changed) == ([1, 2], [])
