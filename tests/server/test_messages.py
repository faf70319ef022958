"""Laws m and n, as far as there are messages: what the panel asks of its server may come twice, cut or late, and the
server may be killed at any time. Requests run in processes of their own and are theirs alone."""

from __future__ import annotations

import http.client
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server.conftest import TOKEN, Reply, Server, serving

ONE = """
@application()
@function()
def shout(text: str) -> str:
    with open("ran", "a") as log:
        log.write(text + "\\n")
    return text.upper()
print(run_local_application(shout, {text!r}).id)
"""
HOLDS = """
@function()
def part(n):
    print("in", flush=True)
    sys.stdin.readline()
    return n
@application()
@function()
def holds(n: int) -> list[int]:
    return [part(n), part(n + 1)]
print(run_local_application(holds, 7).output(), flush=True)
"""


def cut(server: Server, path: str, body: bytes, length: int) -> None:
    """A POST of which only the first bytes arrive, then the connection ends."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=100)
    connection.putrequest("POST", f"/jupyter-durable/{path}")
    connection.putheader("Authorization", f"token {TOKEN}")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:length])
    connection.close()


def at_once(server: Server, path: str, body: object) -> list[Reply]:
    """The answers to three of the same message."""
    with ThreadPoolExecutor(3) as several:
        return list(several.map(lambda _: server.ask(path, body), range(3)))


def test_messages_that_come_twice_at_once_cut_and_late_do_what_one_of_them_does(server: Server, tmp_path: Path) -> None:
    """Of each verb: the state is that of one message; what comes after a request is gone is refused with a sentence."""
    chance = random.Random(7)
    ids = [server.ran(ONE.format(text=f"x{n}"), tmp_path / "store.db") for n in range(2)]
    rows = {each["id"]: each for each in server.ask("requests", limit=2000).body["requests"]}
    for id in ids:
        at = f"requests/{rows[id]['store']}/{id}"
        for verb, body in (("pin", {"pinned": True}), ("cancel", {}), ("pin", {"pinned": False})):
            sent = json.dumps(body).encode()
            for _ in range(3):
                cut(server, f"{at}/{verb}", sent, chance.randrange(len(sent)))
            statuses = {reply.status for reply in at_once(server, f"{at}/{verb}", body)}
            assert statuses == {409 if verb == "cancel" else 200}  # it has ended
            info = server.ask(f"{at}/info").body
            assert (info["status"], info["runs"]) == ("succeeded", 1)
            assert verb == "cancel" or info["pinned"] is body["pinned"]
        found = {reply.status for reply in at_once(server, f"{at}/delete", {})}
        assert 200 in found
        assert found <= {200, 404, 409}
        assert server.ask(f"{at}/pin", {"pinned": True}).status == 404
    assert sorted((server.directory / "ran").read_text().split()) == ["x0", "x1"]


@pytest.mark.full
def test_a_server_that_is_killed_while_it_answers_strands_no_request(tmp_path: Path) -> None:
    """Three times: a request runs in its own process, ends, and the next server says so."""
    for n in range(3):
        store = tmp_path / f"store{n}.db"
        with serving(tmp_path) as (server, process), server.program(HOLDS, store) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            assert program.stdout.readline() == "in\n"
            (running,) = [each for each in server.ask("requests").body["requests"] if each["status"] == "running"]
            path = f"requests/any/{running['id']}/snapshot"
            asking = [threading.Thread(target=_asked, args=(server, path)) for _ in range(8)]
            for thread in asking:
                thread.start()
            process.kill()
            for thread in asking:
                thread.join()
            printed, _ = program.communicate("\n\n", timeout=100)
            assert printed.splitlines()[-1] == "[7, 8]"
        with serving(tmp_path) as (server, _):
            info = server.ask(f"requests/any/{running['id']}/info").body
            assert (info["status"], info["runs"]) == ("succeeded", 1)


def _asked(server: Server, path: str) -> None:
    """A question to which no answer may come."""
    try:
        server.ask(path)
    except (OSError, http.client.HTTPException):
        return
