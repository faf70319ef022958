"""Races of processes for one request: who runs it, who is told so, and what was executed, counted outside of the store.

`python -B -m tests.races.leases_race FOLDER`: a fork server; an order a line in, what was wrong a line out.

Rules of this file
- An *owner* has the request first, in a call that does not return by itself; then *racers* all want it at one moment.
- Where a row is read and acted upon later there are seeded delays, so that the others come in between.
- The racer that wins stays in its call until every other one has said how it fared: so no loser can find the request
  free again, and each of them must be told who has it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import random
import select
import shutil
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from jupyter_durable.client import Engine, Request, get_request, list_requests, ownership, replay, run_local_application
from jupyter_durable.client.session import Cell
from jupyter_durable.clock import SystemClock
from jupyter_durable.core.model import Status
from jupyter_durable.errors import DurableError, SDKUsageError
from jupyter_durable.runner.run import Run
from jupyter_durable.store.writer import Writer
from tests.crash.case import open_engine, preload
from tests.crash.shapes import START
from tests.crash.witness import STARTED, Witness, holder, read_log, witness
from tests.races import leases_mutants
from tests.races.leases_verdict import AGAINST, GONE, HELD, Race, Seen, judged

PATIENCE: Final = 100.0
"""Seconds after which a process counts as stuck. Generous: the machine may be busy."""
OWNERS: Final = ("dead", "zombie", "alive", "stopped", "taken over", "failed", "none")
DEEDS: Final = ("replay", "cell", "application", "submit", "cancel", "delete", "gc")
STEPS: Final = (0.0, 20.0, -20.0, 86_400.0, -86_400.0)
"""By how many seconds the wall clock of a racer is off."""
FUNCTIONS: Final = """
@function()
def part(i):
    return ran(f"part{i}")
@application()
def flow():
    return [got(f"part{i}", part(i)).split(":")[0] for i in range(3)]
