"""What an operator relies on: health, readiness, figures, a log without secrets, a server that ends as it should."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from jupyter_durable.errors import SDKUsageError, StoreError, StoreGone
from jupyter_durable.server.health import _Check
from jupyter_durable.server.namespaces import Namespaces
from jupyter_durable.server.serving import bound
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Filter
from jupyter_durable.testing.conformance.rows import new_request, outcome, started
from tests.server_app.serving import PATIENCE, Serving


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    server = Serving(tmp_path / "server").start()
    monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", server.token("admin"))
    yield server
    server.kill()


def test_a_server_whose_database_is_gone_says_so_and_comes_back_by_itself(own: Serving) -> None:
    store = open_store(own.url)
    store.accept(new_request())
    assert httpx.get(f"{own.url}/ready").status_code == 200
    home = own.folder / "namespaces" / "default"
    away = home.with_name("away")
    home.rename(away)
    assert httpx.get(f"{own.url}/ready").status_code == 503
    assert httpx.get(f"{own.url}/health").status_code == 200
    found: list[str] = []
    asker = threading.Thread(target=lambda: found.append(store.request("r1").id))
    asker.start()
    asker.join(0.3)
    assert found == []  # it waits, and is answered when the database is back
    away.rename(home)
    asker.join(PATIENCE)
    assert found == ["r1"]
    assert httpx.get(f"{own.url}/ready").status_code == 200
    store.close()


def test_what_had_a_store_gets_no_other_in_its_place(tmp_path: Path) -> None:
    first = Namespaces(ServerSettings(tmp_path))
    first.store("a").accept(new_request())
    first.close()
    (tmp_path / "namespaces" / "a").rename(tmp_path / "away")
    second = Namespaces(ServerSettings(tmp_path))
    with pytest.raises(StoreGone, match="its log says which file"):
        second.url("a")
    assert not (tmp_path / "namespaces" / "a").exists()
    assert second.store("b").requests(Filter()) == []
    (tmp_path / "made" / "a").unlink()
    assert second.store("a").requests(Filter()) == []
    second.close()


@pytest.mark.full
def test_a_store_that_is_missing_when_a_server_starts_is_not_made_anew(own: Serving) -> None:
    """A volume that is not mounted would look like an empty namespace, and be written to."""
    with_one = open_store(own.url)
    with_one.accept(new_request())
    with_one.close()
    assert own.stop() in (0, -15)
    home = own.folder / "namespaces"
    away = home.with_name("away")
    home.rename(away)
    own.start()
    headers = {"Authorization": f"Bearer {own.token('read')}"}
    refused = httpx.get(f"{own.url}/v1/requests/r1/changes", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (503, "StoreGone")
    assert str(own.folder) not in refused.text
    assert any("to_begin_anew_remove" in line and "made/default" in line for line in own.log)
    assert not home.exists()
    away.rename(home)
    assert httpx.get(f"{own.url}/v1/requests/r1/changes?wait=0", headers=headers).json()["id"] == "r1"


async def test_whether_a_server_is_ready_is_answered_in_time_by_one_look_at_a_store_that_hangs() -> None:
    looks: list[int] = []
    goes_on = threading.Event()

    def look() -> None:
        looks.append(1)
        goes_on.wait(PATIENCE)

    check = _Check(look)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await check.within(0.01)
    assert len(looks) == 1
    goes_on.set()
    await check.within(PATIENCE)


def test_an_outage_is_told_once_and_what_waits_goes_on_when_the_server_is_back(own: Serving) -> None:
    told: list[str] = []
    said = threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        said.set()

    store = open_store(own.url, tell)
    journal = started(store)
    own.kill()
    worker = threading.Thread(target=journal.record, args=(outcome(2),))
    worker.start()
    assert said.wait(PATIENCE)
    assert worker.is_alive()
    own.start()
    worker.join(PATIENCE)
    assert not worker.is_alive()
    assert store.call(journal.lease.serial, 1, 2) == outcome(2)
    assert len(told) == 1
    assert "does not answer since" in told[0]
    assert "Interrupt to give up" in told[0]
    store.close()


WAITS = """
import os, signal, sys, threading
from jupyter_durable import application, function, run_local_application

@function()
def stage(n: int) -> int:
    if n == 3:
        os.kill(int(sys.argv[1]), signal.SIGKILL)
        threading.Timer(4, os.kill, (os.getpid(), signal.SIGINT)).start()
    return n

@application()
def pipeline(count: int) -> int:
    return sum(stage(n) for n in range(1, count + 1))

