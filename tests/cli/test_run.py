"""`jupyter durable run`: a notebook executed headless, and again after a failure, an interrupt or a kill."""

from __future__ import annotations

import functools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jupyter_durable.cli.app import app
from jupyter_durable.client import Request, ownership
from jupyter_durable_kernel.run import other_holders
from jupyter_durable_kernel.run.in_kernel import Execution
from tests.cli.notebooks import CELLS, Notebook, kill, until

pytestmark = pytest.mark.timeout(900)
LOADS = [f"load {k}" for k in range(4)]
MAPPED = [f"load {100 + k}" for k in range(4)]


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """The small notebook in a directory of its own."""
    made = Notebook(tmp_path)
    yield made
    made.close()


def cells_of(notebook: Notebook) -> dict[str, str]:
    """Text of the outputs of each cell that was written."""
    texts = {}
    for cell in notebook.executed().cells:
        outputs = cell.get("outputs", ())
        texts[cell.id] = "".join(
            str(part.get("text") or part.get("data", {}).get("text/plain", "")) for part in outputs
        )
    return texts


@pytest.mark.full
def test_what_served_calls_had_printed_is_in_the_notebook_that_is_written(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
):
    """Marked as from the log where it was printed by an earlier run; not where the setting says no."""
    notebook.mend()
    printed = []
    for setting in (None, None, "0"):
        if setting is not None:
            monkeypatch.setenv("JUPYTER_DURABLE_REPRINT", setting)
        notebook.run()
        cells = notebook.executed().cells
        printed.append(
            [output.text for cell in cells if cell.id == "check" for output in cell.outputs if "text" in output]
        )
    served = "│ check, from its log:\n│ checking 8 values\n"
    assert printed == [["checking 8 values\nplain 412\n"], [f"{served}plain 412\n"], ["plain 412\n"]]


def test_a_run_that_failed_goes_on_where_it_stopped(notebook: Notebook):
    """The failure stands in the notebook, with exit code 1; the second run executes what failed, and the rest."""
    failed = notebook.run(code=1)
    assert (failed["failed_cell"], failed["error"]) == (5, "ValueError: not mended")
    assert sorted(notebook.ran) == sorted([*LOADS, *MAPPED, "check"])
    written = notebook.executed()
    outputs = [output for cell in written.cells if cell.id == "check" for output in cell.outputs]
    assert [output["ename"] for output in outputs if output["output_type"] == "error"] == ["ValueError"]
    assert len(written.cells) == len(CELLS) + 1

    notebook.mend()
    done = notebook.run()
    assert notebook.ran[9:] == ["check"]
    assert sum(request["reused"] for request in done["requests"]) == 8
    texts = cells_of(notebook)
    assert "plain 412" in texts["check"]
    assert "413" in texts["last"]

    again = notebook.run()
    assert notebook.ran[9:] == ["check"], "after a success nothing runs again"
    assert {request["id"] for request in again["requests"]} == {request["id"] for request in done["requests"]}

    notebook.run("--fresh")
    assert sorted(notebook.ran[10:]) == sorted([*LOADS, *MAPPED, "check"])


def test_what_is_written_and_told_beside_the_notebooks_own_output_holds_no_credential(notebook: Notebook):
    """S16: what a cell printed and raised is the notebook's; views, metadata and what the command says are ours."""
    written = notebook.read()
    source = (
        "%%durable\ndef asks(api_key):\n    print('token=' + api_key)\n    raise ValueError('Cookie: sid=' + api_key)"
    )
    written.cells = [written.cells[1], *written.cells[-2:]]
    written.cells[0].source, written.cells[1].source = source, "api_key = '77c1d9canary'\nasks(api_key)"
    notebook.write(written)
    process = notebook.start()
    told = "".join(process.communicate(timeout=100))
    assert process.returncode == 1
    assert "Cookie: ***" in told
    assert "77c1d9canary" not in told
    executed = notebook.executed()
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    views = [output for output in outputs if output["output_type"] not in ("stream", "error")]
    assert views
    assert "77c1d9canary" not in json.dumps([views, executed.metadata, [cell.metadata for cell in executed.cells]])


