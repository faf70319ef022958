"""One server, as a store needs it: a pool of connections, and operations that are sent until they are answered.

Rules of this file
- What was sent and not answered is sent again, with the same idempotency key and the word that it is sent again. An
  answer counts when all of it has arrived.
- What says that the server cannot work now (no connection, 429, 502, 503, 504) is waited out; every other refusal is
  raised as the error that it names.
- No redirect is followed, so the token goes to the origin that the user named, and nowhere else.
"""

from __future__ import annotations

import json
import os
import secrets
import ssl
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, Final

import httpx

from jupyter_durable.core.model import RequestRow
from jupyter_durable.errors import DurableError, StoreError
from jupyter_durable.store.http import wire
from jupyter_durable.store.http.origin import origin_of, token_for
from jupyter_durable.store.http.outage import Outage

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0
"""Without a byte for so long a connection is given up and another one tried."""
CONNECTIONS: Final = 32
COMPRESSED: Final = 4096
"""Bodies from so many bytes on are compressed."""
_AWAY: Final = frozenset({429, 502, 503, 504})
Send = Callable[[dict[str, str]], httpx.Response]


class Link:
    """A server and the way to it."""

    def __init__(self, url: str, tell: Callable[[str], None] | None = None) -> None:
        origin = origin_of(url)
        self.url = origin.url
        self.outage = Outage(origin.url, tell)
        self._pid = os.getpid()
        self._closed = False
        self._opening = secrets.token_hex(12)
        self._numbers = count()  # its next is atomic
        self._client = httpx.Client(
            base_url=origin.base,
            headers={
                "Authorization": f"Bearer {token_for(origin)}",
                wire.PROTOCOL_HEADER: str(wire.PROTOCOL),
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            follow_redirects=False,
        )

    def is_over(self) -> bool:
        """Whether it was closed, or belongs to the process that this one was forked from."""
        return self._closed or os.getpid() != self._pid

    def usable(self) -> None:
        """Raise `StoreError` after `close`, and in the child of a fork."""
        if os.getpid() != self._pid:
            raise StoreError(f"the store {self.url} was opened before a fork; open another one in this process")
        if self._closed:
            raise StoreError(f"the store {self.url} is closed; open it again")

    def ask(self, verb: str, *arguments: object, again: bool = False) -> Any:
        """What the store answers to a verb. Raises the error that it names."""
        body = wire.encode(arguments)
        headers = {"Content-Type": wire.MSGPACK, wire.KEY_HEADER: f"{self._opening}-{next(self._numbers)}"}
        if len(body) >= COMPRESSED:
            import zstandard

            body = zstandard.ZstdCompressor(level=1).compress(body)
            headers["Content-Encoding"] = "zstd"
        response = self.answered(
            lambda more: self._client.post(wire.STORE + verb, content=body, headers={**headers, **more}), again=again
        )
        found = wire.result(verb, response.content)
        theirs, ours = _clock_of(response), time.time()
        return _here(found, theirs, ours)

    def reach(self) -> None:
        """Whether the server is there, lets us in and has its store, at once. Raises `StoreError`."""
        body = wire.encode(((None,) * 7 + (1,),))
        try:
            self._checked(self._client.post(wire.STORE + "requests", content=body, headers=_stamped(again=False)))
        except httpx.RequestError as error:
            self._refuse_stranger(error)
            raise StoreError(f"the server at {self.url} cannot be reached: {_why(error)}; check the URL") from None

    def put(self, name: str, pieces: Callable[[], Iterable[bytes]], size: int) -> str:
        """Send a large value; the name the store has given it."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        response = self.answered(
            lambda more: self._client.put(wire.BLOBS + name, content=pieces(), headers={**headers, **more})
        )
        return str(response.json()["name"])

    def get(self, name: str) -> bytearray:
        """A large value, in the form of its file."""
        taken = bytearray()

        def send(more: dict[str, str]) -> httpx.Response:
            taken.clear()
            with self._client.stream("GET", wire.BLOBS + name, headers=more) as response:
                if response.status_code != httpx.codes.OK:
                    response.read()
                    return response
                for piece in response.iter_raw():
                    taken.extend(piece)
                return response

        self.answered(send)
        return taken

    def answered(self, send: Send, *, again: bool = False) -> httpx.Response:
        """The answer to what `send` sends, with headers it is given, however often it takes."""
        for tries in count():
            self.usable()
            try:
                response = send(_stamped(again=again or tries > 0))
            except KeyboardInterrupt:
                self.outage.give_up()
                raise
            except httpx.RequestError as error:
                self._refuse_stranger(error)
                why = _why(error)
            except RuntimeError as error:  # how httpx says that another thread has closed it
                self.usable()
                raise StoreError(f"the server at {self.url} could not be asked: {error}") from error
            else:
                if response.status_code not in _AWAY:
                    self.outage.over()
                    return self._checked(response)
                why = _said(response)[1]
            self._wait(tries, why)
        raise AssertionError  # count() has no end

    def _wait(self, tries: int, why: str) -> None:
        try:
            self.outage.wait(tries, why)
        except KeyboardInterrupt:
            self.outage.give_up()
            raise

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.status_code == httpx.codes.OK:
            return response
        raise self._error(response)

    def _error(self, response: httpx.Response) -> DurableError:
        if response.is_redirect:
            said = f"{self.url} sends elsewhere, and the token goes nowhere else; give the URL of the server itself"
            return wire.error_of(response.status_code, "", said)
        code, message = _said(response)
        return wire.error_of(response.status_code, code, message)

    def _refuse_stranger(self, error: httpx.RequestError) -> None:
        """Raise `StoreError` for a certificate that is not believed: waiting would not help."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise StoreError(
                    f"the server at {self.url} shows a certificate that is not trusted here ({cause.verify_message});"
                    " put that of its authority into a file and name it in SSL_CERT_FILE"
                ) from None
            cause = cause.__cause__ or cause.__context__

    def close(self) -> None:
        """Let go of the connections; whoever still waits is refused. In the child of a fork nothing is touched."""
        if not self.is_over():
            self._closed = True
            self._client.close()


def _stamped(*, again: bool) -> dict[str, str]:
    headers = {wire.NOW_HEADER: repr(time.time())}
    if again:
        headers[wire.AGAIN_HEADER] = "1"
    return headers


def _why(error: httpx.RequestError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _said(response: httpx.Response) -> tuple[str, str]:
    """Code and message of a refusal; whatever is no refusal of ours says so."""
    try:
        said = json.loads(response.content)
        return str(said["code"]), str(said["message"])
    except (ValueError, TypeError, KeyError):
        return "", f"{response.status_code} {response.reason_phrase}, which is no answer of jupyter-durable's server"


def _clock_of(response: httpx.Response) -> float:
    try:
        return float(response.headers[wire.NOW_HEADER])
    except (KeyError, ValueError):
        raise wire.Malformed("the answer does not say what time it is there; is it a server of ours?") from None


def _here(found: Any, theirs: float, ours: float) -> Any:
    """A result with the ends of leases by our clock."""
    if isinstance(found, RequestRow):
        return found._replace(lease_until=wire.translated(found.lease_until, theirs, ours))
    if isinstance(found, list) or type(found) is tuple:
        return type(found)(_here(each, theirs, ours) for each in found)
    return found
