"""Retries, timeouts, cancels and leases over restarts."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from jupyter_durable import SDKUsageError
from jupyter_durable.client import Engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.core.model import NewRun, Owner

FLAKY = """
@function(retries=Retries(max_retries=3, initial_delay=0))
def f(x):
    ran(RequestContext.get().attempt)
    do(RequestContext.get().attempt)
    return x
@application()
@function()
def app() -> int: return f(1)
"""


class Do:
    """What each attempt does; outside of the store."""

    def __init__(self, **at: Any) -> None:
        self.at = {int(name[1:]): error for name, error in at.items()}

    def __call__(self, attempt: int) -> None:
        what = self.at.get(attempt)
        if isinstance(what, BaseException):
            raise what
        if what is not None:
            what()

    def __reduce__(self) -> tuple:
        raise TypeError("not to be stored")


def test_attempts_are_counted_over_a_kill(notebook):
    """Killed in attempt 2: the interrupted attempt counts, attempt 3 follows, the budget is 4 in all."""
    notebook.cell(FLAKY, key="app")
    notebook.namespace["do"] = Do(a1=ValueError("one"), a2=notebook.namespace["die"])
    notebook.cell("app()")
    assert notebook.executed() == [1, 2]
    notebook.restart()
    notebook.namespace["do"] = Do(a3=ValueError("three"), a4=ValueError("four"))
    request = notebook.last().replay()
    assert notebook.executed() == [3, 4]
    assert request.status == "failed"


def test_a_final_failure_gets_a_fresh_budget_on_replay(notebook):
    """Four attempts failed: the replay has four again."""
    notebook.cell(FLAKY, key="app")
    notebook.namespace["do"] = Do(a1=ValueError(), a2=ValueError(), a3=ValueError(), a4=ValueError("four"))
    with pytest.raises(ValueError, match="four"):
        notebook.cell("app()")
    assert notebook.executed() == [1, 2, 3, 4]
    notebook.namespace["do"] = Do(a1=ValueError())
    request = notebook.last().replay()
    assert notebook.executed() == [1, 2]
    assert request.output() == 1
    assert request.call("f").attempts == 2


def test_children_of_a_failed_attempt_are_served_to_the_next_one(notebook):
    """A retry is adaptive: what succeeded in it is not executed again."""
    notebook.cell(
        "@function()\ndef child(x): ran(('child', x)); return x\n"
        "@function(retries=Retries(max_retries=1, initial_delay=0))\ndef parent():\n"
        "    a = child(1)\n    do(RequestContext.get().attempt)\n    return a + child(2)\n"
        "@application()\n@function()\ndef app() -> int: return parent()",
        key="app",
    )
    notebook.namespace["do"] = Do(a1=ValueError())
    notebook.cell("app()")
    assert notebook.executed() == [("child", 1), ("child", 2)]


def test_a_request_error_is_never_retried_and_reaches_the_output_verbatim(notebook):
    """The user's verdict is final."""
    from jupyter_durable import RequestError

    notebook.cell(FLAKY, key="app")
    notebook.namespace["do"] = Do(a1=RequestError("no such page"))
    with pytest.raises(RequestError) as raised:
        notebook.cell("app()")
    assert str(raised.value) == "no such page"
    assert notebook.executed() == [1]
    with pytest.raises(RequestError) as raised:
        notebook.last().output()
    assert str(raised.value) == "no such page"


def test_a_timeout_settles_the_call_while_its_thread_goes_on(notebook, tmp_path):
    """The caller is released at the deadline, before the thread may end; what the thread returns later is not kept."""
    gate = tmp_path / "gate"
    notebook.namespace["gate"] = str(gate)
    notebook.cell(
        "import os, time\n@function(timeout=1)\ndef slow():\n"
        "    while not os.path.exists(gate):\n        try:\n            time.sleep(0.01)\n"
        "        except BaseException:  # as native code, which hears nothing\n            pass\n"
        "    ran('end')\n    return 1\n"
        "@application()\n@function()\ndef app() -> int:\n    try:\n        return slow()\n"
        "    except TimeoutError:\n        return -1",
        key="app",
    )
    notebook.cell("out = app()")
    assert notebook.namespace["out"] == -1
    assert notebook.executed() == []
    gate.touch()
    end = time.monotonic() + 100
    while notebook.engine.workers.stuck:
        assert time.monotonic() < end, "the thread has not returned"
        time.sleep(0.01)
    assert notebook.executed() == ["end"]
    slow = notebook.last().call("slow")
    assert slow.status == "failed"
    with pytest.raises(TimeoutError):
        slow.output()


def test_a_cancelled_request_keeps_what_succeeded(notebook):
    """Cancel, then replay: only what had not ended runs."""
    notebook.cell(
        "import time\n@function()\ndef quick(x): ran(x); return x\n@function()\ndef slow(x):\n    ran('slow')\n"
        "    wait(); return x\n@application()\n@function()\ndef app() -> int: return slow(quick(1))",
        key="app",
    )
    notebook.namespace["wait"] = Wait()
    request = notebook.namespace["app"].submit()
    notebook.namespace["wait"].entered.wait(100)
    request.cancel()
    request.wait(100)
    assert request.status == "cancelled"
    assert request.call("slow").status == "cancelled"
    assert notebook.executed() == [1, "slow"]
    notebook.namespace["wait"].seconds = 0
    request.replay()
    assert notebook.executed() == ["slow"]
    assert request.output() == 1