def test_a_cell_that_is_cancelled_is_told_in_one_line_and_nothing_of_a_silent_view_is_written(notebook: Notebook):
    """The cells after it do not run; a cell that printed beside short calls has what it printed alone."""
    written = notebook.read()
    sources = {cell.id: cell for cell in written.cells}
    sources["loads"].source = "print('loading')\nvalues = [load(k) for k in range(n)]"
    sources["mapped"].source = "load(9)\n__import__('jupyter_durable').get_request('last').cancel()\nload(10)"
    notebook.write(written)
    failed = notebook.run(code=1)
    assert failed["failed_cell"] == 4
    assert re.match(r"cancelled · 1 finished call is kept · .* %durable replay req_\w+$", failed["error"])
    outputs = {cell.id: cell.outputs for cell in notebook.executed().cells if cell.cell_type == "code"}
    assert [each.output_type for each in outputs["loads"]] == ["stream"]
    assert [each.output_type for each in outputs["mapped"]] == ["display_data", "display_data"]
    assert outputs["mapped"][1].data["text/plain"] == failed["error"]


def test_parameters_stand_in_a_cell_behind_their_defaults(notebook: Notebook):
    """JSON is read as such, all else is text. Another execution with other parameters shares nothing with this one."""
    notebook.mend()
    notebook.run("-p", "n", "2", "-p", "label", "round 2")
    written = notebook.executed()
    assert [cell.id for cell in written.cells][:3] == ["defaults", "injected-parameters", "functions"]
    assert written.cells[1].source == "# Parameters\nn = 2\nlabel = 'round 2'"
    assert "round 2 202" in cells_of(notebook)["check"]
    before = len(notebook.ran)
    notebook.run("-p", "label", "round 2", "-p", "n", "2")
    assert len(notebook.ran) == before
    notebook.run("-p", "n", "3")
    assert "plain 306" in cells_of(notebook)["check"]
    assert len(notebook.ran) == before + 7


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-p", "m", "2"], "no parameter m; its parameters are label, n, pause"),
        (["-p", "n"], "-p takes a name and a value"),
        (["--kernel", "nobody"], "there is no kernel 'nobody'"),
        (["-o", "/nowhere/out.ipynb"], "there is no directory /nowhere"),
    ],
)
def test_what_cannot_be_run_is_one_sentence_and_runs_nothing(notebook: Notebook, options: list[str], told: str):
    complaint = notebook.run(*options, code=2)
    assert told in complaint
    assert len(complaint.splitlines()) == 1
    assert notebook.ran == []


def test_what_is_no_notebook_is_wrong_use(notebook: Notebook):
    notebook.path.write_text("{")
    assert "cannot be read as a notebook" in notebook.run(code=2)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 7))])
def test_no_acknowledged_call_runs_twice_when_the_runner_is_killed(notebook: Notebook, seed: int):
    """SIGKILL of the runner at random points: its kernel ends with it, and the next run need not wait."""
    notebook.mend()
    wanted = ["-p", "n", "12", "-p", "pause", "0.05"]
    draw = random.Random(seed)
    marks: list[tuple[set[str], int]] = []
    for _ in range(3):
        enough = len(notebook.ran) + draw.randrange(1, 7)
        process = notebook.start(*wanted)
        until(functools.partial(notebook.has_run, enough), process)
        time.sleep(draw.random() * 0.05)  # within a call as well as between two
        kill(process)
        until(lambda: not any(alive(request) for request in notebook.requests()))
        marks.append((notebook.acknowledged(), len(notebook.ran)))
    notebook.run(*wanted)
    assert all(done.isdisjoint(notebook.ran[seen:]) for done, seen in marks)
    assert [len(done) for done, _ in marks] == sorted(len(done) for done, _ in marks)
    assert marks[-1][0]
    assert set(notebook.ran) == {f"load {base + k}" for base in (0, 100) for k in range(12)} | {"check"}
    texts = cells_of(notebook)
    assert "plain 1332" in texts["check"]
    assert "1333" in texts["last"]


def alive(request: Request) -> bool:
    """Whether the process that owns the request lives."""
    owner = request._now().owner
    return owner is not None and ownership.alive(owner) is True


