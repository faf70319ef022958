"""Answers that are kept: for as long as they hold, and no longer."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from jupyter_durable.core.model import Kind, RequestRow, Status
from jupyter_durable_server import recent
from jupyter_durable_server.recent import Recent, Uncollected

ROW = RequestRow(
    1, "req_1", "app", Kind.FUNCTION, Status.SUCCEEDED, 0.0, 0.0, None, None, b"", b"", None, None, None, None, None, 1,
    1, 1, None, 0.0, False, False, None,
)  # fmt: skip


class Read:
    """Counts how often something is read, and gives the count."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, Any]:
        self.times += 1
        return {"times": self.times}


def test_of_what_has_ended_an_answer_holds_until_the_row_is_another_one() -> None:
    known, read = Recent(), Read()
    for row in (ROW, ROW._replace(lease_until=9.0), ROW._replace(run=2), ROW._replace(run=2, pinned=True)):
        known.answer("snapshot", row, Status.SUCCEEDED, read)
    assert read.times == 3
    known.answer("page", ROW, Status.SUCCEEDED, read)
    known.answer("snapshot", ROW._replace(id="req_2"), Status.SUCCEEDED, read)
    assert read.times == 5


def test_what_runs_is_read_again_after_four_times_as_long_as_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(recent, "monotonic", lambda: now[0])
    known, read = Recent(), Read()

    def slow() -> dict[str, Any]:
        now[0] += 2
        return read()

    def ask(status: str = Status.RUNNING) -> int:
        found: int = known.answer("snapshot", ROW, status, slow)["times"]
        return found

    assert ask() == 1
    now[0] += 7.9
    assert ask() == 1
    now[0] += 0.2
    assert ask() == 2
    assert ask(Status.INTERRUPTED) == 3
    now[0] += 1000
    assert ask(Status.INTERRUPTED) == 3


def test_what_runs_and_is_read_quickly_is_read_each_time() -> None:
    known, read = Recent(), Read()
    assert [known.answer("snapshot", ROW, Status.RUNNING, read)["times"] for _ in range(3)] == [1, 2, 3]


def test_who_asks_what_is_being_read_waits_for_it() -> None:
    known, read = Recent(), Read()
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> dict[str, Any]:
        begun.set()
        assert go_on.wait(100)
        return read()

    threads = [threading.Thread(target=known.answer, args=("snapshot", ROW, Status.SUCCEEDED, slow)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(100)
    go_on.set()
    for thread in threads:
        thread.join()
    assert read.times == 1


def test_an_answer_that_could_not_be_made_is_asked_for_again() -> None:
    known, read = Recent(), Read()

    def broken() -> dict[str, Any]:
        raise LookupError

    with pytest.raises(LookupError):
        known.answer("snapshot", ROW, Status.SUCCEEDED, broken)
    assert known.answer("snapshot", ROW, Status.SUCCEEDED, read) == {"times": 1}


def test_few_answers_are_kept() -> None:
    known, read = Recent(), Read()
    for n in (*range(recent.KEPT + 1), 0):
        known.answer(n, ROW, Status.SUCCEEDED, read)
    assert read.times == recent.KEPT + 2


def test_garbage_is_collected_again_when_the_last_has_left() -> None:
    pause = Uncollected()
    assert gc.isenabled()
    with pause():
        with pytest.raises(LookupError), pause():
            raise LookupError
        assert not gc.isenabled()
    assert gc.isenabled()
