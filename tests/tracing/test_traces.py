"""What a request looks like in OpenTelemetry, with the real SDK."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

from jupyter_durable import Future, ReplayError, ReplayMode, RequestContext, Retries, application, function
from jupyter_durable.client import run_local_application
from tests.tracing.conftest import Traced

SECRET = "sk-abcdefghijklmnopqrstuv"


def test_calls_attempts_maps_and_the_user_s_own_spans_stand_in_one_tree(traced: Traced) -> None:
    """A request is a trace: what the code of a call opens stands below that call, on whichever thread it runs."""
    failed: list[int] = []

    @function()
    def double(n: int) -> int:
        return 2 * n

    @function(retries=Retries(max_retries=2, initial_delay=0.01))
    def flaky(n: int) -> int:
        failed.append(n)
        if len(failed) == 1:
            raise ConnectionError(f"api_key={SECRET}")
        with traced.tracer.start_as_current_span("GET /"):
            return double(n)

    @function(executor="thread")
    def square(n: int) -> int:
        with traced.tracer.start_as_current_span(f"GET /{n}"):
            return n * n

    @function()
    def plus(total: int, n: int) -> int:
        return total + n

    @application()
    def main(n: int) -> int:
        flaky(n)
        return plus.reduce(square.map([1, 2]), 0)

    assert run_local_application(main, 3).output() == 5
    assert traced.picture() == PIPELINE
    assert SECRET not in str(traced.spans())


PIPELINE = """\
trace 1
  invoke_workflow main succeeded
    flaky @0 succeeded attempt 2 [durable.attempt.failed 1 ConnectionError] [durable.attempt.started 2 ]
      GET /
        double @0 succeeded
    square.map @1 succeeded
      square @0 succeeded
        GET /1
      square @1 succeeded
        GET /2
    plus.reduce @2 succeeded
      plus @0 succeeded
      plus @1 succeeded"""


def test_a_replay_is_a_trace_of_its_own_that_leads_to_the_work(traced: Traced, tmp_path: Path) -> None:
    """What was reused is a span without length, linked to the span that did the work; a subtree is told once."""
    seen = str(tmp_path / "seen")

    @function()
    def leaf(n: int) -> int:
        return n

    @function()
    def branch(n: int) -> int:
        return leaf(n) + leaf(n + 1)

    @function()
    def last(n: int) -> int:
        if not os.path.exists(seen):
            os.mkdir(seen)
            raise ValueError(f"password={SECRET}")
        return n

    @application()
    def main(n: int) -> int:
        return last(branch(n))

    request = run_local_application(main, 1)
    assert request.status == "failed"
    request.replay()
    request.replay()
    assert traced.picture() == REPLAYED
    assert SECRET not in str(traced.spans())
    reused = next(span for span in traced.named("branch") if span["attributes"]["durable.reused"])
    work = next(span for span in traced.named("branch") if not span["attributes"]["durable.reused"])
    assert reused["attributes"]["durable.work.run"] == 1
    assert reused["links"][0]["context"]["span_id"] == work["context"]["span_id"]
    assert {span["attributes"]["durable.request.id"] for span in traced.spans()} == {request.id}


REPLAYED = """\
trace 1
  invoke_workflow main failed ERROR ValueError: password=***
    branch @0 succeeded
      leaf @0 succeeded
      leaf @1 succeeded
    last @1 failed ERROR ValueError: password=*** [exception ValueError]
trace 2
  invoke_workflow main succeeded -> former run: invoke_workflow main in trace 1
    branch @0 succeeded reused -> work: branch in trace 1
    last @1 succeeded
trace 3
  invoke_workflow main succeeded served -> former run: invoke_workflow main in trace 2 -> work: invoke_workflow main in trace 2"""  # noqa: E501


def test_who_asks_in_a_span_finds_the_first_run_below_it_and_replays_linked(traced: Traced) -> None:
    """A caller's trace goes on with the first run; a replay has its own, and both spans lead to each other."""

    @function()
    def broken(n: int) -> int:
        raise ValueError(n)

    @application()
    def main(n: int) -> int:
        return broken(n)

    with traced.tracer.start_as_current_span("handler") as handler:
        request = run_local_application(main, 1)
    with traced.tracer.start_as_current_span("again") as again:
        request.replay()
    first, second = traced.named("invoke_workflow main")
    assert first["parent_id"] == f"0x{handler.get_span_context().span_id:016x}"
    assert second["parent_id"] is None
    assert {link["attributes"]["durable.link"] for link in second["links"]} == {"caller", "former run"}
    (back,) = traced.named("again")[0]["links"]
    assert back["context"]["span_id"] == second["context"]["span_id"]
    assert second["context"]["trace_id"] != f"0x{again.get_span_context().trace_id:032x}"
    assert second["context"]["trace_id"] != first["context"]["trace_id"]
    assert traced.named("handler")[0]["links"] == []


def test_a_request_that_is_submitted_in_a_span_remembers_who_asked(traced: Traced) -> None:
    """Its headers hold the `traceparent`: whoever runs it, wherever, goes on with that trace."""

    @application()
    def main() -> str:
        return RequestContext.get().headers["traceparent"]

    with traced.tracer.start_as_current_span("handler") as handler:
        request = main.submit()
    request.wait(60)
    said = request.output()
    assert f"{handler.get_span_context().span_id:016x}" in said
    assert traced.named("invoke_workflow main")[0]["parent_id"] == f"0x{handler.get_span_context().span_id:016x}"


