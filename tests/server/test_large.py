"""Requests of 10,000 and 100,000 calls that run: the server reads them while it answers others. Figures are printed."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.server.conftest import TOKEN, Reply, Server

pytestmark = pytest.mark.full  # a minute
MANY = """
@function()
def part(n):
    return n
@function()
def wait():
    print("waits", flush=True)
    sys.stdin.readline()
@application()
@function()
def many(n: int) -> int:
    for i in range(n):
        part(i)
    wait()
    return n
print(run_local_application(many, {n}).id)
"""
PAGE = {"parent": 1, "name": "part", "kind": "function_call"}


class Others:
    """Somebody else, who asks the server something small all the time."""

    def __init__(self, server: Server) -> None:
        self._asked = urllib.request.Request(f"{server.url}/api/status", headers={"Authorization": f"token {TOKEN}"})
        self._end = threading.Event()
        self._waited: list[float] = []

    def ask(self) -> None:
        """Until the end."""
        while not self._end.is_set():
            began = monotonic()
            with urllib.request.urlopen(self._asked, timeout=100) as answer:
                answer.read()
            self._waited.append(monotonic() - began)
            sleep(0.005)  # the pace of the questions, not a wait for something

    @contextmanager
    def asking(self) -> Iterator[list[float]]:
        """How long each question took, the shortest first, once it is over."""
        thread = threading.Thread(target=self.ask)
        thread.start()
        found: list[float] = []
        try:
            yield found
        finally:
            self._end.set()
            thread.join()
            found.extend(sorted(self._waited))


@contextmanager
def running(server: Server, store: Path, calls: int) -> Iterator[str]:
    """A request that has made so many calls and runs on; its place in the server."""
    with server.program(MANY.format(n=calls), store) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline().strip() == "waits"
        (one,) = [each for each in server.ask("requests").body["requests"] if each["status"] == "running"]
        yield f"requests/any/{one['id']}"
        program.communicate("\n", timeout=100)


def timed(server: Server, path: str, **query: Any) -> tuple[Reply, float, list[float]]:
    """An answer, how long it took, and how long others waited meanwhile."""
    with Others(server).asking() as others:
        began = monotonic()
        reply = server.ask(path, **query)
        taken = monotonic() - began
    return reply, taken, others


@pytest.mark.parametrize(("calls", "seconds"), [(10_000, 30), (100_000, 150)])
def test_others_are_answered_while_a_large_request_is_read_and_it_is_not_read_for_each_poll(
    server: Server, tmp_path: Path, calls: int, seconds: float
) -> None:
    with running(server, tmp_path / "large.db", calls) as at:
        first, worst = 0.0, []
        pages: list[tuple[str, dict[str, Any]]] = [("page", {**PAGE, "offset": offset}) for offset in (0, 500, 1000)]
        for what, query in [("snapshot", {}), *pages]:
            reply, taken, others = timed(server, f"{at}/{what}", **query)
            first = first or taken
            worst.append(others[-1])
            print(f"{calls:,} {what}: {taken:.2f} s; others: at most {others[-1] * 1000:.0f} ms of {len(others)}")
            assert reply.status == 200
            assert taken < seconds
        # Each time everything is read anew. What else the machine does spoils one time, but not all of them;
        # collections of garbage, which hold the interpreter, do. A slow machine reads slowly, too.
        assert min(worst) < max(0.05, first / 4)
        assert server.ask(f"{at}/snapshot").body["counts"]["executed"] == calls
        again = [timed(server, f"{at}/snapshot")[1] for _ in range(8)]
        print(f"{calls:,} polls: " + " ".join(f"{taken * 1000:.0f}" for taken in again) + " ms")
        assert sorted(again)[4] < first / 4


def test_what_has_ended_is_read_once(server: Server, tmp_path: Path) -> None:
    with running(server, tmp_path / "ended.db", 10_000) as at:
        assert server.ask(f"{at}/snapshot").body["request"]["status"] == "running"
    first, taken, _ = timed(server, f"{at}/snapshot")
    later, again, _ = timed(server, f"{at}/snapshot")
    assert first.body["request"]["status"] == "succeeded"
    assert later.body["sequence"] > first.body["sequence"]
    assert later.body["calls"] == first.body["calls"]
    assert again < taken / 3
