"""A closer look at values: known types only, credentials masked, little sent."""

from __future__ import annotations

import base64
import json
from collections import namedtuple
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyter_durable_kernel.view.call_details import _as_json, _inputs, look
from jupyter_durable_kernel.view.short_values import arguments, preview

KEY = "sk-abcdefghijklmnopqrstuvwxyz0123456789"


class Loud:
    """Says so when it is touched."""

    def __repr__(self) -> str:
        raise AssertionError("a method of the user's was called")

    __str__ = __len__ = __iter__ = __repr__


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        ("text", "text"),
        ([1, 2, 3], "[1, 2, 3]"),
        ([], "[]"),
        ({"a": 1}, "{\n  'a': 1\n}"),
        (None, "None"),
        ({"api_key": KEY}, "{\n  'api_key': '***'\n}"),
        (KEY, "***"),
        ([KEY], "[\n  ***\n]"),
    ],
)
def test_plain_values_are_text(value: object, shown: str) -> None:
    assert look(value) == {"type": "text", "text": shown}


def test_no_method_of_an_object_is_called() -> None:
    for value in (Loud(), [Loud()], {"a": Loud()}, pd.DataFrame({"a": [Loud()]}, dtype=object)):
        assert "Loud" in json.dumps(look(value))
    assert look(np.array([Loud()], dtype=object))["text"] == "object, shape 1"


def test_a_frame_is_its_first_rows() -> None:
    frame = pd.DataFrame({"n": range(1000), "password": ["hunter2"] * 1000, "note": [KEY] * 1000})
    made = look(frame)
    assert made["columns"] == ["", "n", "password", "note"]
    assert len(made["rows"]) == 8
    assert made["rows"][1] == ["1", "1", "***", "***"]
    assert made["note"] == "DataFrame, 1,000 rows × 3 columns"


PW = "hunter2canary"
Login = namedtuple("Login", "user password")
HIDDEN: tuple[Any, ...] = (
    {"password": [PW], "secret": (PW,), "api_key": {"value": PW}},
    {"a": [("password", PW), (b"api_key", PW.encode())]},
    [("password", PW)],
    (("password", PW), {"a": ("secret", [PW])}),
    f"password={PW}".encode(),
    b"x" * 40 + f' "password": "{PW}"'.encode(),
    json.dumps({"a": json.dumps({"password": PW})}),
    {f"password={PW}": 1},
    Login("me", PW),
    [Login("me", PW)],
    pd.Series({"user": "me", "password": PW}),
    pd.Series([PW], name="password"),
    pd.DataFrame({("auth", "password"): [PW], ("auth", "n"): [1]}),
    pd.DataFrame({"password": [[PW]], "secret": [PW.encode()], "api_key": pd.Categorical([PW])}),
    pd.DataFrame({"v": [PW]}, index=["password"]),
    pd.DataFrame({"v": [1]}, index=pd.Index([PW], name="password")),
    pd.DataFrame({"v": [PW]}, index=pd.MultiIndex.from_tuples([("auth", "password")])),
    np.array([(PW, 1)], dtype=[("password", "U20"), ("n", "i4")]),
)


@pytest.mark.parametrize("value", HIDDEN, ids=lambda value: type(value).__name__)
def test_what_stands_under_a_telling_name_or_beside_one_is_masked_in_every_form(value: object) -> None:
    shown = [look(value), look([value]), look({"a": value}), preview(value), arguments((value,), {"b": value})]
    shown += [_as_json(("a",), (value,), {}), _as_json((), (), {"a": value})]
    assert PW[:7] not in json.dumps(shown)


@pytest.mark.parametrize("value", [PW, [PW], (PW,), {"v": PW}, PW.encode(), np.array([PW]), pd.Series([PW])], ids=type)
def test_a_parameter_with_a_telling_name_is_masked_whatever_holds_its_text(value: object) -> None:
    shown = [_inputs(("password",), (value,), {"api_key": value}), _as_json(("password",), (value,), {})]
    assert PW[:7] not in json.dumps([*shown, arguments((value,), {"api_key": value}, ("password",))])


def test_numbers_words_and_tags_are_shown_under_any_name() -> None:
    value = {"tokens": [1, 2], "max_tokens": 100, "words": [("token", "NN"), ("key", "NN")]}
    assert json.loads(_as_json(("a",), ([value["tokens"], 3],), {})) == [[[1, 2], 3]]
    assert "***" not in json.dumps([look(value), preview(value)])
    assert "***" not in json.dumps(_inputs(("token",), ([1, 2, 3],), {"secret": np.arange(3), "password": None}))


def test_an_array_is_its_shape_its_range_and_a_corner() -> None:
    text = look(np.arange(1_000_000).reshape(1000, 1000))["text"]
    assert text.startswith("int64, shape 1,000 × 1,000, from 0 to 999999\n")
    assert len(text) < 400


def test_the_bytes_of_an_image_are_an_image_and_others_are_not() -> None:
    png = b"\x89PNG\r\n\x1a\n" + b"0" * 100
    made = look(png)
    assert (made["type"], made["mime"]) == ("image", "image/png")
    assert base64.b64decode(made["data"]) == png
    assert look(b"<svg onload=alert(1)>")["type"] == "text"


def test_little_is_sent_of_much() -> None:
    nested: list[object] = []
    for _ in range(50):
        nested = [nested, *range(50)]
    for value in ("x" * 10**7, list(range(10**6)), {n: [n] * 50 for n in range(10**5)}, nested):
        assert len(json.dumps(look(value))) < 20_000
