"""What is too large, too deep, no message, or of another version: a typed answer, at once, and the server goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from fastapi import FastAPI
from starlette.requests import Request
from starlette.testclient import TestClient

from jupyter_durable.errors import StoreError, StoreVersionError
from jupyter_durable.server.app import create_app
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.server.tokens import TokenFile
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Filter
from jupyter_durable.store.http import wire
from jupyter_durable.testing.conformance.rows import new_request
from tests.server_app.serving import Serving

MOST = 1 << 20


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    app = create_app(ServerSettings(tmp_path / "server", most_body=MOST, most_value=2 * MOST, most_depth=20))

    @app.post("/takes-json")
    async def takes_json(request: Request) -> int:
        return len(await request.body())

    @app.post("/takes-model")
    def takes_model(given: dict[str, object]) -> int:
        return len(given)

    return app


@pytest.fixture
def client(app: FastAPI, tmp_path: Path) -> Iterator[TestClient]:
    token, _ = TokenFile(tmp_path / "server").create("default", "admin", 0.0, None)
    headers = {"Authorization": f"Bearer {token}", wire.PROTOCOL_HEADER: "1", wire.NOW_HEADER: "1.0"}
    with TestClient(app, raise_server_exceptions=False, headers=headers) as client:
        yield client


def said(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(client: TestClient) -> None:
    large = b"x" * (MOST + 1)
    for path in (wire.STORE + "request", "/takes-json", "/takes-model"):
        assert said(client.post(path, content=large)) == (413, "TooLarge")
        pieces = (large[at : at + 1000] for at in range(0, len(large), 1000))
        assert said(client.post(path, content=pieces)) == (413, "TooLarge")
    value = (b"x" * MOST for _ in range(3))
    assert said(client.put(wire.BLOBS + "0" * 64, content=value)) == (413, "TooLarge")


def test_a_small_body_that_becomes_a_large_one_is_refused_before_it_is_whole(client: TestClient) -> None:
    bomb = zstandard.compress(bytes(256 << 20), 19)
    assert len(bomb) < 20_000
    for path in (wire.STORE + "request", "/takes-json", "/takes-model"):
        answer = client.post(path, content=bomb, headers={"Content-Encoding": "zstd"})
        assert said(answer) == (413, "TooLarge")
    assert said(client.post("/takes-json", content=b"no zstd", headers={"Content-Encoding": "zstd"})) == (
        400,
        "Malformed",
    )
    assert said(client.post("/takes-json", content=b"", headers={"Content-Encoding": "br"})) == (415, "Unsupported")


def test_bytes_that_become_nothing_are_counted_as_they_arrive(client: TestClient) -> None:
    """A frame of zstd that is skipped is as large as it likes, and nothing comes out of it."""
    skipped = (0x184D2A50).to_bytes(4, "little") + (3 * MOST).to_bytes(4, "little") + bytes(3 * MOST)
    pieces = (skipped[at : at + 1000] for at in range(0, len(skipped), 1000))
    answer = client.post("/takes-json", content=pieces, headers={"Content-Encoding": "zstd"})
    assert said(answer) == (413, "TooLarge")


def test_a_body_in_zstd_is_read_as_what_it_was(client: TestClient) -> None:
    body = zstandard.compress(wire.encode((Filter(),)))
    answer = client.post(wire.STORE + "requests", content=body, headers={"Content-Encoding": "zstd"})
    assert (answer.status_code, wire.result("requests", answer.content)) == (200, [])


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"x]":'])
def test_json_that_is_nested_too_deep_is_refused_before_it_is_parsed(client: TestClient, opening: bytes) -> None:
    given = {"Content-Type": "application/json"}
    for path in ("/takes-json", "/takes-model"):
        assert said(client.post(path, content=opening * 10_000, headers=given)) == (400, "TooDeep")
    quoted = b'{"a": "' + b"[" * 1000 + b'\\" {{{"}'
    assert client.post("/takes-model", content=quoted, headers=given).json() == 1


NO_MESSAGES = [b"", b"\xc1", b"\x91", b"{}", wire.encode(("r", "s")), wire.encode((1,)), b"\x91" * 9999]


@pytest.mark.parametrize("body", NO_MESSAGES)
def test_what_is_no_message_is_named_and_changes_nothing(client: TestClient, body: bytes) -> None:
    assert said(client.post(wire.STORE + "request", content=body)) == (400, "Malformed")


def test_a_value_that_is_not_what_its_name_says_is_refused(client: TestClient) -> None:
    for body in (b"", b"anything", b"JDBLOB1\n" + b"\xff" * 100):
        assert said(client.put(wire.BLOBS + "ab" * 32, content=body)) == (400, "Malformed")
    for name in ("x", "..%2f..%2fetc%2fpasswd", "AB" * 32, "ab" * 33):
        assert client.put(wire.BLOBS + name, content=b"x").status_code in (404, 422)


def test_the_side_that_is_to_be_updated_is_named(client: TestClient) -> None:
    for version, side in (("2", "update the server"), ("0", "update jupyter-durable where you work"), ("x", "where")):
        answer = client.post(wire.STORE + "size", content=b"\x90", headers={wire.PROTOCOL_HEADER: version})
        assert said(answer) == (400, "StoreVersionError")
        assert side in answer.json()["message"]


def test_a_newer_client_is_told_so_by_a_typed_error(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", serving.token())
    monkeypatch.setattr(wire, "PROTOCOL", 2)
    with pytest.raises(StoreVersionError, match="update the server"):
        open_store(serving.url)


def test_a_bad_token_is_a_typed_error_that_says_what_to_do_and_not_the_token(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", "jdt_0_nothing")
    with pytest.raises(StoreError, match="token create") as caught:
        open_store(serving.url)
    assert "nothing" not in str(caught.value)
    assert caught.value.status_code == 401  # type: ignore[attr-defined]
    monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", serving.token("read"))
    store = open_store(serving.url)
    with pytest.raises(StoreError, match="allows read, and this needs write"):
        store.accept(new_request())
    assert store.requests(Filter()) == []
    store.close()