def test_a_request_that_runs_elsewhere_is_not_replayed_and_names_its_owner(notebook):
    """Fencing: the holder keeps it; who wants it is told who that is, and how to take over."""
    notebook.cell(FLAKY, key="app")
    notebook.namespace["do"] = Do(a1=RuntimeError(), a2=RuntimeError(), a3=RuntimeError(), a4=RuntimeError())
    with pytest.raises(RuntimeError):
        notebook.cell("app()")
    request = notebook.last()
    other = Owner("elsewhere", "boot", "ns", 12, "1")
    notebook.engine.store.begin(request._row.serial, other, NewRun("adaptive", time.time(), None, ()), time.time() + 60)
    with pytest.raises(SDKUsageError, match="12 on elsewhere"):
        request.replay()
    notebook.executed()
    notebook.namespace["do"] = Do()
    request.replay(take_over=True)
    assert request.status == "succeeded"


def test_a_holder_whose_request_was_taken_over_writes_nothing_more(notebook):
    """The epoch moved: a late outcome is refused, and the run stops with `LeaseLost`."""
    from jupyter_durable import LeaseLost

    notebook.cell(
        "@function()\ndef f(x):\n    ran(x)\n    steal(x)\n    return x\n"
        "@application()\n@function()\ndef app() -> int: return f(1) + f(2)",
        key="app",
    )
    notebook.namespace["steal"] = Steal(notebook.engine)
    with pytest.raises(LeaseLost):
        notebook.cell("app()")
    assert notebook.executed() == [1]
    calls = notebook.last().calls()
    assert [call.status for call in calls] in ([], ["interrupted"], ["running"])


class Steal:
    """Another process takes the request over in the middle of a call."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, x: object) -> None:
        row = self._engine.store.request("last")
        other = Owner("elsewhere", "boot", "ns", 12, "1")
        run = NewRun("adaptive", time.time(), None, ())
        self._engine.store.begin(row.serial, other, run, time.time() + 60, epoch=row.epoch)

    def __reduce__(self) -> tuple:
        raise TypeError("not to be stored")


class Wait:
    """A call that does not return for a while."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.seconds = 3.0

    def __call__(self) -> None:
        self.entered.set()
        time.sleep(self.seconds)

    def __reduce__(self) -> tuple:
        raise TypeError("not to be stored")


def test_settings_changed_by_name_say_where_they_came_from(notebook):
    """`configure` changes what it is given, or nothing."""
    settings = Settings(store="memory:").changed({"inputs": "1MiB", "max_concurrency": 3}, "configure()")
    assert settings.inputs == 1024**2
    assert settings.sources == {"inputs": "configure()", "max_concurrency": "configure()"}
    with pytest.raises(SDKUsageError, match="unknown setting 'colour'"):
        settings.changed({"colour": "red"}, "configure()")


def test_a_recorded_traceback_holds_the_users_frames_only(notebook):
    """Neither the engine's frames nor those of the threads it runs on."""
    failing = "@function(timeout=5)\ndef f(): raise ValueError('inner')\n"
    notebook.cell(failing + "@application()\n@function()\ndef app(): f()", key="app")
    with pytest.raises(ValueError, match="inner"):
        notebook.cell("app()")
    text = notebook.last().call("f").error_text
    assert "in f" in text
    assert "concurrent" not in text
    assert "runner" not in text


AGAIN = """
@function()
def item(n):
    ran(n)
    return n
@function()
def middle(n):
    item(n)
    item.map([10 * n, 10 * n + 1])
    item.reduce([], n)
    do(len(TRIED))
    return n
@function()
def add(one, other):
    ran(other)
    return one + other
TRIED = []
@function(retries=Retries(max_retries=3, initial_delay=0))
def outer(deep):
    TRIED.append(1)
    item.map([1, 2, 3])
    add.reduce([4, 5], 0)
    try:
        middle(7)
    finally:
        do(10 * len(TRIED))
    return deep
@application()
@function()
def app() -> int: return outer(1)
"""


@pytest.mark.parametrize(
    "at", [{"a1": OSError()}, {"a10": OSError()}, {"a1": OSError(), "a2": OSError(), "a30": OSError()}]
)
def test_what_had_succeeded_below_a_failed_attempt_is_served_at_every_depth(notebook, at):
    """Also what was called in a map, a reduce, or a call that itself failed: nothing executes twice."""
    notebook.namespace["do"] = Do(**at)
    notebook.cell(AGAIN, key="functions")
    notebook.cell("app()")
    request = notebook.last()
    assert request.status == "succeeded"
    assert sorted(notebook.executed()) == [1, 2, 3, 4, 5, 7, 70, 71]
    assert len(request.calls("item")) == 6
    assert len(request.calls("add")) == 2