"""
BODY: Final = "for i in range(3):\n    got(f'part{i}', part(i))\n"


def drawn(seed: int, mutant: str | None = None) -> Race:
    """The race of a seed."""
    draw = random.Random(seed)
    deed = draw.choice(DEEDS)
    gone = ("dead", "zombie", "failed")
    owners = {"submit": ("none",), "replay": OWNERS[:-1], "cancel": gone, "delete": gone, "gc": ("failed",)}
    owner = draw.choice([each for each in owners.get(deed, OWNERS) if each != "taken over" or deed == "replay"])
    return Race(seed, owner, deed, draw.randint(2, 6), mutant)


# a process of a race


class Stepped(SystemClock):
    """A wall clock that somebody has set."""

    def __init__(self, step: float) -> None:
        self._step = step

    def now(self) -> float:
        return time.time() + self._step


class Racing:
    """One process of a race, in its folder."""

    def __init__(self, folder: Path, race: Race, number: int) -> None:
        self.folder = folder
        self.race = race
        self.number = number
        self.draw = random.Random(race.seed * 101 + number)

    def own(self) -> str:
        """Have the request first, until told to go on; how that ended."""
        engine, gates = self._begin()
        gates[HELD] = self._hold
        try:
            self._run(engine)
        except OSError as error:
            return f"failed: {error}"
        except DurableError as error:
            return f"{type(error).__name__}: {error}"
        return "ran"

    def want(self, barrier: int) -> str:
        """Want the request at the moment at which all do; how that ended."""
        engine, gates = self._begin()
        if self.race.owner in ("alive", "stopped"):
            engine.clock = Stepped(self.draw.choice(STEPS))
        gates[HELD] = self._stay
        self._delay(engine)
        os.read(barrier, 1)
        try:
            return self._want(engine)
        except SDKUsageError as error:
            return f"refused: {error}"
        except DurableError as error:
            return f"{type(error).__name__}: {error}"

    def _begin(self) -> tuple[Engine, dict[str, Callable[[], object]]]:
        leases_mutants.plant(self.race.mutant)
        os.chdir(self.folder)
        log = os.open(self.folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        holder[:] = [Witness(log, self.number, lambda: None)]
        engine = open_engine(self.folder / "home")
        exec(START + FUNCTIONS, vars(sys.modules["__main__"]))
        return engine, witness().gates

    def _want(self, engine: Engine) -> str:
        race = self.race
        if race.deed in AGAINST and self.number == race.racers:
            time.sleep(self.draw.random() * 0.05)
            return self._act_against(engine, list_requests()[0])
        if race.deed in ("replay", *AGAINST):
            return self._replay(engine)
        return self._run(engine)

    def _act_against(self, engine: Engine, request: Request) -> str:
        if self.race.deed == "cancel":
            request.cancel()
            return "cancelled"
        if self.race.deed == "delete":
            request.delete()
            return GONE
        swept = engine.store.gc(older_than=0.0, now=engine.clock.now() + 1.0, dry_run=False)
        return GONE if swept.requests else "spared"

    def _replay(self, engine: Engine) -> str:
        """Its own run says how it ended: of the request somebody else may have another one by then."""
        mine: list[Run] = []
        engine.observers.append(lambda run, row: mine.append(run))
        id = list_requests()[0].id if self.race.deed == "replay" else (self.folder / "id").read_text()
        get_request(id).replay(take_over=self.race.owner == "taken over" and self.number == 1)
        return "ran" if mine[-1].outcome == Status.SUCCEEDED else f"ended {mine[-1].outcome}"

    def _run(self, engine: Engine) -> str:
        namespace = vars(sys.modules["__main__"])
        if self.race.deed == "submit":
            request = namespace["flow"].submit(idempotency_key="only")
            return f"submitted {request.wait(PATIENCE).status}"
        if self.race.deed in ("replay", *AGAINST):
            request = run_local_application(namespace["flow"])
            if request.error is not None:
                raise OSError("not yet")
            return "ran"
        source = BODY if self.race.deed == "cell" else "flow()"
        engine.sessions.begin(Cell("/nb.ipynb", "cell", "cell", source))
        error: BaseException | None = None
        try:
            exec(source, namespace)
        except BaseException as raised:
            error = raised
            raise
        finally:
            engine.sessions.end(error)
        return "ran"

    def _hold(self) -> None:
        (self.folder / "id").write_text(list_requests()[0].id)
        (self.folder / "there").touch()
        if self.race.owner == "failed":
            raise OSError("not yet")
        wait_for((self.folder / "go").exists)

    def _stay(self) -> None:
        """Until every other racer has said how it fared, or is in this call too, which is wrong and seen in the log.

        Who submitted waits for this one, and says nothing.
        """
        if self.race.deed == "submit":
            time.sleep(0.05)
            return
        others = {f"said{number}" for number in range(1, self.race.racers + 1) if number != self.number}
        wait_for(lambda: all((self.folder / name).exists() for name in others) or self._twice())

    def _twice(self) -> bool:
        """Whether another racer is in this call too; one that was in it and has said how it fared is not."""
        events = read_log((self.folder / "log").read_text())
        began = {each.process for each in events if (each.kind, each.key) == (STARTED, HELD) and each.process > 0}
        return any(not (self.folder / f"said{number}").exists() for number in began - {self.number})

    def _delay(self, engine: Engine) -> None:
        """Between reading and acting, now and then a little time."""
        slow = self._slow
        replay.code_for = slow(replay.code_for)
        replay.set_asides = slow(replay.set_asides)
        ownership.alive = slow(ownership.alive)
        writer: Any = Writer
        writer.run = slow(writer.run)  # between two transactions: in one nobody comes in between
        store: Any = engine.store
        for verb in ("request", "requests", "accept", "begin", "settle", "runs", "delete"):
            with contextlib.suppress(AttributeError):
                setattr(store, verb, slow(getattr(store, verb)))

    def _slow(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def slowly(*args: Any, **kwargs: Any) -> Any:
            if self.draw.random() < 0.3:
                time.sleep(self.draw.random() * 0.04)
            return act(*args, **kwargs)

        return slowly


def wait_for(condition: Callable[[], bool]) -> None:
    """Until another process has got somewhere."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("what was waited for did not come to pass")
        time.sleep(0.002)


# the race, seen from outside


