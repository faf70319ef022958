"""Who runs a request in this process, and what others are told."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from jupyter_durable.client import Request, ownership
from jupyter_durable.clock import lease_end
from jupyter_durable.core.model import NewRun, Owner
from jupyter_durable.errors import SDKUsageError
from tests.engine.conftest import Notebook

FAILING = """
@function()
def f(x): ran(x); wait(); return x
@application()
@function()
def app() -> int: return f(1) + f(2)
"""


class Gate:
    """`wait()` in user code: fails until it is opened, then stays until it is let through."""

    def __init__(self) -> None:
        self.open = False
        self.entered, self.through = threading.Event(), threading.Event()

    def __call__(self) -> None:
        if not self.open:
            raise ValueError("not yet")
        self.entered.set()
        assert self.through.wait(60)

    def __reduce__(self) -> Any:
        raise TypeError("not to be stored")


@pytest.fixture
def failed(notebook: Notebook) -> Request:
    """A request that failed in its first call; `notebook.namespace["wait"]` is its gate."""
    notebook.namespace["wait"] = Gate()
    notebook.cell(FAILING, key="app")
    with pytest.raises(ValueError, match="not yet"):
        notebook.cell("app()")
    notebook.executed()
    notebook.namespace["wait"].open = True
    return notebook.last()


def test_of_two_threads_that_replay_one_request_one_runs_it(notebook: Notebook, failed: Request) -> None:
    """Also while the first of them has acquired it and not yet begun."""
    gate, begun, go_on = notebook.namespace["wait"], threading.Event(), threading.Event()
    begin = notebook.engine.store.begin

    def slow(*args: Any, **kwargs: Any) -> Any:
        lease = begin(*args, **kwargs)
        begun.set()
        assert go_on.wait(60)
        return lease

    notebook.engine.store.begin = slow  # type: ignore[method-assign]
    thread = threading.Thread(target=failed.replay)
    thread.start()
    assert begun.wait(60)
    assert failed.status == "running"
    with pytest.raises(SDKUsageError, match="another thread of this process has just begun"):
        notebook.last().replay()
    go_on.set()
    assert gate.entered.wait(60)
    with pytest.raises(SDKUsageError, match="is running in this process"):
        notebook.last().replay()
    gate.through.set()
    thread.join(60)
    assert failed.output() == 3
    assert notebook.executed() == [1, 2]


@pytest.mark.parametrize("step", [20.0, -20.0, 86_400.0, -86_400.0])
def test_an_owner_that_lives_keeps_its_request_whatever_the_clock_says(
    notebook: Notebook, failed: Request, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """Its lease is over by the wall clock of whoever asks; it is named, with the moment since when it has it."""
    mine = ownership.this_owner()
    parent = mine._replace(pid=1, pid_started="")  # the first process of this namespace lives
    row = notebook.engine.store.request(failed.id)
    run = NewRun("adaptive", time.time(), None, ())
    notebook.engine.store.begin(row.serial, parent, run, time.time() + 15, epoch=row.epoch)
    monkeypatch.setattr(notebook.engine.clock, "now", lambda: time.time() + step)
    assert failed.status == "running"
    with pytest.raises(SDKUsageError, match=r"is being run by process 1 on \S+ since .*take it over"):
        failed.replay()
    with pytest.raises(SDKUsageError, match=r"is being run by process 1 on .*%%durable --fresh"):
        notebook.cell("app()")
    with pytest.raises(SDKUsageError, match="is being run by process 1"):
        failed.delete()
    assert notebook.executed() == []
    notebook.namespace["wait"].through.set()
    notebook.cell("app()", fresh=True)
    assert notebook.executed() == [1, 2]
    failed.replay(take_over=True)
    assert notebook.executed() == [1, 2]


def test_an_owner_that_cannot_be_looked_at_keeps_its_request_for_the_time_of_its_lease(
    notebook: Notebook, failed: Request
) -> None:
    """Then it reads interrupted, and the cell goes on with it."""
    notebook.namespace["wait"].through.set()
    far = Owner("elsewhere", "boot", "ns", 12, "1")
    for left, status in ((60.0, "running"), (-1.0, "interrupted")):
        row = notebook.engine.store.request(failed.id)
        run = NewRun("adaptive", time.time(), None, ())
        notebook.engine.store.begin(row.serial, far, run, time.time() + left, epoch=row.epoch)
        assert failed.status == status
        if status == "running":
            with pytest.raises(SDKUsageError, match="process 12 on elsewhere"):
                notebook.cell("app()")
    notebook.cell("app()")
    assert notebook.executed() == [1, 2]
    assert failed.status == "succeeded"


@pytest.mark.parametrize("step", [20.0, -20.0, 86_400.0, -86_400.0])
def test_a_lease_of_this_boot_is_read_by_a_clock_that_nobody_sets(
    notebook: Notebook, failed: Request, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """An owner in another container of this machine cannot be looked at; its wall clock and ours may be set."""
    notebook.namespace["wait"].through.set()
    mine = ownership.this_owner()
    beside = mine._replace(host="container", pid_namespace="pid:[1]")
    monkeypatch.setattr(notebook.engine.clock, "now", lambda: time.time() + step)
    for left, status in ((15.0, "running"), (-0.1, "interrupted")):
        until, boot = lease_end(time.time(), left)
        row = notebook.engine.store.request(failed.id)
        run = NewRun("adaptive", time.time(), None, (), boot)
        notebook.engine.store.begin(row.serial, beside, run, until, epoch=row.epoch)
        assert failed.status == status
    failed.replay()
    assert notebook.executed() == [1, 2]
    assert notebook.engine.store.request(failed.id).lease_boot is None


def test_another_name_of_the_machine_hides_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop is called otherwise in another network. The name decides where boot or namespace is not known."""
    mine = ownership.this_owner()
    lives = mine._replace(host="before", pid=1, pid_started="")
    assert ownership.alive(lives) is True
    assert ownership.alive(mine._replace(host="before", pid_started="0")) is False
    assert ownership.alive(lives._replace(pid_namespace="pid:[1]")) is None
    assert ownership.alive(lives._replace(boot_id="another")) is None
    for here in (
        mine._replace(boot_id=""),
        mine._replace(pid_namespace=""),
        mine._replace(boot_id="", pid_namespace=""),
    ):
        monkeypatch.setattr(ownership, "this_owner", lambda here=here: here)
        assert ownership.alive(here._replace(pid=1, pid_started="")) is True
        assert ownership.alive(here._replace(host="before", pid=1, pid_started="")) is None


IN_A_NAMESPACE = """
import os, subprocess, sys
from jupyter_durable.client import ownership
for _ in range(40):  # numbers that the machine around gave to others
    subprocess.run(["true"])
mine = ownership.this_owner()
other = subprocess.Popen(["sleep", "60"])
theirs = mine._replace(pid=other.pid, pid_started="")
print(mine.pid_started != "", ownership.alive(mine), ownership.alive(theirs))
other.kill()
other.wait()
print(ownership.alive(theirs), ownership.alive(theirs._replace(pid=2**70)))
"""


@pytest.mark.parametrize("proc", [(), ("--mount-proc",)], ids=["that of the machine", "its own"])
def test_in_a_pid_namespace_an_owner_is_not_looked_for_among_those_of_the_machine(
    proc: tuple[str, ...],
) -> None:
    """A sandbox may keep the /proc of the machine: there its numbers are those of others, or of nobody."""
    unshare = ["unshare", "--user", "--map-root-user", "--pid", "--fork", *proc]
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("no namespaces here")
    run = subprocess.run(
        [*unshare, sys.executable, "-"], input=IN_A_NAMESPACE, capture_output=True, text=True, check=True
    )
    assert run.stdout.split("\n")[:2] == ["True True True", "False False"]
