"""A request is carried: from a file to a server, and from there into another file, by the commands of processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from jupyter_durable.store import open_store
from jupyter_durable.store.base import Filter
from tests.server_app.serving import PATIENCE, Serving

KEY = "ab" * 32
SCRIPT = """
import os, signal, sys, time
import numpy as np
from jupyter_durable import application, function, get_request, run_local_application

LOG, HOW = sys.argv[1:]

@function()
def stage(n: int):
    with open(LOG, "a") as log:
        log.write(f"{n}\\n")
    if HOW == "killed" and n == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    if HOW == "waits" and n == 7:
        print("waits", flush=True)
        time.sleep(600)
    print("printed", n)
    return np.full(200_000, n)  # a large value

@application()
def pipeline(count: int) -> int:
    return sum(int(stage(n)[0]) for n in range(1, count + 1))

if HOW == "replay":
    print(get_request("last").replay().output())
else:
    run_local_application(pipeline, 10)
"""


class Machine(NamedTuple):
    """A data directory with a store in a file."""

    home: Path
    log: Path
    given: dict[str, str]

    @property
    def url(self) -> str:
        return f"sqlite:///{self.home}/store.db"

    def start(self, *words: str, **given: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *words], env={**os.environ, **self.given, **given}, cwd=self.home,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ran(self, *words: str, **given: str) -> tuple[int, str, str]:
        process = self.start(*words, **given)
        out, error = process.communicate(timeout=PATIENCE * 2)
        return process.returncode, out, error

    def script(self, how: str, **given: str) -> tuple[int, str, str]:
        path = self.home / "script.py"
        path.write_text(SCRIPT)
        return self.ran(str(path), str(self.log), how, **given)

    def replayed(self, **given: str) -> None:
        """To its output; what executes prints before."""
        code, out, error = self.script("replay", **given)
        assert (code, out.split()[-1:]) == (0, ["55"]), error

    def command(self, *words: str) -> tuple[int, str, str]:
        return self.ran("-m", "jupyter_durable.cli", *words)

    def executed(self) -> list[str]:
        found = self.log.read_text().split() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return found


class World(NamedTuple):
    """Two machines and a server between them."""

    first: Machine
    second: Machine
    server: str


@pytest.fixture
def world(serving: Serving, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    token = serving.token("write", namespace)
    monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", token)

    def machine(name: str) -> Machine:
        home = tmp_path / name
        home.mkdir()
        given = {"JUPYTER_DATA_DIR": str(home), "JUPYTER_DURABLE_KEY": KEY}
        made = Machine(home, tmp_path / "log", given)
        made.given["JUPYTER_DURABLE_STORE"] = made.url
        open_store(made.url).close()
        return made

    return World(machine("first"), machine("second"), serving.url)


def carried(world: World) -> None:
    """From the first machine to the second, by the server."""
    code, out, error = world.first.command("push", "last", world.server)
    assert code == 0, error
    assert "Go on with it there" in out
    code, out, error = world.second.command("pull", "last", world.server, "--json")
    assert code == 0, error
    assert json.loads(out)["strange"] is False


def test_what_ended_is_served_whole_from_another_store(world: World) -> None:
    assert world.first.script("run")[0] == 0
    assert len(world.first.executed()) == 10
    tree = world.first.command("tree", "--json")
    carried(world)
    assert world.second.command("tree", "--json") == tree
    world.second.replayed()
    assert world.second.executed() == []
    world.first.replayed()  # the original stays
    assert world.first.executed() == []


def test_what_was_killed_goes_on_with_exactly_the_rest_and_is_carried_back(world: World) -> None:
    assert world.first.script("killed")[0] == -signal.SIGKILL
    assert world.first.executed() == [str(n) for n in range(1, 8)]
    carried(world)
    world.second.replayed()
    assert world.second.executed() == ["7", "8", "9", "10"]
    assert world.second.command("push", "last", world.server)[0] == 0
    assert world.first.command("pull", "last", world.server)[0] == 0
    assert "is already in" in world.first.command("pull", "last", world.server)[1]
    world.first.replayed()
    assert world.first.executed() == []


def test_two_that_went_on_apart_are_told_and_left_alone(world: World) -> None:
    world.first.script("killed")
    carried(world)
    for machine in (world.first, world.second):
        assert machine.script("replay")[0] == 0
    assert world.second.command("push", "last", world.server)[0] == 0
    code, _, error = world.first.command("push", "last", world.server)
    assert code == 2
    assert "went on there in its own way: run 2" in error


def test_who_lacks_the_key_is_told_when_it_is_carried_and_runs_nothing(world: World) -> None:
    world.first.script("run")
    world.first.executed()
    assert world.first.command("push", "last", world.server)[0] == 0
    world.second.given["JUPYTER_DURABLE_KEY"] = "cd" * 32
    code, out, error = world.second.command("pull", "last", world.server)
    assert (code, "a key that is not trusted here" in out) == (0, True), error
    assert world.second.script("replay")[0] == 1
    assert world.second.executed() == []
    world.second.replayed(JUPYTER_DURABLE_KEY=KEY)
    assert world.second.executed() == []


def test_what_runs_is_refused_and_its_owner_named(world: World) -> None:
    path = world.first.home / "script.py"
    path.write_text(SCRIPT)
    runs = world.first.start(str(path), str(world.first.log), "waits")
    try:
        assert runs.stdout is not None
        while "waits" not in (line := runs.stdout.readline()):
            assert line
        code, _, error = world.first.command("push", "last", world.server)
        assert code == 2
        assert f"process {runs.pid} on " in error
    finally:
        runs.kill()
        runs.communicate()
    assert open_store(world.server).requests(Filter()) == []


def test_a_push_that_is_killed_anywhere_leaves_nothing_or_all_and_is_pushed_again(world: World) -> None:
    world.first.script("killed")
    world.first.executed()
    there = open_store(world.server)
    for verb in ("put_blob", "take_in"):
        for when in ("before", "after"):
            code = world.first.ran("-c", KILLED, verb, when, world.server)[0]
            assert code == -signal.SIGKILL
            found = there.requests(Filter())
            assert len(found) == ((verb, when) == ("take_in", "after"))
    there.close()
    carried(world)
    world.second.replayed()
    assert world.second.executed() == ["7", "8", "9", "10"]


KILLED = """
import os, signal, sys
from jupyter_durable.cli import main
from jupyter_durable.store.http.store import HttpStore

verb, when, url = sys.argv[1:]
real, calls = getattr(HttpStore, verb), []

def killed(*args, **kwargs):
    calls.append(args)
    if when == "before" and (verb == "take_in" or len(calls) == 3):
        os.kill(os.getpid(), signal.SIGKILL)
    found = real(*args, **kwargs)
    if when == "after" and (verb == "take_in" or len(calls) == 3):
        os.kill(os.getpid(), signal.SIGKILL)
    return found

setattr(HttpStore, verb, killed)
sys.argv = ["jupyter-durable", "push", "last", url]
main()
"""
