"""A token goes to the server that the user named, and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jupyter_durable.errors import StoreError
from jupyter_durable.store import open_store


@contextmanager
def listening(elsewhere: str, heard: list[str]) -> Iterator[str]:
    """A server that sends everybody elsewhere; what it was told of tokens."""

    class Redirects(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.headers.get("Authorization", ""))
            self.send_response(307)
            self.send_header("Location", elsewhere)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Redirects)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_no_redirect_is_followed_so_the_token_stays_with_the_server_that_was_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", "jdt_0_secret")
    named: list[str] = []
    other: list[str] = []
    with (
        listening("http://127.0.0.1:9/", other) as elsewhere,
        listening(elsewhere, named) as url,
        pytest.raises(StoreError, match="sends elsewhere") as caught,
    ):
        open_store(url)
    assert (named, other) == (["Bearer jdt_0_secret"], [])
    assert "secret" not in str(caught.value)
