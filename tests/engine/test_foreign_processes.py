"""Processes that work for another one: durable functions are plain in them, and their calls are nobody's requests."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable import (
    RequestContext,
    SDKUsageError,
    SerializationError,
    application,
    function,
    run_local_application,
)
from jupyter_durable.context import current
from jupyter_durable.relay import reached, relay
from jupyter_durable.testing import memory_store

SCRIPT = """
import multiprocessing, os, sys
from jupyter_durable import application, function, list_requests, now, run_local_application

@function()
def inner(x):
    return x + 1

@function()
def outer(x):
    return inner(x), os.getpid() if now() else 0

@application()
@function()
def app(n: int) -> list[int]:
    outer(0)
    return [value for value, _ in elsewhere(n)]

def elsewhere(n):
    if sys.argv[1] == "joblib":
        import joblib
        return joblib.Parallel(n_jobs=2)(joblib.delayed(outer)(x) for x in range(n))
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        return pool.map(outer, range(n))

if __name__ == "__main__":
    request = run_local_application(app, 3)
    print(request.output(), [call.name for call in request.calls()], flush=True)
    found = elsewhere(3)
    print([value for value, _ in found], os.getpid() in {pid for _, pid in found}, flush=True)
    print([(each.application, each.status) for each in list_requests()], flush=True)
"""


@pytest.mark.parametrize("way", ["fork", "spawn", "joblib"])
def test_functions_are_plain_in_the_processes_of_multiprocessing_and_joblib(tmp_path: Path, way: str) -> None:
    """In a request and at the top of a script: results come back, and neither a call nor a request is recorded."""
    if way == "joblib":
        pytest.importorskip("joblib")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "JUPYTER_DURABLE_STORE": f"sqlite:///{tmp_path}/store.db"}
    command = [sys.executable, str(script), way]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "[1, 2, 3] ['outer', 'inner', 'now']",
        "[1, 2, 3] False",
        "[('app', 'succeeded')]",
    ], done.stderr


FORKED = """
import json, os, sys
from jupyter_durable import SDKUsageError, function, get_request

@function()
def f(x):
    return x

f(1)
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, json.dumps([f(2), f.local(3)]).encode())
    sys.exit(0)
os.wait()
print(os.read(read, 100).decode())
f(4)
print(len(get_request("last").calls()), get_request("last").status)
"""


def test_a_fork_of_a_script_does_not_end_its_request(tmp_path: Path) -> None:
    """The fork runs `atexit` too; the request is the other process's alone."""
    script = tmp_path / "script.py"
    script.write_text(FORKED)
    environment = {**os.environ, "JUPYTER_DURABLE_STORE": f"sqlite:///{tmp_path}/store.db"}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    values, after = done.stdout.splitlines()
    assert json.loads(values) == [2, 3]
    assert after == "2 running"


CONTEXT = """
import multiprocessing, os, sys
from jupyter_durable import RequestContext, SDKUsageError, application, function, run_local_application

def work(context, answers):
    context.state.set("from", "child")
    context.progress.update(1, 2, "half")
    context.metrics.counter("seen", 3)
    answers.put((
        context.request_id, context.attempt, context.is_replay, context.cancelled, context.idempotency_key,
        dict(context.headers), context.state.get("from"), context.state.get("none", 7), os.getpid(),
    ))

def too_late(context, answers, ended):
    ended.wait()
    try:
        context.state.set("from", "the dead")
    except SDKUsageError as error:
        answers.put(str(error))

mp = multiprocessing.get_context(sys.argv[1])

@function()
def reads():
    return RequestContext.get().state.get("from")

@function()
def starts(answers, ended):
    context = RequestContext.get()
    child = mp.Process(target=work, args=(context, answers))
    child.start()
    *seen, pid = answers.get(timeout=60)
    child.join()
    late = mp.Process(target=too_late, args=(context, answers, ended))
    late.start()
    return late, seen, pid, (context.request_id, context.attempt, context.is_replay, context.cancelled,
                             context.idempotency_key, {}, "child", 7)

@application(output_serializer="pickle")
@function()
def app():
    answers, ended = mp.Queue(), mp.Event()
    late, seen, pid, expected = starts(answers, ended)
    ended.set()
    message = answers.get(timeout=60)
    late.join()
    return seen == list(expected), pid != os.getpid(), message, reads()

if __name__ == "__main__":
    request = run_local_application(app)
    told = [(each.name, each.value) for each in request.metrics], [each.message for each in request.progress]
    print(*request.output(), *told, sep="|")
"""


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_process_asks_the_call_that_started_it_by_the_context_it_was_given(tmp_path: Path, way: str) -> None:
    """Its state, metrics and progress are those of the call; after the end of the call that is an error."""
    script = tmp_path / "script.py"
    script.write_text(CONTEXT)
    environment = {**os.environ, "JUPYTER_DURABLE_STORE": f"sqlite:///{tmp_path}/store.db"}
    command = [sys.executable, "-W", "ignore", str(script), way]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    late = "the call whose RequestContext this process was given has ended: wait for your processes inside of it"
    assert done.stdout.splitlines() == [f"True|True|{late}|child|[('seen', 3.0)]|['half']"]


def test_what_outlives_the_call_that_started_it_reaches_no_other_call() -> None:
    """Nor one that came to stand at the same address, nor one that has ended and that somebody still holds."""
    earlier: list[Any] = []
    held: list[Any] = []
    told: list[str] = []

    @function()
    def each(n: int) -> int:
        scope = current.get()
        assert scope is not None
        relay.reach(scope)
        held.extend([scope] if n % 2 else [])
        for one in earlier if n == 5 else ():
            try:
                one.set_state("from", "the dead")
            except SDKUsageError as error:
                told.append(str(error).partition(":")[0])
        earlier.append(reached(scope))
        return n

    @application()
    @function()
    def all_of_them() -> list[int]:
        return [each(n) for n in range(6)]

    with memory_store():
        request = run_local_application(all_of_them)
        assert request.output() == [0, 1, 2, 3, 4, 5]
        assert request.state == {}
    assert told == ["the call whose RequestContext this process was given has ended"] * 5


def test_a_context_is_no_value_to_be_stored(tmp_path: Path) -> None:
    with memory_store():

        @function()
        def dumps() -> bytes:
            return pickle.dumps(RequestContext.get())

        with pytest.raises(SerializationError, match="a RequestContext cannot be stored"):
            dumps()
