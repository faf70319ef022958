"""What a user holds: requests, their calls, lists of them, replays and forks asked for wrongly."""

from __future__ import annotations

import functools
import pydoc
import re
import threading
import time
from typing import Any

import pytest

import jupyter_durable as jd
from jupyter_durable import (
    ReplayMode,
    Request,
    RequestContext,
    RequestFailed,
    RequestNotFinished,
    SDKUsageError,
    SerializationError,
    application,
    function,
    get_request,
    list_requests,
    run_local_application,
)
from jupyter_durable.client import accepting, this_engine, versions
from jupyter_durable.client.accepting import Origin
from jupyter_durable.core.model import NewRun, Owner
from jupyter_durable.errors import InputMismatch
from jupyter_durable.testing import Bench, FakeClock, crash_after, memory_store
from tests.model.shared import SOON, double


@application()
@function()
def doubled(n: int, times: int = 1) -> list[Any]:
    """Twice `n`, with the types that arrived."""
    RequestContext.get().progress.update(1, 2, "half")
    RequestContext.get().metrics.counter("seen")
    RequestContext.get().state.set("n", n)
    print("working")
    return [double(n) * times, type(n).__name__]


def test_a_request_says_all_of_itself(bench: Bench) -> None:
    """Every attribute of the design is there, with its meaning."""
    request = run_local_application(doubled, 3)
    assert re.fullmatch(r"req_[0-9a-f]{16}", request.id)
    assert (request.application, request.status, request.error) == ("doubled", "succeeded", None)
    assert request.started_at is not None
    assert request.finished_at is not None
    assert request.finished_at >= request.started_at
    assert [(run.run, run.mode, run.status, run.executed) for run in request.runs] == [(1, "adaptive", "succeeded", 1)]
    assert request.output() == [6, "int"]
    assert request.wait(0) is request
    assert [progress.message for progress in request.progress] == ["half"]
    assert [metric.name for metric in request.metrics] == ["seen"]
    assert request.state == {"n": 3}
    assert repr(request) == str(request) == f"✓ {request.id} doubled succeeded · run 1 · 1 ran"
    assert [line.split(" · ")[0] for line in request.tree().split("\n")] == ["✓ doubled[0]", "  ✓ double[0]"]


def test_a_call_says_all_of_itself_and_completion_knows_it(bench: Bench) -> None:
    """`dir` and the help show what there is: a notebook completes from them."""
    request = run_local_application(doubled, 3)
    call, root = request.call("double"), request.root_call()
    assert root is not None
    assert (call.name, call.kind, call.index) == ("double", "function_call", 0)
    assert (call.status, call.source) == ("succeeded", "ran")
    assert (call.attempts, call.args_changed, call.code_changed, call.error, call.logs) == (1, False, False, None, "")
    assert re.fullmatch(r"[0-9a-f]{32}", call.fingerprint)
    assert call.parent is not None
    assert (call.parent.name, [child.name for child in call.parent.children]) == ("doubled", ["double"])
    assert call.duration is not None
    assert call.duration >= 0
    assert call.started_at >= root.started_at
    assert (call.inputs(), call.output()) == (((3,), {}), 6)
    names = {"name", "kind", "fingerprint", "parent", "children", "status", "source", "attempts", "args_changed"}
    names |= {"code_changed", "started_at", "duration", "error", "logs", "inputs", "output"}
    assert names <= set(dir(call))
    assert "Seconds that it took when it ran" in pydoc.render_doc(type(call))


@pytest.mark.parametrize("text", ["double[0]", "double"])
def test_a_call_is_found_as_it_is_written(bench: Bench, text: str) -> None:
    assert run_local_application(doubled, 3).call(text).output() == 6


@pytest.mark.parametrize("text", ["double[1]", "double[x]", "double]", "other", ""])
def test_a_call_that_is_not_there_names_those_that_are(bench: Bench, text: str) -> None:
    request = run_local_application(doubled, 3)
    with pytest.raises(SDKUsageError, match=rf"{request.id} has no call .* it has double\[0\]"):
        request.call(text)


def test_requests_are_listed_newest_accepted_first_in_pages(bench: Bench) -> None:
    made = [run_local_application(doubled, n) for n in (1, -1, 2, -2)]
    newest = [request.id for request in reversed(made)]

    def ids(**wanted: Any) -> list[str]:
        return [request.id for request in list_requests(**wanted)]

    assert ids() == newest
    made[0].replay(rerun="doubled")
    assert ids() == newest  # by when it was accepted, not by when it last ran
    assert ids(limit=2) == newest[:2]
    assert ids(limit=2, before=made[2]) == ids(limit=2, before=made[2].id) == newest[2:]
    assert ids(status="failed") == [made[3].id, made[1].id]
    assert ids(status="succeeded", limit=1) == [made[2].id]
    assert ids(application="doubled", status="failed", before=made[3]) == [made[1].id]
    assert ids(application="other") == ids(notebook="other.ipynb") == []


