"""One case: a workload that is killed, replayed, killed in its recovery, and replayed to its end.

Runs in the fork server. Every process of a case is a fork of it, and opens engine and store by itself.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import random
import select
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple, cast

from pydantic import TypeAdapter

from jupyter_durable import context
from jupyter_durable.client import Engine, Request, list_requests, run_local_application
from jupyter_durable.client.journal import records
from jupyter_durable.client.settings import Settings
from jupyter_durable.client.trusted import sealer_of
from jupyter_durable.client.versions import live_code
from jupyter_durable.code.sources import find_class, find_function
from jupyter_durable.core.model import ROOT, CallRow, Status
from jupyter_durable.runner.counts import COUNTED
from tests.crash import mutants, witness
from tests.crash.oracle import Look, Run, judge
from tests.crash.shapes import SHAPES, START, Shape
from tests.crash.witness import ACCEPTED, KILLED, Event, Witness, line, read_log, short

PRELOADED: Final = (
    "jupyter_durable.client.execution",
    "jupyter_durable.client.render",
    "jupyter_durable.store.memory",
    "jupyter_durable.store.migrations.v1",
    "jupyter_durable.store.sqlite.store",
    "pydantic",
    "zstandard",
)
PATIENCE: Final = 100.0
"""Seconds after which a process counts as stuck."""
RECOVERIES: Final = 3
"""Replays that may be killed before the last one is left alone."""
MOMENTS: Final = {"before": 0, "torn": 1, "after": 2}


class Order(NamedTuple):
    """What a case is to be. The same order gives the same case, up to the timing of threads."""

    shape: str
    seed: int
    at: float
    """Where the first kill falls: 0 is the first operation of the workload, 1 the last."""
    moment: str
    scratch: bool
    """The first process makes store and key; else an empty store is there."""
    mutant: str | None = None


class Verdict(NamedTuple):
    """What came of a case."""

    kills: int
    recoveries_killed: int
    slowest: float
    """Seconds that the slowest process took."""
    broken: list[str]
    folder: str


class Process(NamedTuple):
    """How a fork ended."""

    status: int
    result: dict[str, Any]

    @property
    def killed(self) -> bool:
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL


def preload() -> None:
    """Load what every fork of this process needs, and parse the code that all workloads call."""
    for name in PRELOADED:
        importlib.import_module(name)
    TypeAdapter(int)  # its first use loads more
    find_function(cast(FunctionType, witness.ran))
    find_class(witness.Event)
    gc.freeze()


def in_fork(body: Callable[[], dict[str, Any]], folder: Path) -> Process:
    """Run `body` in a fork; its result, when it got that far."""
    said = folder / "said.json"
    said.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        _be_a_fork(body, folder, said)
    descriptor = os.pidfd_open(pid)
    try:
        if not select.select([descriptor], [], [], PATIENCE)[0]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return Process(0, {"error": f"stuck: {(folder / 'stuck').read_text()}"})
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(descriptor)
    result = json.loads(said.read_text()) if said.exists() else {"error": f"it said nothing; exit status {status}"}
    return Process(status, result)


def _be_a_fork(body: Callable[[], dict[str, Any]], folder: Path, said: Path) -> None:
    with (folder / "stuck").open("w") as stuck:
        faulthandler.dump_traceback_later(PATIENCE - 5, file=stuck)
        os.chdir(folder)  # code below the working directory is the user's, and is hashed
        try:
            result = body()
        except BaseException:  # noqa: BLE001 - whatever it is, the verdict tells it
            result = {"error": traceback.format_exc()}
        with contextlib.suppress(AttributeError):  # not every process has the shim
            witness.shim().shim_watch(b"", -1, b"", 0, 0)
        said.write_text(json.dumps(result))
        os._exit(0)


class Stage:
    """The folder of a case, and what a process of it does there."""

    def __init__(self, folder: Path, order: Order) -> None:
        self.folder = folder
        self.order = order
        self.shape = SHAPES.get(order.shape, Shape(""))
        self.log = folder / "log"
        self.store = folder / "home"
        self.count = 0
        self.killed: list[int] = []
        self.looks: list[Look] = []
        self.slowest = 0.0

    def process(self, kill_at: int, moment: str) -> Process:
        """Run or replay the workload in a fork that is killed at an operation (0: never)."""
        number = self.count
        self.count += 1
        began = time.monotonic()
        ended = in_fork(lambda: self._workload(number, kill_at, moment), self.folder)
        self.slowest = max(self.slowest, time.monotonic() - began)
        if ended.killed:
            self.killed.append(number)
            copy = self.folder / "copy"
            shutil.copytree(self.store, copy)
            found = in_fork(lambda: look_at(copy, self.order.mutant), self.folder).result
            shutil.rmtree(copy)
            empty = {"error": "", "integrity": "", "requests": [], "durable": {}, "doubled": [], "runs": 0}
            self.looks.append(Look(process=number, **{**empty, **found}))
        return ended

    def _workload(self, number: int, kill_at: int, moment: str) -> dict[str, Any]:
        log = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        shim = witness.shim()
        mutants.plant(self.order.mutant)
        last_words = line(Event(number, KILLED, f"{moment} operation {kill_at}", ""))
        shim.shim_watch(os.fsencode(self.store), log, last_words, kill_at, MOMENTS[moment])
        witness.holder[:] = [Witness(log, number, shim.shim_point)]
        engine = open_engine(self.store)
        request = self._go_on(number)
        result = {"status": request.status, "error": "" if request.status == Status.SUCCEEDED else request.tree()}
        if request.status == Status.SUCCEEDED:
            result["output"] = request.output()
        elif request.error is not None:
            result["error"] += "".join(traceback.format_exception(request.error))
        engine.store.close()
        result["operations"] = shim.shim_counted()
        return result

    def _go_on(self, number: int) -> Request:
        """Begin the request, or replay it when it is there."""
        found = list_requests()
        later = self.shape.later if number and self.shape.later else None
        cells = self.order.seed % 2 == 0 or not found
        if cells or later:
            exec(START + (later or self.shape.source), vars(sys.modules["__main__"]))
        if found:
            request = found[0]
            if request.status != Status.SUCCEEDED:
                request.replay(upgrade_to_latest_version=cells or later is not None)
            return request
        flow = vars(sys.modules["__main__"])["flow"]
        if self.order.seed % 3:
            return run_local_application(flow)
        request = flow.submit(idempotency_key="only")
        witness.witness().say(ACCEPTED, request.id)
        return request.wait(PATIENCE)


def open_engine(home: Path) -> Engine:
    """A process as after its start: an empty `__main__`, an engine of its own."""
    warnings.simplefilter("ignore")
    os.environ["JUPYTER_DATA_DIR"] = str(home / "data")
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    engine = Engine(Settings(store=f"sqlite:///{home / 'store.db'}"), warn=lambda text: None)
    context.engine.set(engine)
    return engine


def look_at(home: Path, mutant: str | None) -> dict[str, Any]:
    """Open a store and read everything that it holds."""
    mutants.plant(mutant)
    engine = open_engine(home)
    try:
        return read_all(engine)
    finally:
        engine.store.close()


def read_all(engine: Engine) -> dict[str, Any]:
    """Everything that a store holds, as a `Look` says it."""
    problems = [found.text for found in engine.store.check() if found.level == "error"]
    requests = list_requests()
    durable: dict[str, str] = {}
    doubled = []
    for request in requests:
        row = engine.store.request(request.id)
        sealer = sealer_of(engine, request.id, live_code(None))
        for call in records(engine.store, row.serial, values=True):
            if not isinstance(call, CallRow) or call.status != Status.SUCCEEDED or call.kind not in COUNTED:
                continue
            if call.identity == ROOT:
                continue
            if call.value is None and call.blob is None:
                (args, _), _ = sealer.inputs(call)
                key, value = f"{call.name}{args[-1]}", ""
            else:
                opened = sealer.open(call)
                key, value = opened.partition(":")[0], short(opened)
            if key in durable:
                doubled.append(key)
            durable[key] = value
    runs = len(requests[0].runs) if requests else 0
    return {
        "integrity": "; ".join(problems) or "ok", "requests": [request.id for request in requests],
        "durable": durable, "doubled": doubled, "runs": runs,
    }  # fmt: skip


class Stagehand:
    """Makes the folders of cases, and knows how many operations each workload has."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.template = base / "template"
        self.counted: dict[tuple[str, bool], int] = {}
        """Operations of a workload, by its name and whether it begins from scratch."""
        self.template.mkdir(parents=True)
        made = in_fork(self._make_template, base)
        assert not made.result.get("error"), made.result["error"]

    def _make_template(self) -> dict[str, Any]:
        engine = open_engine(self.template)
        assert engine.signer
        engine.store.close()
        return {}

    def folder(self, order: Order) -> Path:
        """A new folder for a case, with its store."""
        folder = self.base / f"{order.shape}-{order.seed}-{order.mutant or 'sound'}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if order.scratch:
            (folder / "home").mkdir(mode=0o700)
        else:
            shutil.copytree(self.template, folder / "home")
        return folder

    def stage(self, order: Order) -> Stage:
        return Stage(self.folder(order), order)

    def operations(self, order: Order) -> int:
        """How many operations the workload of an order has when nothing is killed."""
        known = self.counted.get((order.shape, order.scratch))
        if known is None:
            stage = self.stage(order._replace(seed=1, mutant=None))
            ended = stage.process(0, "before")
            assert ended.result.get("status") == Status.SUCCEEDED, ended.result
            known = self.counted[order.shape, order.scratch] = ended.result["operations"]
            shutil.rmtree(stage.folder)
        return known

    def play(self, order: Order) -> Verdict:
        """Run a case to its end and judge it."""
        operations = self.operations(order)
        stage = self.stage(order)
        draw = random.Random(order.seed)
        ended = stage.process(1 + int(order.at * operations), order.moment)
        for _ in range(RECOVERIES):
            if not ended.killed or draw.random() < 0.4:
                break
            ended = stage.process(1 + int(draw.random() * operations), draw.choice(list(MOMENTS)))
        recoveries = stage.count - 1 - (not ended.killed)
        if ended.killed:
            ended = stage.process(0, "before")
        events = read_log(stage.log.read_text()) if stage.log.exists() else []
        failure = ended.result.get("error", "")
        broken = judge(Run(stage.shape, events, stage.killed, stage.looks, failure, ended.result.get("output")))
        if not broken:
            shutil.rmtree(stage.folder)
        return Verdict(len(stage.killed), max(0, recoveries), stage.slowest, broken, str(stage.folder))
