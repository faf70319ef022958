"""Facts of files, bodies, headers and images."""

from __future__ import annotations

import pickle

import pytest

from jupyter_durable.errors import DeserializationError, SDKUsageError
from jupyter_durable.values import File, Headers, HttpBody, Image


def test_files_and_bodies_hold_bytes() -> None:
    assert File(b"a", "text/plain").content == b"a"
    with pytest.raises(SDKUsageError, match="takes bytes, not str"):
        File("a", "text/plain")  # type: ignore[arg-type]
    with pytest.raises(SDKUsageError, match="takes bytes"):
        HttpBody("a")  # type: ignore[arg-type]


def test_a_body_is_read_by_its_charset() -> None:
    assert HttpBody("ä".encode("latin-1"), "text/plain; charset=latin-1").text() == "ä"
    assert HttpBody("ä".encode()).text() == "ä"
    assert HttpBody(b'{"a": 1}').json() == {"a": 1}


@pytest.mark.parametrize("body", [HttpBody(b"\xff"), HttpBody(b"{"), HttpBody(b"a", "text/plain; charset=none-such")])
def test_a_body_that_cannot_be_read_is_an_error(body: HttpBody) -> None:
    with pytest.raises(DeserializationError, match="the body is not"):
        body.json()


def test_headers_know_no_case_and_keep_every_value() -> None:
    headers = Headers([("Set-Cookie", "a"), ("X-Id", "1"), ("set-cookie", "b")])
    assert headers["SET-COOKIE"] == "a"
    assert headers.getlist("Set-Cookie") == ["a", "b"]
    assert headers.getlist("none") == []
    assert headers.multi_items() == [("set-cookie", "a"), ("x-id", "1"), ("set-cookie", "b")]
    assert dict(headers) == {"set-cookie": "a", "x-id": "1"}
    assert "x-ID" in headers
    assert headers.get("none") is None
    with pytest.raises(KeyError):
        headers["none"]
    assert Headers({"A": "b"}) == Headers([("a", "b")])


def test_an_image_records_its_verbs_in_order() -> None:
    image = (
        Image(name="agent").run(["apt-get update", "apt-get install -y git"]).run("pip install x", {"network": "none"})
    )
    image.copy("a", "/a").add("b", "/b").env("TOKEN", 'say "x" \\').workdir("/app")
    assert image.dockerfile().splitlines() == [
        "FROM python:3.14-trixie",
        "RUN apt-get update",
        "RUN apt-get install -y git",
        "RUN --network=none pip install x",
        "COPY a /a",
        "ADD b /b",
        'ENV TOKEN="say \\"x\\" \\\\"',
        "WORKDIR /app",
    ]
    assert pickle.loads(pickle.dumps(image)) == image
    assert Image() != image


def test_an_image_takes_text_only() -> None:
    with pytest.raises(SDKUsageError, match="takes text, not int"):
        Image().env("PORT", 80)  # type: ignore[arg-type]
