"""What a body may be: limited as it arrives, before a route sees it. An ASGI middleware.

Rules of this file
- Bytes are counted as they come, whatever `Content-Length` says. zstd is decompressed in pieces, and what comes out is
  counted, too: a small body must not become a large one (a one-shot limit let 8 KB become 256 MiB).
- JSON is refused as soon as it is nested too deep, so no parser ever recurses into it.
- The rest of a body that was refused is not read: the connection is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import zstandard
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jupyter_durable.server.refusals import Refusal, answer
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.store.http import wire

_FED: Final = 1 << 10
"""Bytes of zstd that are expanded at once: at its best ratio 1 kB becomes some 30 MB."""
_WINDOW: Final = 1 << 23
"""The largest window of zstd that is decompressed, in bytes of memory."""


class LimitBodies:
    """Refuses bodies that are too large or nested too deep."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        value = scope["path"].startswith(wire.BLOBS)
        most = self._settings.most_value if value else self._settings.most_body
        body = _Body(receive, headers, most, self._settings.most_depth)
        refused = body.refuse_at_once()
        if refused is not None:
            await _refuse(refused, scope, receive, send)
            return
        answered = False

        async def sending(message: Message) -> None:
            nonlocal answered
            if body.refused is None:
                answered = True
                await send(message)
            elif not answered:  # whatever the route made of it
                answered = True
                await _refuse(body.refused, scope, receive, send)

        await self._app(scope, body.receive, sending)


async def _refuse(refused: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    response = answer(refused.status_code, refused.code, refused.message)
    response.headers["Connection"] = "close"
    await response(scope, receive, send)


class _Body:
    """The body of one request, as it arrives."""

    def __init__(self, receive: Receive, headers: Headers, most: int, most_depth: int) -> None:
        self._receive = receive
        self._headers = headers
        self._most = most
        self.refused: Refusal | None = None
        self._sent = self._size = 0
        encoding = headers.get("content-encoding", "identity").lower()
        self._encoding = encoding
        self._expand = (
            zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj() if encoding == "zstd" else None
        )
        kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        self._depth = _Depth(most_depth) if kind == "application/json" or kind.endswith("+json") else None

    def refuse_at_once(self) -> Refusal | None:
        """What the head of the request is refused for."""
        if self._encoding not in ("identity", "zstd"):
            return Refusal(415, "Unsupported", f"a body is sent as it is or as zstd, not as {self._encoding[:40]}")
        length = self._headers.get("content-length", "0")
        return self._too_large() if length.isdecimal() and int(length) > self._most else None

    async def receive(self) -> Message:
        """The next piece. Raises `Refusal`, which is kept: frameworks turn errors of a body into others."""
        try:
            return self._checked(await self._receive())
        except Refusal as refused:
            self.refused = refused
            raise

    def _checked(self, message: Message) -> Message:
        if message["type"] != "http.request":
            return message
        sent = message.get("body", b"")
        self._sent += len(sent)
        if self._sent > self._most:
            raise self._too_large()
        body = sent if self._expand is None else b"".join(self._expanded(sent))
        if self._depth is not None:
            self._depth.feed(body)
        return {**message, "body": body}

    def _expanded(self, sent: bytes) -> Iterator[bytes]:
        """What a piece becomes; fed in small pieces, so that what comes out of one is bounded before it is counted."""
        assert self._expand is not None
        for at in range(0, len(sent), _FED):
            try:
                piece = self._expand.decompress(sent[at : at + _FED])
            except zstandard.ZstdError as error:
                raise Refusal(400, "Malformed", f"the body is no zstd: {error}") from None
            self._size += len(piece)
            if self._size > self._most:
                raise self._too_large()
            yield piece

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            "TooLarge",
            f"a body of this route has {self._most} bytes at most, also after it is decompressed; send less at once",
        )


class _Depth:
    """How deep JSON is nested, seen byte by byte across pieces."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0
        self._quoted = self._escaped = False

    def feed(self, piece: bytes) -> None:
        for byte in piece:
            if self._quoted:
                if self._escaped:
                    self._escaped = False
                elif byte == 0x5C:
                    self._escaped = True
                elif byte == 0x22:
                    self._quoted = False
            elif byte == 0x22:
                self._quoted = True
            elif byte in b"[{":
                self._open += 1
                if self._open > self._most:
                    raise Refusal(400, "TooDeep", f"JSON may be nested {self._most} deep, and this is deeper")
            elif byte in b"]}":
                self._open -= 1