def test_the_notebook_is_readable_after_a_kill(notebook: Notebook):
    """What had ended stands in it; nothing of the last writing is left beside it."""
    process = notebook.start("-p", "pause", "5", "-p", "n", "1")
    until(functools.partial(notebook.has_run, 1), process)
    kill(process)
    written = notebook.executed()
    assert len(written.cells) == len(CELLS) + 2
    assert [cell.execution_count for cell in written.cells[:3]] == [1, 2, 3]
    assert not [path for path in notebook.directory.iterdir() if path.name.startswith(".done")]


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)])
def test_an_interrupt_settles_the_request_and_the_next_run_goes_on(notebook: Notebook, number: int):
    notebook.mend()
    process = notebook.start("-p", "pause", "0.2")
    until(functools.partial(notebook.has_run, 3), process)
    process.send_signal(number)
    _, complaint = process.communicate(timeout=100)
    assert process.returncode == 128 + number
    assert "interrupted" in complaint
    (request,) = notebook.requests()
    assert request._now().owner is None
    assert request.status in ("cancelled", "interrupted")
    done, seen = notebook.acknowledged(), len(notebook.ran)
    assert {"load 0", "load 1"} <= done
    notebook.run("-p", "pause", "0.2")
    assert done.isdisjoint(notebook.ran[seen:])
    assert "plain 412" in cells_of(notebook)["check"]


def test_a_cell_that_takes_too_long_is_interrupted(notebook: Notebook):
    for seconds in ("1", "4", "16"):  # a slow machine needs longer to begin a request at all
        complaint = notebook.run("-p", "pause", "300", "--timeout", seconds, code=1)
        assert complaint["failed_cell"] == 4
        assert "--timeout" in complaint["error"]
        if notebook.ran:
            break
    assert notebook.ran == ["load 0"]
    assert complaint["requests"][0]["status"] in ("cancelled", "interrupted")


HOLDER = """
import os, sys, time
from jupyter_durable import function
from jupyter_durable.client import configure, this_engine
from jupyter_durable.client.session import Cell
configure(store=sys.argv[1])
this_engine().sessions.begin(Cell(sys.argv[2], "cell:loads", "cell", ""))
@function()
def held():
    print("held", flush=True)
    time.sleep(600)
try:
    held()
except BaseException as error:
    this_engine().sessions.end(error)
    raise
"""


@pytest.fixture
def held(notebook: Notebook, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A process that runs a request of the notebook; its parent is who started it, or is gone."""
    parent = request.param
    environment = {**os.environ, "JPY_PARENT_PID": str(os.getpid() if parent == "alive" else 1)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, notebook.url, str(notebook.path)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate(timeout=100)


@pytest.mark.parametrize("held", ["alive"], indirect=True)
def test_a_notebook_that_somebody_runs_is_left_alone(notebook: Notebook, held: subprocess.Popen[str]):
    complaint = notebook.run(code=2)
    assert f"small.ipynb is being executed by process {held.pid}" in complaint
    assert held.poll() is None


@pytest.mark.parametrize("held", ["alive"], indirect=True)
def test_a_request_that_runs_elsewhere_is_not_replayed_here(notebook: Notebook, held: subprocess.Popen[str]):
    """The complaint names who holds it; cancelling asks that process, which then lets go."""
    replayed = CliRunner().invoke(app, ["--store", notebook.url, "replay"])
    assert replayed.exit_code == 2
    assert f"process {held.pid}" in replayed.stderr
    assert "take it over" in replayed.stderr
    assert CliRunner().invoke(app, ["--store", notebook.url, "cancel"]).exit_code == 0
    assert held.wait(timeout=60) != 0
    assert notebook.requests()[0].status == "cancelled"


@pytest.mark.parametrize("held", ["gone"], indirect=True)
@pytest.mark.skipif(sys.platform != "linux", reason="who started a process is read from /proc")
def test_a_kernel_without_its_runner_makes_way(notebook: Notebook, held: subprocess.Popen[str]):
    """One that does not end by itself is ended; its request is then free."""
    other_holders.make_way(notebook.engine, Execution(str(notebook.path), "", False))
    assert held.wait(timeout=10) == -signal.SIGKILL
    notebook.mend()
    notebook.run()


def test_a_process_of_another_execution_is_not_in_the_way(notebook: Notebook):
    """With other parameters the requests are others."""
    execution = Execution(str(notebook.path), "n=2", False)
    other_holders.make_way(notebook.engine, execution)
    assert json.loads(json.loads(execution.setup.partition(", ")[2].removesuffix(")"))) == list(execution)