run_local_application(pipeline, 10)
"""


def test_an_interrupt_gives_up_a_server_that_is_away(own: Serving, tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    ended = subprocess.run(
        [sys.executable, "waits.py", str(own.pid)], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "JUPYTER_DURABLE_STORE": own.url, "JUPYTER_DATA_DIR": str(tmp_path / "data")},
        timeout=PATIENCE,
    )  # fmt: skip
    assert ended.returncode != 0
    assert "does not answer since" in ended.stderr
    own.start()
    store = open_store(own.url)
    row = store.request("last")
    assert [call.status for call in store.children(row.serial, 1, 0, 9)][:2] == ["succeeded", "succeeded"]
    store.close()


def test_a_server_that_is_told_to_end_finishes_what_is_in_flight(own: Serving) -> None:
    store = open_store(own.url)
    journal = started(store)
    acknowledged: list[int] = []

    def write() -> None:
        with contextlib.suppress(StoreError):  # the store is closed at the end
            for identity in range(2, 100_000):
                journal.record(outcome(identity))
                acknowledged.append(identity)

    worker = threading.Thread(target=write, daemon=True)
    worker.start()
    while len(acknowledged) < 20:
        time.sleep(0.01)
    assert own.stop() in (0, -15)
    kept = len(acknowledged)
    own.start()
    rows = store.children(journal.lease.serial, 1, 0, 100_000)
    assert len(rows) >= kept
    store.close()
    worker.join(PATIENCE)
    assert not any("Traceback" in line for line in own.log), own.log


def test_the_log_is_lines_of_json_that_tell_who_did_what_and_no_secret(own: Serving) -> None:
    store = open_store(own.url)
    store.accept(new_request())
    token = os.environ["JUPYTER_DURABLE_TOKEN"]
    figures = httpx.get(f"{own.url}/metrics", headers={"Authorization": f"Bearer {token}"})
    assert 'durable_http_requests_total{method="POST",route="/v1/store/accept",status="200"} 1.0' in figures.text
    store.close()
    own.stop()
    lines = [json.loads(line) for line in own.log if line.startswith("{")]
    (accept,) = [line for line in lines if line.get("route") == "/v1/store/accept"]
    assert (accept["method"], accept["status"], accept["namespace"]) == ("POST", 200, "default")
    assert accept["token"] in token
    secret = token.split("_", 2)[2]
    assert not any(secret in line for line in own.log)


def test_a_server_with_tls_is_believed_by_who_knows_its_authority_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    cert = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    cert.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for n, blob in enumerate(cert.cert_chain_pems):
        blob.write_to_path(str(tmp_path / "cert.pem"), append=n > 0)
    server = Serving(
        tmp_path / "server", "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")
    ).start()
    try:
        monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", server.token())
        url = server.url.replace("http:", "https:")
        with pytest.raises(StoreError, match=r"certificate that is not trusted|SSL_CERT_FILE"):
            open_store(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        store = open_store(url)
        assert store.requests(Filter()) == []
        store.close()
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("host", "tokens", "tls", "proxy", "opens"),
    [
        ("127.0.0.1", False, False, False, True),
        ("::1", False, False, False, True),
        ("localhost", False, False, False, True),
        ("0.0.0.0", False, True, False, False),
        ("0.0.0.0", True, False, False, False),
        ("::", True, False, False, False),
        ("server.example", True, False, False, False),
        ("0.0.0.0", True, True, False, True),
        ("0.0.0.0", True, False, True, True),
        ("0.0.0.0", False, False, True, False),
    ],
)
def test_no_door_is_open_to_others_without_tokens_and_tls(
    tmp_path: Path, host: str, tokens: bool, tls: bool, proxy: bool, opens: bool
) -> None:
    file = tmp_path / "x.pem" if tls else None
    settings = ServerSettings(tmp_path, host=host, tls_cert=file, tls_key=file, behind_proxy=proxy)
    if opens:
        settings.refuse_open_door(tokens=tokens)
    else:
        with pytest.raises(SDKUsageError, match=host):
            settings.refuse_open_door(tokens=tokens)


@pytest.mark.parametrize(
    "url", ["http://example.org", "https://user:secret@example.org", "https://example.org/?a=secret"]
)
def test_a_url_that_would_give_secrets_away_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", "jdt_x_y")
    with pytest.raises(SDKUsageError) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_small_answers_are_sent_at_once(tmp_path: Path) -> None:
    """asyncio does that for sockets that say that they are TCP; others wait for an acknowledgement, 40 ms each time."""
    with bound(ServerSettings(tmp_path, port=0)) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_the_server_never_imports_what_loads_values(tmp_path: Path) -> None:
    """An import hook in the server's process: pickle's loader for the values of users stays out of it."""
    hook = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith(('cloudpickle', 'jupyter_durable.serializer', 'jupyter_durable.runner')):\n"
        "            raise AssertionError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "import jupyter_durable.server.serving, pathlib\n"
        "from jupyter_durable.server.settings import ServerSettings\n"
        "jupyter_durable.server.serving.serve(ServerSettings(pathlib.Path(sys.argv[1]), port=0),"
        " lambda text: print(text, file=sys.stderr, flush=True))\n"
    )
    server = Serving(tmp_path / "server", command=[sys.executable, "-c", hook, str(tmp_path / "server")]).start()
    try:
        token = server.token()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JUPYTER_DURABLE_TOKEN", token)
            store = open_store(server.url)
            journal = started(store)
            journal.record(outcome(2, blob=store.put_blob(b"head", [b"x" * 10_000])))
            assert store.children(journal.lease.serial, 1, 0, 9)
            store.close()
    finally:
        assert server.stop() in (0, -15)
    assert not any("AssertionError" in line for line in server.log)
