"""A closer look at values: known types only, credentials masked, little sent."""

from __future__ import annotations

import base64
import json

import numpy as np
import pandas as pd
import pytest

from jupyter_durable_kernel.view.call_details import look

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
