"""The server's own page from outside a browser: sessions, what another page may send, and what is told of a request."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from jupyter_durable.server.app import create_app
from jupyter_durable.server.page import sessions
from jupyter_durable.server.page.sessions import Sessions
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.server.tokens import Token, TokenFile
from jupyter_durable.store import open_store
from jupyter_durable.testing.conformance.rows import started
from tests.store.database import Server

OURS = {"X-Jupyter-Durable-Page": "1"}
ID = "req_" + "ab" * 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "server"


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(ServerSettings(folder))) as client:
        yield client


def logged_in(client: TestClient, folder: Path, scope: str = "write", namespace: str = "default") -> Token:
    text, token = TokenFile(folder).create(namespace, scope, time.time(), None)
    answer = client.post("/page/session", json={"token": text}, headers=OURS)
    assert answer.status_code == 204, answer.text
    said = answer.headers["set-cookie"]
    assert all(each in said for each in ("HttpOnly", "SameSite=strict", "Path=/page"))
    assert text not in said
    return token


def test_a_cookie_opens_the_page_and_nothing_else(client: TestClient, folder: Path) -> None:
    logged_in(client, folder, "admin")
    assert client.get("/page/requests", headers=OURS).status_code == 200
    for route in ("/metrics", "/openapi.json", "/applications", f"/v1/requests/{ID}/changes"):
        cookies = {each.name: each.value or "" for each in client.cookies.jar}
        given = "; ".join(f"{name}={value}" for name, value in cookies.items())
        assert client.get(route, headers={**OURS, "Cookie": given}).status_code == 401


def test_what_another_page_sends_with_our_cookie_is_refused(client: TestClient, folder: Path) -> None:
    logged_in(client, folder)
    cancel = f"/page/requests/{ID}/cancel"
    assert client.post(cancel).status_code == 403
    assert client.get("/page/requests").status_code == 403
    for site in ("cross-site", "same-site", "none"):
        assert client.post(cancel, headers={**OURS, "Sec-Fetch-Site": site}).status_code == 403
    assert client.post(cancel, headers={**OURS, "Sec-Fetch-Site": "same-origin"}).status_code == 404


def test_nobody_can_be_logged_in_by_another_page(client: TestClient, folder: Path) -> None:
    text, _ = TokenFile(folder).create("default", "read", time.time(), None)
    assert client.post("/page/session", json={"token": text}).status_code == 403
    assert not client.cookies


def test_a_session_ends_with_its_token_with_log_out_and_with_time(client: TestClient, folder: Path) -> None:
    token = logged_in(client, folder)
    TokenFile(folder).revoke(token.id, time.time())
    assert client.get("/page/requests", headers=OURS).status_code == 401
    logged_in(client, folder)
    kept = client.cookies["jupyter-durable-session"]
    assert client.delete("/page/session", headers=OURS).status_code == 204
    assert (
        client.get("/page/requests", headers={**OURS, "Cookie": f"jupyter-durable-session={kept}"}).status_code == 401
    )
    assert client.get("/page/me").json() == {}
    some = Sessions(folder)
    for expires_at, ends_at in ((None, sessions.LONGEST), (50.0, 50.0)):
        text = some.begin(token._replace(expires_at=expires_at), 0.0)
        assert some.token(text, ends_at - 1) == token.id
        assert some.token(text, ends_at) is None


def test_sessions_are_kept_hashed_and_known_to_the_next_server(tmp_path: Path) -> None:
    token = Token("id", "default", "read", "", 0.0, None)
    text = Sessions(tmp_path).begin(token, 10.0)
    assert Sessions(tmp_path).token(text, 11.0) == "id"
    file = tmp_path / "sessions"
    assert text not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    file.write_text("not what it was\n")
    assert Sessions(tmp_path).token(text, 11.0) is None
    many = Sessions(tmp_path)
    texts = [many.begin(token, 10.0) for _ in range(5)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "MOST", 3)
        texts.append(many.begin(token, 10.0))
    assert [many.token(each, 11.0) for each in texts] == [None] * 3 + ["id"] * 3


def test_the_page_runs_nothing_but_its_own_program(client: TestClient) -> None:
    for route, kind in (("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")):
        answer = client.get(route)
        assert answer.headers["content-type"].startswith(kind)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    document = client.get("/").text
    assert re.findall(r"<script[^>]*>([^<]*)</script>", document) == [""]
    assert not re.search(r"<style|style=|\son\w+=", document)


def test_a_namespace_sees_its_own_requests_only_and_no_place_of_the_server(client: TestClient, folder: Path) -> None:
    logged_in(client, folder)
    logged_in(client, folder, namespace="other")
    store = open_store(f"sqlite:///{folder}/namespaces/default/store.db")
    started(store, ID)
    assert client.get("/page/requests", headers=OURS).json()["requests"] == []
    answers = [client.get(f"/page/requests/{ID}/{what}", headers=OURS) for what in ("info", "snapshot", "changes")]
    assert [each.status_code for each in answers] == [404, 404, 400]
    logged_in(client, folder)
    listed = client.get("/page/requests", headers=OURS)
    assert [each["id"] for each in listed.json()["requests"]] == [ID]
    told = [client.get(f"/page/requests/{ID}/{what}", headers=OURS) for what in ("info", "snapshot", "output", "x")]
    assert [each.status_code for each in told] == [200, 200, 409, 422]
    replayed = client.post(f"/page/requests/{ID}/replay", headers=OURS)
    assert (replayed.status_code, replayed.json()["code"]) == (409, "KernelOnly")
    for answer in (*answers, listed, *told, replayed):
        assert str(folder) not in answer.text
    store.close()


def test_a_result_comes_as_a_file_and_never_as_a_page(client: TestClient, folder: Path) -> None:
    from jupyter_durable.server.applications.ledger import NewRequest
    from jupyter_durable.server.applications.records import Deployed, Manifest, Outcome
    from jupyter_durable.server.applications.service import Applications

    app = client.app
    ledger = app.state.server.kept[Applications].ledger  # type: ignore[attr-defined]
    ledger.deploy(Deployed("default", "page", "v1", Manifest.model_validate(MANIFEST), 1.0), b"code")
    ledger.accept(NewRequest(ID, "default", "page", "v1", 1.0, None, {}, []))
    ledger.end(ID, Outcome("succeeded", "success", output=b"<script>alert(1)</script>", content_type="text/html"), 2.0)
    logged_in(client, folder, "read")
    answer = client.get(f"/page/requests/{ID}/output", headers=OURS)
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"] == f'attachment; filename="{ID}.html.txt"'
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


MANIFEST = {"name": "page", "entrypoint": {"function_name": "page"}}


def test_what_shows_requests_may_die_and_is_begun_anew(client: TestClient, folder: Path) -> None:
    from jupyter_durable.server.page.viewer import Viewer

    logged_in(client, folder)
    assert client.get("/page/requests", headers=OURS).status_code == 200
    viewer = client.app.state.server.kept[Viewer]  # type: ignore[attr-defined]
    viewer._process.kill()
    end = time.monotonic() + 60
    while client.get("/page/requests", headers=OURS).status_code != 200:
        assert time.monotonic() < end
    assert json.loads(client.get("/page/requests", headers=OURS).text)["requests"] == []


@pytest.mark.full
def test_requests_in_a_database_are_shown_too(server: Server, folder: Path) -> None:
    url = f"{server.url}&schema={{namespace}}"
    with TestClient(create_app(ServerSettings(folder, url))) as client:
        logged_in(client, folder, namespace="paged")
        store = open_store(url.replace("{namespace}", "paged"))
        started(store, ID)
        assert [each["id"] for each in client.get("/page/requests", headers=OURS).json()["requests"]] == [ID]
        answers = [client.get(f"/page/requests/{ID}/{what}", headers=OURS) for what in ("info", "snapshot")]
        assert [each.json().get("id") or each.json()["request"]["id"] for each in answers] == [ID, ID]
        store.close()
