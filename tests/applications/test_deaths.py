"""Servers and workers that are killed: what was accepted goes on by itself, and nothing executes twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.applications.conftest import Served, until
from tests.applications.programs import DEPLOY, HEAD

TEN = (
    HEAD
    + """
@function()
def fetch(n: int) -> int:
    executed(f"fetch {n} {os.getpid()}")
    if n == 6 and not os.path.exists(GATE):
        time.sleep(3600)
    return n

@application()
@function()
def ten() -> int:
    return sum(fetch(n) for n in range(10))
"""
)
SUM = sum(range(10))


def deployed(server: Served) -> Path:
    """A gate that holds call 7 of 10 until it is there."""
    gate = server.folder / "gate"
    server.script(f"GATE = {str(gate)!r}\n" + TEN + DEPLOY)
    return gate


def worker_in_call_7(server: Served) -> int:
    """The process that executes the seventh call."""
    line = until(lambda: server.executions("fetch 6"), "call 7 executes")[-1]
    return int(line.split()[-1])


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def calls_after(server: Served, gate: Path, end_it: str) -> None:
    """Call 7 executed twice, the others once."""
    assert sorted(int(line.split()[1]) for line in server.executions("fetch")) == [*range(7), *range(6, 10)], end_it
    assert gate.exists()


def test_a_server_that_was_killed_takes_its_workers_along_and_goes_on_when_it_returns(server: Served) -> None:
    gate = deployed(server)
    id = server.begin("ten", None)
    worker = worker_in_call_7(server)
    server.kill()
    until(lambda: has_ended(worker), "the worker ended with its server")
    gate.touch()
    server.start()
    assert server.output("ten", id) == SUM
    calls_after(server, gate, "server killed")


def test_a_worker_that_was_killed_is_replaced(server: Served) -> None:
    gate = deployed(server)
    id = server.begin("ten", None)
    worker = worker_in_call_7(server)
    gate.touch()
    os.kill(worker, signal.SIGKILL)
    assert server.output("ten", id) == SUM
    calls_after(server, gate, "worker killed")


def test_what_was_accepted_before_a_kill_runs_afterwards(server: Served) -> None:
    gate = deployed(server)
    gate.touch()
    ids = [server.begin("ten", None) for _ in range(6)]
    server.kill()
    server.start()
    assert [server.output("ten", id) for id in ids] == [SUM] * 6
    listed = server.ask("GET", "/applications/ten/requests?limit=4").json()
    assert [each["id"] for each in listed["requests"]] == ids[:1:-1]
    rest = server.ask("GET", f"/applications/ten/requests?limit=4&cursor={listed['next_cursor']}").json()
    assert [each["id"] for each in rest["requests"]] == ids[1::-1]


def test_a_request_whose_workers_die_five_times_fails_and_can_be_replayed(server: Served) -> None:
    server.script(
        HEAD
        + """
@application()
@function()
def doomed(marker: str) -> str:
    executed("doomed")
    if not os.path.exists(marker):
        os.kill(os.getpid(), 9)
    return "alive"
deploy()
"""
    )
    marker = server.folder / "marker"
    id = server.begin("doomed", str(marker))
    assert server.ended("doomed", id)["outcome"] == {"failure": "worker_lost"}
    assert len(server.executions("doomed")) == 5
    marker.touch()
    server.ask("POST", f"/applications/doomed/requests/{id}/replay")
    assert server.output("doomed", id) == "alive"


def test_a_cancel_before_a_kill_holds_after_it(server: Served) -> None:
    deployed(server)
    id = server.begin("ten", None)
    worker = worker_in_call_7(server)
    os.kill(worker, signal.SIGSTOP)
    server.ask("POST", f"/applications/ten/requests/{id}/cancel")
    server.kill()
    os.kill(worker, signal.SIGKILL)
    server.start()
    assert server.ended("ten", id)["status"] == "cancelled"
    assert len(server.executions("fetch")) == 7
