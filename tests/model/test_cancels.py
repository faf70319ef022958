"""Cancels before a request has begun, and several at once: settled once, told once, and nothing executes after them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jupyter_durable import (
    Cancelled,
    RequestFailed,
    application,
    context,
    function,
    get_request,
    list_requests,
    run_local_application,
)
from jupyter_durable.client import replay, this_engine
from jupyter_durable.client.session import Cell
from jupyter_durable.core.model import RequestRow
from jupyter_durable.testing import Bench, executions, memory_store

LONG = 100.0
CELL = Cell("/nb.ipynb", "cell", "cell", "queued_part(1)")
GATE = threading.Event()


@function()
def queued_part(n: int) -> int:
    return n + 1


@application()
@function()
def queues(n: int) -> int:
    return queued_part(n)


@application()
@function()
def waits_long(n: int) -> list[int]:
    GATE.set()
    return list(stays_long.map(range(n)))


@function()
def stays_long(n: int) -> int:
    return threading.Event().wait(LONG) or n


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Each request is cancelled by somebody else while it is queued: accepted, and not begun."""
    with memory_store() as bench:
        store: Any = this_engine().store
        accept = store.accept

        def accepted(*args: Any, **options: Any) -> Any:
            found = accept(*args, **options)
            get_request(found[0].id).cancel()
            return found

        monkeypatch.setattr(store, "accept", accepted)
        yield bench
        monkeypatch.undo()


def _is_cancelled_for_good() -> None:
    (request,) = list_requests()
    assert (request.wait(LONG).status, request.runs, request.calls()) == ("cancelled", [], [])
    with pytest.raises(RequestFailed, match="was cancelled"):
        request.output()


@pytest.mark.parametrize("run", [lambda: queues.submit(1), lambda: run_local_application(queues, 1)])
def test_a_request_that_is_cancelled_while_it_is_queued_never_runs(queued: Bench, run: Callable[[], Any]) -> None:
    """Whoever was to begin it is told by its status, and it can be gone on with."""
    assert run().status == "cancelled"
    _is_cancelled_for_good()
    request = get_request("last").replay()
    assert (request.output(), executions(request)) == (2, {"queued_part": 1})


@pytest.mark.parametrize("call", [lambda: queues(1), lambda: queued_part(1)])
def test_a_call_whose_request_is_cancelled_while_it_is_queued_raises(
    queued: Bench, monkeypatch: pytest.MonkeyPatch, call: Callable[[], int]
) -> None:
    """In a cell, of an application or the cell's own; the cell that runs again goes on with that request."""
    sessions = this_engine().sessions
    sessions.begin(CELL)
    with pytest.raises(Cancelled, match=r"request req_\w+ was cancelled before it began; nothing of it ran"):
        call()
    sessions.end(None)
    _is_cancelled_for_good()
    sessions.begin(CELL)
    assert call() == 2
    sessions.end(None)
    assert [request.status for request in list_requests()] == ["succeeded"]


def test_a_fork_that_is_cancelled_while_it_is_queued_never_runs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    request = run_local_application(queues, 1)
    monkeypatch.setattr("jupyter_durable.client.replay.forked", _cancelled(replay.forked))
    fork = request.fork(rerun="queued_part")
    assert (fork.status, fork.runs, request.status) == ("cancelled", [], "succeeded")


def _cancelled(forked: Callable[..., RequestRow]) -> Callable[..., RequestRow]:
    def made(*args: Any) -> RequestRow:
        row = forked(*args)
        get_request(row.id).cancel()
        return row

    return made


def test_of_many_cancels_at_once_one_settles_the_request_and_its_end_is_told_once(bench: Bench) -> None:
    """Every one of them returns, whoever was first, and one that comes later changes nothing."""
    ends: list[int] = []
    this_engine().observers.append(lambda run, row: run.on_end.append(lambda: ends.append(run.number)))
    GATE.clear()
    request = waits_long.submit(3)
    assert GATE.wait(LONG)
    _cancel_at_once(request.id)
    assert request.wait(LONG).status == "cancelled"
    finished = request.finished_at
    request.cancel()
    assert (request.status, request.finished_at) == ("cancelled", finished)
    assert [(run.run, run.status) for run in request.runs] == [(1, "cancelled")]
    assert ends == [1]


def test_of_many_cancels_of_what_nobody_runs_one_settles_it(queued: Bench) -> None:
    """It is queued, and each of them finds it so, or cancelled already."""
    request = queues.submit(1)
    _cancel_at_once(request.id)
    assert (request.status, request.runs) == ("cancelled", [])


def _cancel_at_once(id: str) -> None:
    engine, together = this_engine(), threading.Barrier(4)

    def cancel() -> None:
        context.engine.set(engine)
        together.wait(LONG)
        get_request(id).cancel()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(cancel) for _ in range(4)]:
            done.result(LONG)
