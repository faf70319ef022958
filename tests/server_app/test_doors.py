"""Every route with every kind of token: a route that is not listed here fails until it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from jupyter_durable.server.app import create_app
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.server.tokens import SCOPES, TokenFile
from jupyter_durable.store.http import wire

OPEN = {"GET /health", "GET /ready", "GET /", "GET /page.js", "GET /page.css", "GET /page/me"}
"""The page itself tells nothing, and `me` nobody anything but himself."""
PAGE = {
    "POST /page/session": "read",
    "DELETE /page/session": "read",
    "GET /page/requests": "read",
    "GET /page/requests/{id}/changes": "read",
    "GET /page/requests/{id}/output": "read",
    "GET /page/requests/{id}/{what}": "read",
    "POST /page/requests/{id}/cancel": "write",
    "POST /page/requests/{id}/replay": "write",
}
APPLICATIONS = {
    "GET ": "read",
    "POST ": "admin",
    "GET /{application}": "read",
    "POST /{application}": "write",
    "GET /{application}/requests": "read",
    "GET /{application}/requests/{id}": "read",
    "DELETE /{application}/requests/{id}": "write",
    "GET /{application}/requests/{id}/tree": "read",
    "GET /{application}/requests/{id}/progress": "read",
    "GET /{application}/requests/{id}/output": "read",
    "POST /{application}/requests/{id}/replay": "write",
    "POST /{application}/requests/{id}/cancel": "write",
}
"""Below `/applications`, and below that of a namespace."""
NEEDS = {
    **{f"POST {wire.STORE}{name}": verb.scope for name, verb in wire.VERBS.items()},
    **PAGE,
    "GET /v1/blobs/{name}": "read",
    "PUT /v1/blobs/{name}": "write",
    "GET /v1/requests/{id}/changes": "read",
    "GET /openapi.json": "read",
    "GET /metrics": "admin",
    **{
        f"{method} {prefix}/applications{path}": scope
        for (method, _, path), scope in ((route.partition(" "), scope) for route, scope in APPLICATIONS.items())
        for prefix in ("", "/v1/namespaces/{namespace}")
    },
}
"""What a route needs."""
NOW = 1_000_000_000.0
HEADERS = {wire.PROTOCOL_HEADER: "1", wire.NOW_HEADER: "1.0"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return create_app(ServerSettings(tmp_path_factory.mktemp("server")))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def tokens(app: FastAPI) -> TokenFile:
    tokens: TokenFile = app.state.server.tokens
    return tokens


def routes(app: FastAPI) -> list[tuple[str, str]]:
    found = []
    for path, methods in every_route(app.routes):
        found += [(method, path) for method in sorted(methods - {"HEAD"})]
    return sorted(found)


def every_route(routes: list[Any], prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    """Those of included routers as well: newer versions of the framework keep these apart."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield prefix + route.path, set(route.methods or ())
        else:  # what is neither, as a mounted app, is an error here: it would have doors of its own
            yield from every_route(route.original_router.routes, prefix + route.include_context.prefix)


def status(client: TestClient, method: str, path: str, token: str | None) -> int:
    filled = re.sub(r"\{\w+\}", "0" * 64, path)
    given = {} if token is None else {"Authorization": f"Bearer {token}"}
    return client.request(method, filled, headers={**HEADERS, **given}, content=b"").status_code


def test_every_route_is_listed_with_what_it_needs(app: FastAPI) -> None:
    assert {f"{method} {path}" for method, path in routes(app)} == {*NEEDS, *OPEN}


def test_nobody_gets_in_without_a_good_token(app: FastAPI, client: TestClient, tokens: TokenFile) -> None:
    good, kept = tokens.create("mine", "admin", NOW, None)
    expired, _ = tokens.create("mine", "admin", NOW, 1.0)
    revoked, gone = tokens.create("mine", "admin", NOW, None)
    tokens.revoke(gone.id, NOW)
    forged = f"jdt_{kept.id}_{'A' * 43}"
    bad = [None, "", "x", good[:-1], good + "A", good.upper(), forged, expired, revoked, "jdt_" + kept.hash]
    for method, path in routes(app):
        for token in bad:
            wanted = {200} if f"{method} {path}" in OPEN else {401}
            assert status(client, method, path, token) in wanted, (method, path)


def test_each_route_lets_in_the_scope_it_needs_and_wider_ones_only(
    app: FastAPI, client: TestClient, tokens: TokenFile
) -> None:
    for scope in SCOPES:
        token, _ = tokens.create("mine", scope, NOW, None)
        for method, path in routes(app):
            needed = NEEDS.get(f"{method} {path}", "read")
            refused = status(client, method, path, token) == 403
            assert refused == (SCOPES.index(scope) < SCOPES.index(needed)), (method, path, scope)


def test_another_namespace_sees_and_changes_nothing(app: FastAPI, client: TestClient, tokens: TokenFile) -> None:
    from jupyter_durable.store.base import Filter
    from jupyter_durable.testing.conformance.rows import outcome, started

    store = app.state.server.namespaces.store("secret")
    journal = started(store)
    journal.record(outcome(2))
    blob = store.put_blob(b"head", [b"x" * 100])
    row = store.request("r1")
    token, _ = tokens.create("foreign", "admin", NOW, None)
    given = {**HEADERS, "Authorization": f"Bearer {token}"}

    def ask(verb: str, *arguments: object) -> Any:
        answer = client.post(wire.STORE + verb, headers=given, content=wire.encode(arguments))
        return wire.result(verb, answer.content) if answer.status_code == 200 else answer.status_code

    looks = {
        "request": ("r1",), "requests": (Filter(),), "children": (row.serial, 1, 0, 9), "call": (row.serial, 1, 2),
        "reached": (row.serial, 1), "decided": (row.serial, 1), "runs": (row.serial,), "attempts": (row.serial, 2),
        "logs": (row.serial, None), "progress": (row.serial,), "metrics": (row.serial,), "code": (row.code_key,),
    }  # fmt: skip
    assert {ask(verb, *arguments) if verb != "call" else None for verb, arguments in looks.items()
            if not isinstance(ask(verb, *arguments), list)} <= {400, None}  # fmt: skip
    assert all(ask(verb, *arguments) in ([], None, 400) for verb, arguments in looks.items())
    assert client.get(wire.BLOBS + blob.hex(), headers=given).status_code == 404
    assert client.get("/v1/requests/r1/changes", headers=given).status_code == 400
    for verb in ("cancel", "delete"):
        assert ask(verb, row.serial) == 400
    assert ask("finish", journal.lease, _finish()) == 409
    assert store.request("r1") == row
    store.close()


def _finish() -> object:
    from jupyter_durable.testing.conformance.rows import ended

    return ended(None)


def test_a_token_is_kept_as_its_hash_and_never_told(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "server")
    text, kept = tokens.create("mine", "write", NOW, None)
    secret = text.split("_", 2)[2]
    assert len(secret) >= 43  # 256 bits
    assert secret not in tokens.path.read_text()
    assert secret not in repr(tokens.all())
    assert tokens.path.stat().st_mode & 0o777 == 0o600
    assert tokens.find(text, NOW) == kept


def test_a_token_that_is_revoked_or_made_while_the_server_runs_holds_at_once(
    client: TestClient, tokens: TokenFile
) -> None:
    text, kept = TokenFile(tokens.path.parent).create("mine", "read", NOW, None)
    assert status(client, "GET", "/openapi.json", text) == 200
    TokenFile(tokens.path.parent).revoke(kept.id, NOW)
    assert status(client, "GET", "/openapi.json", text) == 401