class Stage:
    """One race: starts its processes, ends them by their ids, judges it."""

    def __init__(self, folder: Path, race: Race) -> None:
        self.folder = folder
        self.race = race
        self.pids: dict[int, int] = {}
        """By number: 0 is the owner."""
        self.reaped: set[int] = set()

    def play(self) -> list[str]:
        """What was wrong with the race."""
        try:
            if self.race.owner != "none":
                self._owner_comes()
            self._race()
            if self.race.owner in ("alive", "stopped", "taken over"):
                os.kill(self.pids[0], signal.SIGCONT)
                (self.folder / "go").touch()
                self._ended(0)
            self.fork(99, lambda: json.dumps(self._look()))
            self._ended(99)
            return list(self._judged())
        finally:
            for number, pid in self.pids.items():
                if number not in self.reaped:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)

    def _owner_comes(self) -> None:
        owner = self.race.owner
        self.fork(0, Racing(self.folder, self.race, 0).own)
        wait_for((self.folder / "there").exists)
        if owner in ("stopped", "taken over"):
            self._stop_owner()
        elif owner in ("dead", "zombie"):
            time.sleep(random.Random(self.race.seed).choice((0.0, 0.1)))  # with the mark of its call, or without
            os.kill(self.pids[0], signal.SIGKILL)
        if owner == "dead":
            os.waitpid(self.pids[0], 0)
            self.reaped.add(0)
        elif owner == "failed":
            self._ended(0)
        elif owner == "zombie":
            wait_for(lambda: "State:\tZ" in Path(f"/proc/{self.pids[0]}/status").read_text())

    def _stop_owner(self) -> None:
        """Not while it commits: who holds the file is waited for, and it is to be gone on with by others."""
        with contextlib.closing(
            sqlite3.connect(self.folder / "home" / "store.db", PATIENCE, isolation_level=None)
        ) as store:
            store.execute("BEGIN IMMEDIATE")
            os.kill(self.pids[0], signal.SIGSTOP)
            wait_for(lambda: "State:\tT" in Path(f"/proc/{self.pids[0]}/status").read_text())
            store.execute("ROLLBACK")

    def _race(self) -> None:
        heard, said = os.pipe()
        for number in range(1, self.race.racers + 1):
            racing = Racing(self.folder, self.race, number)
            self.fork(number, partial(self._racer, racing, heard, said))
        os.close(said)  # the last to close it starts them all
        os.close(heard)
        self._pause(random.Random(self.race.seed + 7))
        for number in range(1, self.race.racers + 1):
            self._ended(number)

    def _pause(self, draw: random.Random) -> None:
        """Now and then a racer is stopped for a while, at any moment: it may hold the file of the store."""
        for _ in range(draw.choice((0, 0, 1, 2))):
            time.sleep(draw.random() * 0.2)
            pid = self.pids[draw.randint(1, self.race.racers)]
            os.kill(pid, signal.SIGSTOP)
            time.sleep(draw.random() * 0.5)
            os.kill(pid, signal.SIGCONT)

    @staticmethod
    def _racer(racing: Racing, heard: int, said: int) -> str:
        os.close(said)
        return racing.want(heard)

    def fork(self, number: int, body: Callable[[], str]) -> None:
        """Run `body` in a fork; what it says is kept beside the store."""
        pid = os.fork()
        if pid:
            self.pids[number] = pid
            return
        with (self.folder / f"stuck{number}").open("w") as stuck:
            faulthandler.dump_traceback_later(PATIENCE - 5, file=stuck)
            try:
                text = body()
            except BaseException:  # noqa: BLE001 - whatever it is, the verdict tells it
                text = traceback.format_exc()
            new = self.folder / f"new{number}"
            new.write_text(text)
            new.rename(self.folder / f"said{number}")
            os._exit(0)

    def _ended(self, number: int) -> None:
        descriptor = os.pidfd_open(self.pids[number])
        try:
            if not select.select([descriptor], [], [], PATIENCE)[0]:
                os.kill(self.pids[number], signal.SIGKILL)
        finally:
            os.close(descriptor)
        os.waitpid(self.pids[number], 0)
        self.reaped.add(number)

    def said(self, number: int) -> str:
        path = self.folder / f"said{number}"
        return path.read_text() if path.exists() else "stuck: " + (self.folder / f"stuck{number}").read_text()

    def _look(self) -> Any:
        open_engine(self.folder / "home")
        return [[each.status, len(each.runs), each.output() if _has_output(each) else None] for each in list_requests()]

    def _judged(self) -> Iterator[str]:
        ends = {number: self.said(number) for number in range(1, self.race.racers + 1)}
        owner = self.said(0) if self.race.owner in ("alive", "stopped", "taken over") else None
        events = read_log((self.folder / "log").read_text())
        started = [(each.process, each.key) for each in events if each.kind == STARTED]
        found = json.loads(self.said(99)) if self.said(99).startswith("[") else self.said(99)
        yield from judged(self.race, Seen(ends, owner, started, found, self.pids))


def _has_output(request: Any) -> bool:
    return request.status == "succeeded" and request.application == "flow"


# the server


def played(base: Path, race: Race) -> list[str]:
    """What was wrong with a race; its folder stays when something was."""
    folder = base / f"race{race.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "home").mkdir(mode=0o700)
    wrong = Stage(folder, race).play()
    if not wrong:
        shutil.rmtree(folder)
    return [f"{race}: {text}" for text in wrong]


def main() -> None:
    preload()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    base = Path(sys.argv[1])
    base.mkdir()
    for order in sys.stdin:
        print(json.dumps(played(base, Race(**json.loads(order)))), file=answers, flush=True)


if __name__ == "__main__":
    main()
