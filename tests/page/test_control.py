"""The control channel of a real kernel: every message has one answer, also while a cell runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable_kernel.view.saved_forms import MIME
from tests.kernel.conftest import Kernel

CELL = """from jupyter_durable import Retries, application, function, get_request
import time
@function()
def f(n):
    print("in", n)
    return n
@application()
@function()
def app(n: int) -> int:
    return len(f.map(range(n)))
app(120)"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel in which one request of 120 items has run."""
    home = tmp_path_factory.mktemp("control")
    made = Kernel(Path(sys.executable), {"JUPYTER_DATA_DIR": str(home)}, "jupyter_durable_kernel")
    ran = made.run(CELL)
    assert not ran.error, ran.error
    yield made
    made.close()


@pytest.fixture(scope="module")
def id(kernel: Kernel) -> str:
    found: str = kernel.value("get_request('last').id")
    return found


def ask(kernel: Kernel, op: str, **content: Any) -> dict[str, Any]:
    message = kernel.client.session.msg("durable_request", {"op": op, **content})
    kernel.client.control_channel.send(message)
    while True:
        reply = kernel.client.get_control_msg(timeout=100)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            assert reply["msg_type"] == "durable_reply"
            found: dict[str, Any] = reply["content"]
            return found


def test_what_cannot_be_done_is_answered_with_a_sentence(kernel: Kernel, id: str) -> None:
    for op, content in (
        ("fly", {}),
        ("cancel", {"request": "req_none"}),
        ("cancel", {"request": id}),
        ("detail", {"request": id, "call": 99_999}),
        ("page", {"request": id}),
        ("fork", {"request": id, "input": "not json"}),
        ("fork", {"request": id, "input": "3"}),
    ):
        answer = ask(kernel, op, **content)
        assert answer["status"] == "error"
        assert len(answer["message"]) > 5


def test_a_snapshot_is_the_state_of_now(kernel: Kernel, id: str) -> None:
    made = ask(kernel, "snapshot", request=id)["reply"]
    assert made["request"]["status"] == "succeeded"
    assert made["groups"][0]["total"] == 120


def test_pages_hold_fifty_calls(kernel: Kernel, id: str) -> None:
    parent = ask(kernel, "snapshot", request=id)["reply"]["groups"][0]["parent"]
    wanted = {"request": id, "parent": parent, "name": "f", "kind": "map_item"}
    labels = []
    for offset in (0, 50, 100):
        made = ask(kernel, "page", offset=offset, **wanted)["reply"]
        assert made["total"] == 120
        labels += [call["label"] for call in made["calls"]]
    assert labels == [f"f[{n}]" for n in range(120)]


def test_the_detail_of_a_call(kernel: Kernel, id: str) -> None:
    calls = ask(kernel, "snapshot", request=id)["reply"]["calls"]
    (call,) = [one for one in calls if one["label"] == "f[3]"]
    made = ask(kernel, "detail", request=id, call=call["id"])["reply"]
    assert made["inputs"] == [{"name": "n", "value": {"type": "text", "text": "3"}}]
    assert made["output"] == {"type": "text", "text": "3"}
    assert "in" in "".join(text for _, text in made["logs"])


def test_it_answers_while_a_cell_runs(kernel: Kernel, id: str) -> None:
    sent = kernel.send("end = time.monotonic() + 2\nwhile time.monotonic() < end: pass\nprint('done')")
    plan = ask(kernel, "preview", request=id)["reply"]
    assert plan["rows"][0]["action"] == "reused"
    assert set(plan["counts"]) == {"reused", "executed", "depending", "marks"}
    assert ask(kernel, "snapshot", request=id)["status"] == "ok"
    assert "done" in kernel.result(sent).stdout


def test_a_replay_is_a_new_run_of_the_same_request(kernel: Kernel, id: str) -> None:
    calls = ask(kernel, "snapshot", request=id)["reply"]["calls"]
    (call,) = [one for one in calls if one["label"] == "f[7]"]
    assert ask(kernel, "replay", request=id, display=f"{id}-1", rerun=call["id"])["status"] == "ok"
    made = ask(kernel, "snapshot", request=id)["reply"]
    assert made["request"]["run"] == 2
    assert (made["counts"]["executed"], made["counts"]["reused"]) == (1, 119)


