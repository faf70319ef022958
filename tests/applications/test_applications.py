"""Deploy an application, run it on a server, look at it, run it again."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.applications.conftest import Served, until
from tests.applications.programs import DEPLOY, HEAD, SQUARES


@pytest.fixture
def server(lasting: Served) -> Served:
    return lasting.anew()


def test_a_deployed_application_runs_on_the_server_and_gives_its_output(server: Served) -> None:
    version = server.script(SQUARES + DEPLOY).strip()
    id = server.begin("squares", 4)
    assert server.output("squares", id) == 14
    assert len(server.executions("square")) == 4
    said = server.request("squares", id)
    assert (said["status"], said["application_version"]) == ("succeeded", version)
    listed = server.ask("GET", "/applications").json()["applications"]
    assert [(each["name"], each["tags"]) for each in listed] == [("squares", {"team": "blue"})]
    tree = server.ask("GET", f"/applications/squares/requests/{id}/tree").json()
    assert [call["label"] for call in tree["calls"]] == ["squares[0]", *(f"square[{n}]" for n in range(4))]


def test_a_request_is_held_as_a_local_one(server: Served) -> None:
    printed = server.script(
        SQUARES
        + """
from jupyter_durable import RequestFailed
deploy(squares)
request = run_remote_application(squares, 3)
assert request.output() == 5 and request.status == "succeeded"
assert run_remote_application("squares", upto=2).output() == 1
print(request.tree())
request.replay().wait()
request.delete()
"""
    )
    assert printed.splitlines() == ["✓ squares[0] · ran", *(f"  ✓ square[{n}] · ran" for n in range(3))]
    assert len(server.executions("square")) == 5, "the replay executed nothing"


def test_an_input_that_does_not_fit_is_refused_by_field(server: Served) -> None:
    server.script(
        HEAD
        + """
from pydantic import BaseModel
class Order(BaseModel):
    name: str
    amounts: list[int]
@application()
@function()
def take(order: Order, times: int = 1) -> int:
    return times * sum(order.amounts)
deploy()
"""
    )
    answer = server.ask("POST", "/applications/take", json={"name": "x", "amounts": [1, "two"]})
    assert answer.status_code == 422
    assert answer.json()["code"] == "InputMismatch"
    assert [each["at"] for each in answer.json()["errors"]] == [["body", "order", "amounts", 1]]
    answer = server.ask("POST", "/applications/take", json={"amounts": []})
    assert [each["at"] for each in answer.json()["errors"]] == [["body", "order", "name"]]
    assert server.ask("POST", "/applications/take").json()["errors"][0]["at"] == ["body", "order"]
    assert server.ask("POST", "/applications/take", content=b"{").status_code == 400
    deep = server.ask("POST", "/applications/take", content=b"[" * 100_000)
    assert deep.status_code == 400
    assert server.ask("GET", "/applications/take/requests").json()["requests"] == []
    parts = {"0": ("0", json.dumps({"name": "x", "amounts": [1, 2]}), "application/json"), "times": (None, "3")}
    id = server.ask("POST", "/applications/take", files=parts).json()["request_id"]
    assert server.output("take", id) == 9


def test_an_idempotency_key_makes_asking_twice_one_request(server: Served) -> None:
    server.script(SQUARES + DEPLOY)
    first = server.begin("squares", 2, **{"Idempotency-Key": "k"})
    assert server.begin("squares", 2, **{"Idempotency-Key": "k"}) == first
    other = server.ask("POST", "/applications/squares", json=3, headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["code"]) == (409, "IdempotencyKeyReused")
    server.output("squares", first)
    assert len(server.executions("square")) == 2


def test_progress_is_a_stream_that_ends_with_the_request(server: Served) -> None:
    server.script(
        HEAD
        + """
@application()
@function()
def slowly(n: int) -> None:
    for at in range(n):
        RequestContext.get().progress.update(at + 1, n, "on the way")
        time.sleep(0.3)
deploy()
"""
    )
    id = server.begin("slowly", 4)
    events = []
    headers = {"Authorization": f"Bearer {server.token}"}
    with httpx.stream("GET", f"{server.url}/applications/slowly/requests/{id}/progress", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data:")]
    kinds = [next(iter(event)) for event in events]
    assert kinds[0] == "RequestStarted"
    assert kinds[-1] == "RequestFinished"
    assert events[-1]["RequestFinished"]["outcome"] == "success"
    reports = [event["RequestProgressUpdated"] for event in events if "RequestProgressUpdated" in event]
    assert reports
    assert {(each["function_name"], each["total"], each["message"]) for each in reports} == {
        ("slowly", 4, "on the way")
    }
    assert server.ask("GET", f"/applications/slowly/requests/{id}/output").json() is None


FAILING = (
    HEAD
    + """
