"""The routes of the server extension, asked as anybody could ask them."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.request
from pathlib import Path

import pytest

from tests.server.conftest import TOKEN, Server, sent

ONE = """
@application()
@function()
def greet(name: str) -> str:
    return name.upper()
print(run_local_application(greet, {name!r}).id)
"""
FAILING = """
@function()
def part(n):
    if n == 2:
        raise ValueError("part 2 is broken")
    return n * 10
@application()
@function()
def sum_up(n: int) -> int:
    return sum(part.map(list(range(n))))
print(run_local_application(sum_up, {n}).id)
"""
SAVING = """
@function()
def ask(n):
    RequestContext.get().metrics.counter("tokens", 41_200)
    return n
@application()
@function()
def asking(n: int) -> int:
    if ask(n) and not mended:
        raise ValueError("no answer")
    return n
mended = []
request = run_local_application(asking, 1)
mended.append(1)
print(request.replay(upgrade_to_latest_version=True).id)
"""
NOBODY = "0123456789ab"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of this test's own, which is none that the server knows by itself."""
    return tmp_path / "other.db"


def of(server: Server, id: str) -> str:
    """Where a request is found."""
    found = [each for each in server.ask("requests", limit=2000).body["requests"] if each["id"] == id]
    return f"requests/{found[0]['store']}/{id}"


def test_a_list_says_what_a_replay_saved_in_metrics(server: Server, store: Path) -> None:
    id = server.ran(SAVING, store)
    (one,) = [each for each in server.ask("requests", limit=2000).body["requests"] if each["id"] == id]
    assert (one["status"], one["reused"], one["saved_metrics"]) == ("succeeded", 1, [["counter", "tokens", 41200]])


@pytest.mark.parametrize("path", ["requests", f"requests/any/req_{NOBODY}/snapshot"])
def test_who_is_not_logged_in_is_refused(server: Server, path: str) -> None:
    assert server.ask(path, token="").status == 403
    assert server.ask(path, token="wrong").status == 403


@pytest.mark.parametrize("verb", ["cancel", "delete", "pin", "replay"])
def test_nothing_changes_without_a_login_or_without_the_xsrf_token(server: Server, store: Path, verb: str) -> None:
    """A browser that is logged in by its cookie must show, besides, that the page is ours."""
    id = server.ran(ONE.format(name="x"), store)
    path = f"{of(server, id)}/{verb}"
    assert server.ask(path, {}, token="").status == 403
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    browser.open(f"{server.url}/api/status?token={TOKEN}").close()
    headers = {
        "Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar),
        "Content-Type": "application/json",
    }
    assert headers["Cookie"]
    refused = sent(urllib.request.Request(f"{server.url}/jupyter-durable/{path}", b"{}", headers))
    assert refused.status == 403
    assert "_xsrf" in json.dumps(refused.body)
    assert server.ask(f"requests/any/{id}/info").body["pinned"] is False


def test_a_list_has_requests_of_all_stores_that_were_opened(server: Server, store: Path) -> None:
    there = server.ran(ONE.format(name="there"), store)
    here = server.ran(ONE.format(name="here"), f"sqlite:///{server.default_store}")
    answer = server.ask("requests").body
    found = {each["id"]: each for each in answer["requests"]}
    assert found[there]["store"] != found[here]["store"]
    assert (found[there]["application"], found[there]["status"], found[there]["runs"]) == ("greet", "succeeded", 1)
    assert "sqlite" not in json.dumps(answer)
    store.unlink()
    assert there not in json.dumps(server.ask("requests").body)


def test_a_list_is_filtered_by_status_and_text_and_says_when_there_is_more(server: Server, store: Path) -> None:
    good = server.ran(ONE.format(name="x"), store)
    bad = server.ran(FAILING.format(n=4), store)
    assert [each["id"] for each in server.ask("requests", text=bad).body["requests"]] == [bad]
    assert [each["id"] for each in server.ask("requests", status="failed", text="sum_up").body["requests"]] == [bad]
    one = server.ask("requests", limit=1).body
    assert [len(one["requests"]), one["more"]] == [1, True]
    assert good not in [each["id"] for each in server.ask("requests", status="failed").body["requests"]]


def test_what_runs_stands_first_and_is_counted_while_another_process_writes(server: Server, store: Path) -> None:
    source = """
    @function()
    def part(n):
        return n
    @application()
    @function()
    def endless() -> int:
        for n in range(1_000_000):
            part(n)
            time.sleep(0.001)
        return n
    request = endless.submit()
    print(request.id, flush=True)
    print(request.wait(60).status)
    """
    with server.program(source, store) as program:
        assert program.stdout is not None
        id = program.stdout.readline().strip()
        later = server.ran(ONE.format(name="later"), store)
        answer = server.ask("requests").body
        shown = [each["id"] for each in answer["requests"]]
        assert answer["running"] == 1
        assert shown.index(id) == 0 < shown.index(later)
        assert answer["requests"][0]["held_by"].startswith("process ")
        path = of(server, id)
        first = server.ask(f"{path}/snapshot").body
        assert first["request"]["status"] == "running"
        second = first
        while second["sequence"] == first["sequence"]:  # on a slow machine an answer holds for a moment
            second = server.ask(f"{path}/snapshot").body
        assert second["sequence"] > first["sequence"]
        assert second["counts"]["executed"] >= first["counts"]["executed"]
        assert server.ask(f"{path}/delete", {}).status == 409
        assert server.ask(f"{path}/cancel", {}).body == {"request": id}
        assert program.stdout.readline().strip() == "cancelled"
    assert server.ask(f"{path}/info").body["status"] == "cancelled"