def test_an_unknown_status_names_those_there_are(bench: Bench) -> None:
    """Not an empty list, which would be taken for an answer."""
    with pytest.raises(SDKUsageError, match=r"status 'faild' is unknown; known are queued, running, .*interrupted"):
        list_requests(status="faild")


def left_behind() -> Request:
    """A request whose process is gone without a word: it is still written as running."""
    request = run_local_application(doubled, -1)
    gone = Owner("", "", "", 0, "")
    this_engine().store.begin(request._row.serial, gone, NewRun("adaptive", 0.0, None, ()), 0.0)
    return request


def test_a_request_whose_owner_is_gone_reads_and_is_listed_as_interrupted(bench: Bench) -> None:
    request = left_behind()
    assert request.status == "interrupted"
    assert [each.id for each in list_requests(status="interrupted")] == [request.id]
    assert list_requests(status="running") == []
    assert repr(request).startswith("◌")


def test_it_can_be_cancelled_and_then_be_replayed(bench: Bench) -> None:
    request = left_behind()
    request.cancel()
    assert request.status == "cancelled"
    assert [each.id for each in list_requests(status="cancelled")] == [request.id]
    request.replay()
    assert request.status == "failed"


def test_to_cancel_what_has_ended_changes_nothing(bench: Bench) -> None:
    for request in (run_local_application(doubled, 1), run_local_application(doubled, -1)):
        before = request.status
        request.cancel()
        assert request.status == before


def test_a_prefix_finds_one_request_and_an_ambiguous_one_names_those_it_may_mean(bench: Bench) -> None:
    first, second = run_local_application(doubled, 1), run_local_application(doubled, 2)
    assert get_request(first.id[:-1]).id == first.id
    assert get_request("last").id == second.id
    with pytest.raises(SDKUsageError, match=f"'req_' may mean several requests: .*{first.id}.*give more of the id"):
        get_request("req_")
    with pytest.raises(SDKUsageError, match="there is no request 'req_x'"):
        get_request("req_x")


@pytest.mark.parametrize("key", ["", 3, b"k"])
def test_an_idempotency_key_is_a_text(bench: Bench, key: Any) -> None:
    with pytest.raises(SDKUsageError, match=r"doubled\.submit: idempotency_key must be a text that is not empty"):
        doubled.submit(1, idempotency_key=key)
    assert list_requests() == []


def test_one_key_is_one_request_and_another_input_an_error(bench: Bench) -> None:
    request = doubled.submit(1, idempotency_key="k").wait()
    assert doubled.submit(1, idempotency_key="k").id == request.id
    with pytest.raises(SDKUsageError, match=f"key 'k' belongs to request {request.id}, which has another input"):
        doubled.submit(2, idempotency_key="k")
    assert len(list_requests()) == 1


@pytest.mark.parametrize("verb", ["replay", "preview"])
def test_an_unknown_mode_is_an_error(bench: Bench, verb: str) -> None:
    request = run_local_application(doubled, 1)
    with pytest.raises(SDKUsageError, match=f"{verb}: mode must be ReplayMode.ADAPTIVE or ReplayMode.STRICT"):
        getattr(request, verb)("lenient")


def test_a_strict_preview_says_why_the_root_executes(bench: Bench) -> None:
    """It compares; nobody has set anything aside."""
    request = run_local_application(doubled, 1)
    root, call = request.preview(ReplayMode.STRICT).calls
    assert (root.verdict, root.why) == ("executed", "strict: its calls are compared")
    assert (call.call, call.verdict) == ("double[0]", "reused")
    assert len(request.runs) == 1


def test_the_input_of_a_fork_passes_through_json_and_the_type_hints(bench: Bench) -> None:
    """As that of any other request."""
    request = run_local_application(doubled, 3)
    text: Any = "5"
    assert request.fork(input=text).output() == [10, "int"]
    assert request.fork(input=(5, 2)).output() == [20, "int"]
    with pytest.raises(SDKUsageError) as raised:
        request.fork(input="many")
    expected = "`n` of application doubled does not fit its type hint: Input should be a valid integer, unable to parse"
    assert str(raised.value).startswith(expected)
    assert "\n" not in str(raised.value)
    assert "http" not in str(raised.value)
    assert request.fork(input=(1, 3, 2)).output() == [6, "int"]
    assert bench.warnings[-1] == "doubled does not take argument 3; they are ignored"
    assert len(list_requests()) == 4


def test_a_fork_of_a_cell_takes_no_input(bench: Bench) -> None:
    double(1)
    bench.engine.sessions.end(None)
    with pytest.raises(SDKUsageError, match="is of a cell, which has no input"):
        get_request("last").fork(input=2)


def test_delete_removes_it(bench: Bench) -> None:
    request = run_local_application(doubled, 1)
    request.pin()
    request.pin(False)
    request.delete()
    assert list_requests() == []
    with pytest.raises(SDKUsageError, match=f"there is no request '{request.id}'"):
        _ = request.status