@function()
def fetch(n: int) -> int:
    executed(f"fetch {n}")
    return n

@function()
def judge(n: int) -> int:
    executed(f"judge {n}")
    if BROKEN:
        raise ValueError("cannot judge")
    return n * 10

@application()
@function()
def report(n: int) -> int:
    return judge(sum(fetch(each) for each in range(n)))
"""
)


def test_a_replay_with_mended_code_executes_only_the_call_that_failed(server: Served) -> None:
    broken = server.script("BROKEN = True\n" + FAILING + DEPLOY).strip()
    id = server.begin("report", 4)
    said = server.ended("report", id)
    assert said["outcome"] == {"failure": "function_error"}
    assert "cannot judge" in said["error"]["message"]
    output = server.ask("GET", f"/applications/report/requests/{id}/output")
    assert (output.status_code, output.json()["code"]) == (409, "RequestFailed")

    mended = server.script("BROKEN = False\n" + FAILING + DEPLOY).strip()
    assert broken != mended
    server.ask("POST", f"/applications/report/requests/{id}/replay", json={"mode": "adaptive"})
    assert server.ended("report", id)["application_version"] == broken, "a replay runs the code that it ran"
    assert len(server.executions("fetch")) == 4
    assert len(server.executions("judge")) == 2

    answer = server.ask("POST", f"/applications/report/requests/{id}/replay", json={"upgrade_to_latest_version": True})
    assert answer.status_code == 202
    assert server.output("report", id) == 60
    assert server.request("report", id)["application_version"] == mended
    assert len(server.executions("fetch")) == 4
    assert len(server.executions("judge")) == 3


def test_a_request_error_reaches_the_client_verbatim(server: Served) -> None:
    printed = server.script(
        HEAD
        + """
@application()
@function()
def refuse(why: str) -> None:
    raise RequestError(why)
deploy()
try:
    run_remote_application(refuse, "not today").output()
except RequestError as error:
    print(error.message)
"""
    )
    assert printed.strip() == "not today"


WAITING = (
    HEAD
    + """
@application()
@function()
def wait(seconds: float) -> None:
    executed("begun")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)
    executed("ended")
"""
)


def test_a_request_that_runs_is_cancelled_and_so_is_one_that_waits(server: Served) -> None:
    server.script(WAITING + DEPLOY)
    running = server.begin("wait", 600)
    until(lambda: server.executions("begun"), "it runs")
    assert server.ask("DELETE", f"/applications/wait/requests/{running}").status_code == 409
    assert server.ask("POST", f"/applications/wait/requests/{running}/replay").status_code == 409
    assert server.ask("POST", f"/applications/wait/requests/{running}/cancel").status_code == 202
    assert server.ended("wait", running)["status"] == "cancelled"
    assert not server.executions("ended")
    assert server.ask("DELETE", f"/applications/wait/requests/{running}").status_code == 204
    assert server.ask("GET", f"/applications/wait/requests/{running}").status_code == 404


def test_what_is_not_there_is_a_404_that_says_what(server: Served) -> None:
    server.script(SQUARES + DEPLOY)
    for path, code in {
        "/applications/nothing": "UnknownApplication",
        "/applications/nothing/requests": "UnknownApplication",
        "/applications/nothing/requests/req_1": "UnknownApplication",
        "/applications/squares/requests/req_1": "UnknownRequest",
        "/applications/squares/requests/req_1/output": "UnknownRequest",
        "/applications/squares/requests/req_1/tree": "UnknownRequest",
        "/applications/squares/requests/req_1/progress": "UnknownRequest",
    }.items():
        answer = server.ask("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (404, code), path
    assert server.ask("POST", "/applications/nothing", json=1).json()["code"] == "UnknownApplication"


def test_code_that_lacks_something_is_refused_before_it_is_sent(server: Served) -> None:
    printed = server.script(
        HEAD
        + """
import threading
from jupyter_durable import SDKUsageError
guard = threading.Lock()
@application()
@function()
def guarded(n: int) -> int:
    with guard:
        return n
try:
    deploy()
except SDKUsageError as error:
    print(error)
"""
    )
    assert "`guard`, made by `guard = threading.Lock()`" in printed
    assert server.ask("GET", "/applications").json()["applications"] == []