def test_the_current_span_in_a_call_is_that_of_the_call_and_of_nobody_after_it(traced: Traced) -> None:
    """Inline, on threads, in tasks, in Futures and maps; and the context of the caller is as it was."""

    def here() -> str:
        return trace.get_current_span().name  # type: ignore[attr-defined]

    @function()
    async def awaited(n: int) -> str:
        await asyncio.sleep(0)
        return here()

    @function(timeout=60)
    def clocked(n: int) -> str:
        return here()

    @function()
    def fails(n: int) -> str:
        raise ValueError(n)

    @application()
    async def main() -> list[Any]:
        said = [await awaited(0), *await awaited.map([1, 2]), *(await asyncio.gather(awaited(3), awaited(4)))]
        future = clocked.future(1)
        said += [clocked(2), *clocked.map([3, 4]), future.run().result(), here()]
        assert Future.wait([future])[0] == [future]
        try:
            fails(1)
        except ValueError:
            said.append(here())
        return said

    before = trace.get_current_span()
    said = run_local_application(main).output()
    assert said == [*["awaited"] * 5, *["clocked"] * 4, *["invoke_workflow main"] * 2]
    assert trace.get_current_span() is before
    for span in traced.spans():
        assert span["attributes"].get("durable.status") in ("succeeded", "failed"), span


def test_a_call_of_a_thread_of_the_user_s_stands_below_the_root(traced: Traced) -> None:
    """Such a thread has no context; with a span of its own, the call is linked to that."""

    @function()
    def work(n: int) -> int:
        return n

    @application()
    def main() -> int:
        def body() -> None:
            work(1)
            with traced.tracer.start_as_current_span("mine"):
                work(2)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        return 1

    run_local_application(main)
    assert traced.picture().splitlines()[:4] == [
        "trace 1",
        "  invoke_workflow main succeeded",
        "    work @0 succeeded",
        "    work @1 succeeded -> caller: mine in trace 2",
    ]


def test_a_cancelled_request_ends_its_spans_and_names_no_error_of_the_code(traced: Traced) -> None:
    """Nothing stays open, and the next run executes what was cut off."""
    begun, go_on = threading.Event(), threading.Event()

    @function()
    def waits(n: int) -> int:
        begun.set()
        go_on.wait(60)
        return n

    @application()
    def main() -> int:
        return waits(1)

    request = main.submit()
    assert begun.wait(60)
    request.cancel()
    go_on.set()
    request.wait(60)
    ended = {span["name"]: span for span in traced.spans()}
    assert {name: span["attributes"]["durable.status"] for name, span in ended.items()} == {
        "waits": "cancelled",
        "invoke_workflow main": "cancelled",
    }
    assert {span["status"]["status_code"] for span in ended.values()} == {"UNSET"}


def test_a_strict_replay_that_diverges_is_a_failed_run(traced: Traced, tmp_path: Path) -> None:
    """Its root says so, with both sides."""
    seen = str(tmp_path / "seen")

    @function()
    def one(n: int) -> int:
        return n

    @function()
    def two(n: int) -> int:
        return n

    @application()
    def main() -> int:
        return two(1) if os.path.exists(seen) else one(1)

    request = run_local_application(main)
    os.mkdir(seen)
    with pytest.raises(ReplayError):
        request.replay(mode=ReplayMode.STRICT)
    root = traced.named("invoke_workflow main")[1]
    assert root["attributes"]["durable.mode"] == "strict"
    assert root["attributes"]["error.type"] == "ReplayError"
    assert root["status"]["status_code"] == "ERROR"


def test_a_fork_leads_to_the_request_it_came_from(traced: Traced) -> None:
    """Its trace begins with a link, and with the id of that request."""

    @function()
    def work(n: int) -> int:
        return n

    @application()
    def main(n: int) -> int:
        return work(n)

    request = run_local_application(main, 1)
    request.fork(from_call="work")
    first, second = traced.named("invoke_workflow main")
    assert second["attributes"]["durable.forked_from"] == request.id
    assert [link["attributes"]["durable.link"] for link in second["links"]] == ["forked from"]
    assert second["links"][0]["context"]["span_id"] == first["context"]["span_id"]


def test_drift_is_said(traced: Traced, tmp_path: Path) -> None:
    """A call that is served although its arguments are others says so in its span."""
    seen = str(tmp_path / "seen")

    @function()
    def work(n: int) -> int:
        return n

    @function()
    def broken() -> None:
        raise ValueError

    @application()
    def main() -> None:
        work(2 if os.path.exists(seen) else 1)
        broken()

    request = run_local_application(main)
    os.mkdir(seen)
    request.replay()
    assert traced.named("work")[1]["attributes"]["durable.drift"] == ["arguments changed"]


def test_ten_thousand_items_leave_nothing_behind(traced: Traced) -> None:
    """Spans are held while their calls execute, and no longer."""
    held: list[int] = []

    @function()
    def item(n: int) -> int:
        (run,) = traced.engine.active.values()
        held.append(len(run.listeners[0]._open))  # type: ignore[attr-defined]
        return n

    @application()
    def main() -> int:
        return len(item.map(range(10_000)))

    assert run_local_application(main).output() == 10_000
    assert len(traced.named("item")) == 10_000
    assert max(held) < 100