def test_a_snapshot_and_its_pages_and_details_are_those_of_a_kernel(server: Server, store: Path) -> None:
    id = server.ran(FAILING.format(n=4), store)
    path = of(server, id)
    snapshot = server.ask(f"{path}/snapshot").body
    assert (snapshot["request"]["id"], snapshot["request"]["status"]) == (id, "failed")
    by_label = {call["label"]: call for call in snapshot["calls"]}
    assert "ValueError: part 2 is broken" in by_label["part[2]"]["error"]
    assert (by_label["part[1]"]["arguments"], by_label["part[1]"]["output"]) == ("(1)", "10")
    node = by_label["part.map[0]"]["id"]
    page = server.ask(f"{path}/page", parent=node, name="part", kind=by_label["part[1]"]["kind"], failed="true").body
    assert [page["total"], page["calls"][0]["label"]] == [1, "part[2]"]
    detail = server.ask(f"{path}/detail", call=by_label["part[1]"]["id"]).body
    assert detail["output"] == {"type": "text", "text": "10"}
    assert detail["inputs"][0]["value"] == {"type": "text", "text": "1"}


def test_a_pickle_is_never_loaded_and_a_kernel_is_named_for_it(server: Server, store: Path, tmp_path: Path) -> None:
    """The value is of this user and well signed, and makes a file when somebody loads it."""
    marker = tmp_path / "was loaded"
    source = f"""
    class Trap:
        def __reduce__(self):
            return (open, ({str(marker)!r}, "w"))
    @function()
    def make(trap):
        return [trap]
    @application()
    @function()
    def outer() -> int:
        make(Trap())
        return 7
    print(run_local_application(outer).id)
    """
    path = of(server, server.ran(source, store))
    marker.unlink(missing_ok=True)  # what wrote it may have looked
    snapshot = server.ask(f"{path}/snapshot").body
    calls = {call["label"]: call for call in snapshot["calls"]}
    assert calls["outer[0]"]["output"] == "7"
    detail = server.ask(f"{path}/detail", call=calls["make[0]"]["id"]).body
    server.ask(f"{path}/page", parent=calls["outer[0]"]["id"])
    server.ask("requests")
    assert "kernel" in detail["output"]["text"]
    assert "kernel" in detail["inputs"][0]["value"]["text"]
    assert not marker.exists()


def test_a_request_that_nobody_knows_is_404_with_a_sentence(server: Server) -> None:
    for path in (f"requests/any/req_{NOBODY}/snapshot", f"requests/{'0' * 16}/req_{NOBODY}/detail?call=1"):
        reply = server.ask(path)
        assert reply.status == 404
        assert reply.body["ours"] is True
        assert f"req_{NOBODY}" in reply.body["message"]
        assert "run the cell again" in reply.body["message"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"limit": "many"}, "limit"),
        ({"limit": 0}, "limit"),
        ({"limit": 10**9}, "limit"),
        ({"status": "lost"}, "known are queued"),
        ({"text": "x" * 5000}, "text"),
        ({"what": 1}, "what"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_sentence(server: Server, query: dict, says: str) -> None:
    reply = server.ask("requests", **query)
    assert (reply.status, reply.body["ours"]) == (400, True)
    assert says in reply.body["message"]


@pytest.mark.parametrize("body", [b"[1]", b"{", b'{"pinned": 3}', b'{"other": true}', b"\xff"])
def test_a_body_that_is_not_one_is_refused(server: Server, store: Path, body: bytes) -> None:
    path = of(server, server.ran(ONE.format(name="x"), store))
    reply = server.ask(f"{path}/pin", body)
    assert (reply.status, reply.body["ours"]) == (400, True)


def test_pin_and_delete_are_done_in_the_store(server: Server, store: Path) -> None:
    id = server.ran(ONE.format(name="x"), store)
    path = of(server, id)
    server.ask(f"{path}/pin", {"pinned": True})
    assert server.ask(f"{path}/info").body["pinned"] is True
    server.ask(f"{path}/pin", {"pinned": False})
    assert server.ask(f"{path}/info").body["pinned"] is False
    assert server.ask(f"{path}/delete", {}).body == {"request": id}
    assert server.ask(f"{path}/info").status == 404


def test_a_replay_is_refused_with_where_it_can_be_done(server: Server, store: Path) -> None:
    id = server.ran(ONE.format(name="x"), store)
    reply = server.ask(f"{of(server, id)}/replay", {})
    assert reply.status == 409
    assert f"jupyter durable replay {id}" in reply.body["message"]
    assert server.ask(f"requests/any/{id}/info").body["runs"] == 1


def test_one_damaged_store_does_not_hide_the_others(server: Server, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.db", tmp_path / "bad.db"
    id = server.ran(ONE.format(name="x"), good)
    server.ran(ONE.format(name="x"), bad)
    for name in ("", "-wal", "-shm"):
        bad.with_name(bad.name + name).unlink(missing_ok=True)
    bad.write_bytes(b"this is no database, and never was one" * 100)
    answer = server.ask("requests").body
    assert id in [each["id"] for each in answer["requests"]]
    assert any("bad.db" in problem for problem in answer["problems"])
    bad.unlink()


def test_requests_of_a_store_that_was_replaced_are_those_of_the_new_file(server: Server, store: Path) -> None:
    old = server.ran(ONE.format(name="old"), store)
    assert server.ask(f"requests/any/{old}/info").status == 200
    for name in ("", "-wal", "-shm"):
        store.with_name(store.name + name).unlink(missing_ok=True)
    new = server.ran(ONE.format(name="new"), store)
    assert server.ask(f"requests/any/{new}/info").status == 200
    assert server.ask(f"requests/any/{old}/info").status == 404