def test_an_interrupted_request_has_no_output_and_says_how_to_go_on(bench: Bench) -> None:
    with crash_after(1):
        run_local_application(doubled, 1)
    request = get_request("last")
    assert (request.status, request.error) == ("interrupted", None)
    with pytest.raises(
        RequestFailed,
        match=f"request {request.id} of doubled was interrupted; what had succeeded is kept. Replay it to go on",
    ):
        request.output()
    assert request.replay().output() == [2, "int"]


GATE = threading.Event()


@application()
@function()
def sleeps_on_main(seconds: float) -> str:
    """On the thread that runs it, after a call that succeeds."""
    double(1)
    GATE.set()
    time.sleep(seconds)
    return "woken"


def test_cancel_ends_a_sleep_on_the_main_thread(bench: Bench) -> None:
    """A signal wakes it; the request keeps what succeeded."""
    GATE.clear()

    def cancel() -> None:
        GATE.wait(100)
        list_requests()[0].cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    began = time.monotonic()
    request = run_local_application(sleeps_on_main, 30)
    canceller.join()
    assert time.monotonic() - began < SOON
    assert (request.status, request.call("double").status) == ("cancelled", "succeeded")
    with pytest.raises(RequestFailed) as raised:
        request.output()
    assert str(raised.value).lower().count("replay it to go on") == 1


def test_the_output_of_one_that_runs_is_not_there_yet(bench: Bench) -> None:
    GATE.clear()
    request = sleeps_on_main.submit(30)
    GATE.wait(100)
    assert request.status == "running"
    with pytest.raises(RequestNotFinished, match=f"request {request.id} is running; wait for it with .wait()"):
        request.output()
    with pytest.raises(jd.TimeoutError, match=r"has not ended within 0.01 s; it goes on"):
        request.wait(0.01)
    request.cancel()
    assert request.wait(100).status == "cancelled"


def test_a_request_that_nobody_began_reads_interrupted_and_its_key_begins_it() -> None:
    """Who accepted it was killed before the run began: it must not be waited for for ever."""
    clock = FakeClock()
    with memory_store(clock):
        spec = doubled.__durable__
        row, _ = accepting.accept(this_engine(), spec, (1,), {}, Origin(idempotency_key="k"), versions.live_code(None))
        request = get_request(row.id)
        assert request.status == "queued"
        assert [each.id for each in list_requests(status="queued")] == [row.id]
        clock.advance(16)
        assert (request.status, request.wait(1).id) == ("interrupted", row.id)
        assert [each.id for each in list_requests(status="interrupted")] == [row.id]
        assert list_requests(status="queued") == []
        again = doubled.submit(1, idempotency_key="k")
        assert (again.id, again.wait(100).output()) == (row.id, [2, "int"])


@pytest.mark.parametrize("limit", [0, -1, 1.5, "2", True])
def test_a_limit_is_a_whole_number_from_one(bench: Bench, limit: Any) -> None:
    with pytest.raises(SDKUsageError, match="limit must be a whole number >= 1"):
        list_requests(limit=limit)


@pytest.mark.parametrize("id", [3, None, b"last"])
def test_an_id_or_a_name_that_is_no_text_is_named(bench: Bench, id: Any) -> None:
    @application()
    @function()
    def app() -> int:
        return 1

    app()
    with pytest.raises(SDKUsageError, match="get_request takes the id of a request, the beginning of one, or 'last'"):
        get_request(id)
    with pytest.raises(SDKUsageError, match=r"a call is named by a text such as 'f\[1\]', not "):
        get_request("last").call(id)


@application()
@function()
def numbers_of(many: list[int]) -> None:
    return many  # type: ignore[return-value]


def test_a_payload_that_does_not_fit_its_hint_makes_no_request(bench: Bench) -> None:
    """As in Tensorlake: it raises where the application is run, and there is no request that could fail."""
    wrong: list[Any] = ["no", "numbers"]
    for run in (functools.partial(run_local_application, numbers_of), numbers_of, numbers_of.submit):
        with pytest.raises(
            InputMismatch, match="`many` of application numbers_of does not fit its type hint"
        ) as raised:
            run(wrong)
        assert isinstance(raised.value, SerializationError)
    assert list_requests() == []


def test_a_result_that_does_not_fit_its_hint_fails_its_request(bench: Bench) -> None:
    """As in Tensorlake: the function ran, the request failed, what had succeeded in it is kept."""
    request = run_local_application(numbers_of, [1])
    assert (request.status, request.call("numbers_of").status) == ("failed", "failed")
    with pytest.raises(RequestFailed, match=f"request {request.id} of numbers_of failed") as raised:
        request.output()
    assert isinstance(raised.value.__cause__, SerializationError)
    assert "`result` of application numbers_of does not fit its type hint" in str(raised.value.__cause__)
    assert request.replay().status == "failed"