RETRIED = """from jupyter_durable import Retries
@function(retries=Retries(max_retries=2, initial_delay=0.01, jitter=False))
def flaky(n, scale=1):
    from jupyter_durable import RequestContext
    if RequestContext.get().attempt < 3:
        raise ConnectionError(f"attempt {RequestContext.get().attempt}")
    return n * scale
@application()
@function()
def steady(n: int, scale: int = 1) -> int:
    return flaky(n, scale)
steady(4, scale=2)"""


def call_labelled(kernel: Kernel, id: str, label: str) -> int:
    (call,) = [one for one in ask(kernel, "snapshot", request=id)["reply"]["calls"] if one["label"] == label]
    identity: int = call["id"]
    return identity


@pytest.fixture(scope="module")
def retried(kernel: Kernel) -> str:
    """A request whose call needed three attempts."""
    ran = kernel.run(RETRIED)
    assert not ran.error, ran.error
    found: str = kernel.value("get_request('last').id")
    return found


def test_every_attempt_is_told_with_its_error(kernel: Kernel, retried: str) -> None:
    call = call_labelled(kernel, retried, "flaky[0]")
    attempts = ask(kernel, "detail", request=retried, call=call)["reply"]["attempts"]
    assert [(one["number"], one["status"]) for one in attempts] == [(1, "failed"), (2, "failed"), (3, "succeeded")]
    assert "ConnectionError: attempt 2" in attempts[1]["error"]
    assert attempts[0]["started_at"] < attempts[0]["ended_at"] <= attempts[1]["started_at"]
    assert attempts[2]["error"] == ""
    assert attempts[1]["ended_at"] < attempts[2]["started_at"] <= attempts[2]["ended_at"]


def test_other_input_is_given_as_a_list_or_by_name(kernel: Kernel, retried: str) -> None:
    root = call_labelled(kernel, retried, "steady[0]")
    told = ask(kernel, "detail", request=retried, call=root)["reply"]
    assert json.loads(told["input_text"]) == [4, 2]
    fork = ask(kernel, "fork", request=retried, input='{"scale": 3, "n": 5}')["reply"]["fork"]
    assert kernel.value(f"get_request({fork!r}).wait(100).output()") == 15
    refused = ask(kernel, "fork", request=retried, input='{"many": 3}')
    assert "steady" in refused["message"]
    assert "(n: int, scale: int = 1)" in refused["message"]


def test_changes_names_functions_with_other_code_and_those_that_are_gone(kernel: Kernel, retried: str) -> None:
    assert ask(kernel, "changes", request=retried)["reply"] == {"changed": [], "missing": []}
    kernel.run(RETRIED.replace("n * scale", "n * scale + 1").replace("steady(4, scale=2)", ""))
    assert ask(kernel, "changes", request=retried)["reply"] == {"changed": ["flaky"], "missing": []}


MENDED = """from jupyter_durable import application, function
@function()
def risky(n):
    if n in (1, 2) and not WELL:
        raise ValueError(n)
    return n
@application()
@function()
def several(n: int) -> int:
    return len(risky.map(range(n), return_exceptions=True))"""


@pytest.mark.parametrize("choice", ["rerun", "from_call"])
def test_a_call_that_was_mended_is_run_again_as_it_is_now(kernel: Kernel, choice: str) -> None:
    """The recorded code would fail as before."""
    kernel.run(MENDED.replace("WELL", "False") + "\nseveral(3)")
    request = kernel.value("get_request('last').id")
    call = call_labelled(kernel, request, "risky[1]")
    kernel.run(MENDED.replace("WELL", "True"))
    assert ask(kernel, "replay", request=request, **{choice: call})["status"] == "ok"
    kernel.value(f"get_request({request!r}).wait(100).status")
    calls = ask(kernel, "snapshot", request=request)["reply"]["calls"]
    assert {call["label"]: call["status"] for call in calls if call["name"] == "risky"}["risky[1]"] == "succeeded"


THOUSAND = """@function()
def page_of(n):
    if n in (4, 417, 929):
        raise ValueError(n)
    return n
@application()
@function()
def thousand(n: int) -> int:
    return sum(page_of.map(range(n)))
thousand(1000)"""


def test_the_preview_of_a_map_of_a_thousand_folds_all_but_the_failures(kernel: Kernel) -> None:
    """Three of a thousand failed: one line for those that are reused, one for each that is executed."""
    kernel.run(THOUSAND)
    plan = ask(kernel, "preview", request=kernel.value("get_request('last').id"))["reply"]
    assert (plan["counts"]["reused"], plan["counts"]["executed"], plan["more"]) == (997, 3, 0)
    assert [(row["call"].strip(), row["action"]) for row in plan["rows"]] == [
        ("thousand[0]", "executed"),
        ("page_of.map[0]", "executed"),
        ("page_of ×997", "reused"),
        ("page_of[4]", "executed"),
        ("page_of[417]", "executed"),
        ("page_of[929]", "executed"),
    ]
    told = kernel.run("%durable preview last").stdout
    assert "997 reused · 3 executed" in told
    assert "page_of ×997" in told


BROKEN = """@function()
def connect(password, url):
    print("connecting to", url)
    raise ConnectionError(f"refused: {url} (token={password})")
@application()
@function()
def job(n: int) -> int:
    return connect(hidden, place)
try:
    job(1)
except ConnectionError:
    pass"""


def test_the_view_of_an_error_names_cells_and_holds_no_credential(kernel: Kernel) -> None:
    kernel.run("hidden, place = 'hunter2hunter2', 'postgres://me:letmein@host/db'")
    ran = kernel.run(BROKEN)
    number = kernel.value("len(In) - 2")
    bundle: dict[str, Any] = next(iter(ran.outputs.values()))
    (call,) = [one for one in bundle[MIME]["calls"] if one["label"] == "connect[0]"]
    assert f"cell [{number}], line 4, in connect" in call["error"]
    for form in bundle.values():
        assert "ipykernel_" not in str(form)
        assert "hunter2" not in str(form)
        assert "letmein" not in str(form)
    assert call["arguments"] == "(***, ***)"
    id = kernel.value("get_request('last').id")
    told = ask(kernel, "detail", request=id, call=call["id"])["reply"]
    assert f"cell [{number}], line 4, in connect" in told["error"]
    assert "letmein" not in str(told)
    assert "hunter2" not in str(told)


def test_pages_begin_with_the_failures_where_that_is_asked_for(kernel: Kernel) -> None:
    ran = kernel.run(
        "@function()\ndef odd(n):\n    if n in (70, 110):\n        raise ValueError(n)\n"
        "@application()\n@function()\ndef most(n: int) -> int:\n"
        "    return len(odd.map(range(n), return_exceptions=True))\nmost(120)"
    )
    assert not ran.error, ran.error
    request = kernel.value("get_request('last').id")
    parent = ask(kernel, "snapshot", request=request)["reply"]["groups"][0]["parent"]
    wanted = {"request": request, "parent": parent, "name": "odd", "kind": "map_item", "failures_first": True}
    pages = [ask(kernel, "page", offset=offset, **wanted)["reply"]["calls"] for offset in (0, 50, 100)]
    labels = [call["label"] for page in pages for call in page]
    assert labels[:4] == ["odd[70]", "odd[110]", "odd[0]", "odd[1]"]
    assert len(set(labels)) == 120


def test_a_call_tells_its_failed_attempts(kernel: Kernel) -> None:
    ran = kernel.run(
        "tried = []\n@function(retries=Retries(max_retries=2, initial_delay=0.01))\ndef flaky():\n"
        "    tried.append(1)\n    if len(tried) < 3:\n        raise OSError(f'no answer {len(tried)}')\n    return 1\n"
        "@application()\n@function()\ndef patient() -> int:\n    return flaky()\npatient()"
    )
    assert not ran.error, ran.error
    request = kernel.value("get_request('last').id")
    root, call = ask(kernel, "snapshot", request=request)["reply"]["calls"]
    assert "tries" not in root
    assert [(each["number"], each["error"]) for each in call["tries"]] == [
        (1, "OSError: no answer 1"),
        (2, "OSError: no answer 2"),
    ]
    first, second = call["tries"]
    assert call["started_at"] <= first["started_at"] + 0.01
    assert first["started_at"] + first["duration"] < second["started_at"]
    # The wait before the last attempt is 20 ms, with jitter: its bar does not hold it.
    assert second["started_at"] + second["duration"] < call["last_try_at"] <= call["started_at"] + call["duration"]
    assert "last_try_at" not in root


def test_nothing_is_heard_after_the_extension_was_unloaded(kernel: Kernel, id: str) -> None:
    kernel.run("%unload_ext jupyter_durable")
    assert kernel.value("'durable_request' in get_ipython().kernel.control_handlers") is False
